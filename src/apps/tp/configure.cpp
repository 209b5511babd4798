// tp configure: a ConsumerConfig by hand
#include <fmt/format.h>

#include "apps/flow/stats_json.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/control_line.hpp"
#include "base/error.hpp"
#include "protocol/dispatch.hpp"

namespace tensorpool::apps::tp {
namespace {

struct Arguments {
  std::uint32_t stream_id = 0;
  std::string mode = "STREAM";
  bool use_shm = true;
  std::string payload_fallback_uri;
  Nanos timeout_ns = 5 * nanos_per_second;
};

// A consumer repeats in its hello what it was told.
struct Echo {
  const protocol::ConsumerConfig& told;
  std::optional<protocol::ConsumerHello> last{};
  bool obeyed = false;

  void on(const protocol::ConsumerHello& hello) {
    if (hello.stream_id != told.stream_id || hello.consumer_id != told.consumer_id) return;
    last = hello;
    obeyed = hello.mode == told.mode && hello.supports_shm == told.use_shm;
  }
  bool operator()(std::span<const std::byte> bytes) {
    protocol::dispatch<protocol::ConsumerHello>(bytes, *this);
    return obeyed;
  }
};

protocol::Mode mode_of(const std::string& name) {
  return name == "RATE_LIMITED" ? protocol::Mode::rate_limited : protocol::Mode::stream;
}

std::string describe(protocol::Mode mode, bool use_shm) {
  return fmt::format("mode {}, shared memory {}", protocol::to_string(mode), use_shm ? "read" : "not read");
}

Status tell(ControlLine& line, const protocol::ConsumerConfig& config, Nanos timeout_ns) {
  Echo echo{config};
  if (line.ask(encoded(config), timeout_ns, stop_flag(), std::ref(echo))) return {};
  const std::string who = fmt::format("consumer {} of stream {}", config.consumer_id, config.stream_id);
  if (!echo.last) {
    return make_error(ErrorCode::timed_out, "{} was not heard of in {} s on {}: is it attached? tp top shows who is",
                      who, to_seconds(timeout_ns), line.where());
  }
  return make_error(ErrorCode::timed_out,
                    "{} was told {}, and goes on with {}: it may have said so itself at its attach, or its "
                    "supervisor's policy says otherwise",
                    who, describe(config.mode, config.use_shm), describe(echo.last->mode, echo.last->supports_shm));
}

int configure(const Invocation& invocation, const Arguments& arguments) {
  const Result<NodeConfig> config = invocation.config();
  if (!config) {
    return fail(config.error());
  }
  Result<ControlLine> line = ControlLine::open(invocation.consumer_client(*config));
  if (!line) {
    return fail(line.error());
  }
  protocol::ConsumerConfig message;
  message.stream_id = arguments.stream_id;
  message.consumer_id = invocation.client_id(0);
  message.mode = mode_of(arguments.mode);
  message.use_shm = arguments.use_shm;
  message.payload_fallback_uri = arguments.payload_fallback_uri;
  if (const Status told = tell(*line, message, arguments.timeout_ns); !told) {
    return fail(told.error());
  }
  invocation.json() ? print_json({{"stream_id", message.stream_id},
                                  {"consumer_id", message.consumer_id},
                                  {"mode", protocol::to_string(message.mode)},
                                  {"use_shm", message.use_shm}})
                    : print_line(fmt::format("consumer {} of stream {}: {}", message.consumer_id, message.stream_id,
                                             describe(message.mode, message.use_shm)));
  return exit_ok;
}

}  // namespace

void register_configure(Registry& registry) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command =
      registry.add(registry.top(), "configure", "Tell a consumer by hand what its supervisor would",
                   "tp configure --stream 1001 --client-id 7 --mode RATE_LIMITED",
                   [arguments](const Invocation& invocation) { return configure(invocation, *arguments); });
  require_client_id(command);
  add_stream_id(command, "--stream", arguments->stream_id, "the consumer's stream")->required();
  command.add_option("--mode", arguments->mode, "STREAM or RATE_LIMITED")
      ->transform(CLI::IsMember({"STREAM", "RATE_LIMITED"}, CLI::ignore_case))
      ->capture_default_str();
  command.add_option("--use-shm", arguments->use_shm, "whether it shall read shared memory: true or false")
      ->capture_default_str();
  command.add_option("--payload-fallback-uri", arguments->payload_fallback_uri, "where it gets its frames otherwise");
  add_seconds(command, "--timeout", arguments->timeout_ns, "seconds to wait for the consumer to say that it obeys", 0.1,
              3600);
}

}  // namespace tensorpool::apps::tp
