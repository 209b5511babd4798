// tp publish pattern|images|camera
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "apps/config/client_setup.hpp"
#include "apps/support/event_log.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/publish_images.hpp"
#include "apps/tp/publish_pattern.hpp"
#include "base/error.hpp"
#ifdef TENSORPOOL_ARAVIS
#include "apps/gige/publish_camera.hpp"
#endif

namespace tensorpool::apps::tp {
namespace {

// As given; what is absent comes from the configuration or from the command.
struct PublishArguments {
  std::optional<std::uint32_t> stream_id;
  double rate_hz = 30;
  std::uint64_t count = 0;
  std::string crc_log;
  bool hold = false;
  std::string name;
  std::vector<std::string> attributes;
  bool standalone = false;
};

struct Size {
  std::int32_t width = 0;
  std::int32_t height = 0;
};

// "1920x1080"
Result<Size> parse_size(const std::string& text) {
  Size size;
  const char* end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  const bool separated = width.ec == std::errc() && width.ptr != end && *width.ptr == 'x';
  const auto height = separated ? std::from_chars(width.ptr + 1, end, size.height) : width;
  if (!separated || height.ec != std::errc() || height.ptr != end || size.width <= 0 || size.height <= 0) {
    return make_error(ErrorCode::invalid_argument, "--size {}: not a size; write it as WIDTHxHEIGHT, such as 1920x1080",
                      text);
  }
  return size;
}

// "KEY=VALUE"; the value may be empty, and may contain further signs of equality.
Result<std::pair<std::string, std::string>> parse_attribute(const std::string& text) {
  const std::size_t sign = text.find('=');
  if (sign == std::string::npos || sign == 0) {
    return make_error(ErrorCode::invalid_argument, "--attribute {}: write it as KEY=VALUE", text);
  }
  return std::pair(text.substr(0, sign), text.substr(sign + 1));
}

void add_publish_options(CLI::App& command, PublishArguments& arguments) {
  add_stream_id(command, "--stream", arguments.stream_id,
                "stream to publish; else the configuration's producer.stream_id or only stream");
  add_count(command, "--count", arguments.count, "frames; 0: until stopped");
  command.add_option("--crc-log", arguments.crc_log,
                     "append epoch, sequence, CRC32C and length of each frame to this file");
  command.add_option("--name", arguments.name, "name of the stream, told as its metadata");
  command.add_option("--attribute", arguments.attributes, "KEY=VALUE, told as its metadata (repeatable)")
      ->allow_extra_args(false);
  command.add_flag("--standalone", arguments.standalone,
                   "without a driver: make and announce the stream's memory as [producer] says");
  command.add_flag("--hold", arguments.hold, "after the last frame, stay attached until standard input ends");
}

void add_rate(CLI::App& command, PublishArguments& arguments) {
  add_rate_hz(command, "--rate", arguments.rate_hz, "frames a second; 0: flat out");
}

Result<PublishOptions> publish_options(const Invocation& invocation, const PublishArguments& arguments) {
  const auto config = invocation.config();
  if (!config) return config.error();
  const ProducerSettings& settings = config->producer;
  const auto stream = choose_stream(*config, arguments.stream_id.value_or(settings.stream_id), "--stream");
  if (!stream) return stream.error();
  log_warnings(config->warnings);
  PublishOptions options;
  options.client = invocation.producer_client(*config);
  options.client.name = fmt::format("tp publish {}", *stream);
  options.client.on_event = log_events();
  options.client.keep_waiting = wait_until_stopped(options.client);
  options.producer = producer_options(settings);
  options.producer.stream_id = *stream;
  if (arguments.standalone) {
    auto standalone = standalone_options(*config);
    if (!standalone) return standalone.error();
    options.producer.standalone = *std::move(standalone);
    options.client.name = settings.producer_instance_id;
    use_standalone(*config, options.client);
    options.client.keep_waiting = [] { return !stop_requested(); };  // there is no driver to wait for
  }
  options.producer.create = true;
  options.producer.client_id = invocation.client_id(settings.producer_id);
  options.rate_hz = arguments.rate_hz;
  options.count = arguments.count;
  options.json = invocation.json();
  options.crc_log = arguments.crc_log;
  options.hold = arguments.hold;
  options.name = arguments.name;
  for (const std::string& text : arguments.attributes) {
    auto attribute = parse_attribute(text);
    if (!attribute) return attribute.error();
    options.attributes.push_back(*std::move(attribute));
  }
  return options;
}

int finish(const Status& status) { return status ? exit_ok : fail(status.error()); }

// --- pattern

struct PatternArguments {
  PublishArguments publish;
  std::string size = "1920x1080";
  std::string dtype = "uint16";
  std::string pattern = "words";
  std::int32_t bytes = 0;
  std::uint32_t bands = 1;
};

Result<TensorLayout> pattern_layout(const PatternArguments& arguments) {
  if (arguments.bytes > 0) return TensorLayout::raw_bytes(arguments.bytes);
  const auto size = parse_size(arguments.size);
  if (!size) return size.error();
  const TensorLayout layout = TensorLayout::row_major(dtype_from_string(arguments.dtype), {size->height, size->width});
  const std::uint64_t bytes = layout.extent_bytes();
  if (layout.dtype == Dtype::unknown || layout.check(bytes) != LayoutFault::none) {
    return make_error(ErrorCode::invalid_argument, "--size {} --dtype {}: {}", arguments.size, arguments.dtype,
                      layout.dtype == Dtype::unknown ? "no such type; uint8, uint16, float32 and so on"
                                                     : "more bytes than a frame can have");
  }
  return layout;
}

// Rows too long for the wire's field belong to a frame that no pool can hold; its claim says so.
void describe_progress(TensorLayout& layout) {
  if (layout.ndims != 2) return;
  const std::uint64_t row_bytes = layout.extent_bytes() / static_cast<std::uint64_t>(layout.dims[0]);
  if (!std::in_range<std::uint32_t>(row_bytes)) return;
  layout.progress_unit = ProgressUnit::rows;
  layout.progress_stride_bytes = static_cast<std::uint32_t>(row_bytes);
}

int run_pattern(const Invocation& invocation, const PatternArguments& arguments) {
  PatternOptions options;
  const auto layout = pattern_layout(arguments);
  if (!layout) return fail(layout.error());
  const auto publish = publish_options(invocation, arguments.publish);
  if (!publish) return fail(publish.error());
  options.publish = *publish;
  options.layout = *layout;
  if (arguments.bands > 1) describe_progress(options.layout);
  options.pattern = pattern_from_string(arguments.pattern).value_or(Pattern::words);
  options.bands = arguments.bands;
  return finish(publish_pattern(options, stop_flag()));
}

void register_pattern(Registry& registry, CLI::App& group) {
  const auto arguments = std::make_shared<PatternArguments>();
  CLI::App& command =
      registry.add(group, "pattern", "Publish frames whose content follows from their sequence number",
                   "tp publish pattern --stream 1001 --size 1920x1080 --rate 30",
                   [arguments](const Invocation& invocation) { return run_pattern(invocation, *arguments); });
  add_publish_options(command, arguments->publish);
  add_rate(command, arguments->publish);
  auto* size = command.add_option("--size", arguments->size, "WIDTHxHEIGHT")->capture_default_str();
  auto* dtype = command.add_option("--dtype", arguments->dtype, "element type")->capture_default_str();
  add_count(command, "--bytes", arguments->bytes, "frames of so many opaque bytes instead of images", 1)
      ->excludes(size)
      ->excludes(dtype);
  command
      .add_option("--pattern", arguments->pattern,
                  "words: no two words alike; byte: sequence % 256, as example_producer")
      ->check(CLI::IsMember({"words", "byte"}))
      ->capture_default_str();
  add_count(command, "--bands", arguments->bands,
            "fill each frame in so many bands, over half of its period, and tell its progress as a rolling shutter's",
            1, 4096);
}

// --- images

struct ImagesArguments {
  PublishArguments publish;
  std::string directory;
  bool once = false;
};

int run_images(const Invocation& invocation, const ImagesArguments& arguments) {
  const auto publish = publish_options(invocation, arguments.publish);
  if (!publish) return fail(publish.error());
  return finish(publish_images({*publish, arguments.directory, !arguments.once}, stop_flag()));
}

void register_images(Registry& registry, CLI::App& group) {
  const auto arguments = std::make_shared<ImagesArguments>();
  CLI::App& command =
      registry.add(group, "images", "Publish the PNG and TIFF files of a directory, over and over",
                   "tp publish images examples/data/starfield --stream 1002 --rate 60",
                   [arguments](const Invocation& invocation) { return run_images(invocation, *arguments); });
  command
      .add_option("directory", arguments->directory,
                  "PNG and TIFF files, in natural order of their names; each page of a TIFF file is a frame")
      ->required();
  command.add_flag("--once", arguments->once, "end after the last image");
  add_publish_options(command, arguments->publish);
  add_rate(command, arguments->publish);
}

// --- camera

struct CameraArguments {
  PublishArguments publish;
  std::string address = "127.0.0.1";
  double rate_hz = 0;
  std::string size;
  std::size_t buffers = 8;
  std::optional<Nanos> no_frames_timeout_ns;
};

int run_camera(const Invocation& invocation, const CameraArguments& arguments) {
#ifdef TENSORPOOL_ARAVIS
  CameraPublishOptions options;
  options.camera.address = arguments.address;
  options.camera.rate_hz = arguments.rate_hz;
  if (!arguments.size.empty()) {
    const auto size = parse_size(arguments.size);
    if (!size) return fail(size.error());
    options.camera.width = size->width;
    options.camera.height = size->height;
  }
  const auto publish = publish_options(invocation, arguments.publish);
  if (!publish) return fail(publish.error());
  options.publish = *publish;
  options.in_flight = arguments.buffers;
  const auto config = invocation.config();
  if (!config) return fail(config.error());
  options.no_frames_timeout_ns = arguments.no_frames_timeout_ns.value_or(config->producer.no_frames_timeout_ns);
  options.log = stderr_log();
  return finish(publish_camera(options, stop_flag()));
#else
  static_cast<void>(invocation), static_cast<void>(arguments);
  return fail(
      make_error(ErrorCode::unsupported,
                 "this tp was built without Aravis and knows no cameras; install libaravis-dev and build again"));
#endif
}

void register_camera(Registry& registry, CLI::App& group) {
  const auto arguments = std::make_shared<CameraArguments>();
  CLI::App& command =
      registry.add(group, "camera", "Publish a GigE Vision camera, whose packets land in shared memory",
                   "tp publish camera --address 192.168.1.20 --stream 1001",
                   [arguments](const Invocation& invocation) { return run_camera(invocation, *arguments); });
  command.add_option("--address", arguments->address, "IP address of the camera")->capture_default_str();
  add_rate_hz(command, "--rate", arguments->rate_hz, "frames a second; 0: as the camera is set");
  command.add_option("--size", arguments->size, "WIDTHxHEIGHT; else as the camera is set");
  add_count(command, "--buffers", arguments->buffers, "claimed slots queued at the camera, at most", 1, 1024);
  add_seconds(command, "--no-frames-timeout", arguments->no_frames_timeout_ns,
              "seconds without a frame before a warning; 0: never; else producer.no_frames_timeout_ns");
  add_publish_options(command, arguments->publish);
}

}  // namespace

void register_publish(Registry& registry) {
  CLI::App& group = registry.group("publish", "Publish frames");
  register_pattern(registry, group);
  register_images(registry, group);
  register_camera(registry, group);
}

}  // namespace tensorpool::apps::tp
