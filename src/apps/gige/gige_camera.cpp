#include "apps/gige/gige_camera.hpp"

#include <algorithm>

namespace tensorpool::apps {
namespace {

// A whole image comes as one burst, and the receiving socket holds about 200 KiB by default, counted with what each
// packet costs to keep: few large packets waste the least of it.
constexpr gint loopback_packet_bytes = 8192;

// On loopback a packet socket would see every packet twice, and needs a capability; a plain socket is fast enough
// there.
bool is_loopback(const std::string& address) { return address.rfind("127.", 0) == 0; }

}  // namespace

Result<GigeCamera> GigeCamera::open(const CameraOptions& options) {
  // Only network cameras: looking for USB ones would ask for devices that a container does not have.
  arv_disable_interface("USB3Vision");
  arv_disable_interface("Fake");
  GigeCamera camera(options);
  if (auto opened = camera.reopen(); !opened) return opened.error();
  return camera;
}

Status GigeCamera::reopen() {
  close_stream();
  camera_.reset();
  AravisError error;
  camera_.reset(arv_camera_new(options_.address.c_str(), error.out()));
  if (!camera_ || error) {
    return make_error(
        ErrorCode::not_found,
        "no GigE Vision camera answers at {}: {}; check that it has power, is on this network and is not held by "
        "another program",
        options_.address, error.text());
  }
  return configure();
}

bool GigeCamera::in_control() const noexcept {
  return camera_ && arv_gv_device_is_controller(ARV_GV_DEVICE(arv_camera_get_device(camera_.get()))) != FALSE;
}

Status GigeCamera::set_region(std::int32_t width, std::int32_t height) {
  options_.width = width;
  options_.height = height;
  return configure();
}

Status GigeCamera::configure() {
  const auto failed = [this](std::string_view what, const AravisError& error) {
    return make_error(ErrorCode::invalid_argument, "camera {}: cannot set {}: {}", options_.address, what,
                      error.text());
  };
  if (options_.width > 0 && options_.height > 0) {
    AravisError error;
    arv_camera_set_region(camera_.get(), 0, 0, options_.width, options_.height, error.out());
    if (error) return failed(fmt::format("the region to {}x{}", options_.width, options_.height), error);
  }
  if (options_.rate_hz > 0) {
    AravisError error;
    arv_camera_set_frame_rate(camera_.get(), options_.rate_hz, error.out());
    if (error) return failed(fmt::format("the frame rate to {} Hz", options_.rate_hz), error);
  }
  if (is_loopback(options_.address)) {
    arv_camera_gv_set_stream_options(camera_.get(), ARV_GV_STREAM_OPTION_PACKET_SOCKET_DISABLED);
    arv_camera_gv_set_packet_size_adjustment(camera_.get(), ARV_GV_PACKET_SIZE_ADJUSTMENT_NEVER);
    AravisError error;
    arv_camera_gv_set_packet_size(camera_.get(), loopback_packet_bytes, error.out());
    if (error) return failed("the packet size", error);
  }
  return refresh();
}

Status GigeCamera::refresh() {
  AravisError error;
  payload_bytes_ = arv_camera_get_payload(camera_.get(), error.out());
  if (!error) return {};
  return make_error(ErrorCode::unavailable, "camera {}: cannot ask for its payload: {}", options_.address,
                    error.text());
}

std::string GigeCamera::name_of(PixelFormatCode code) const {
  if (const std::string_view name = pixel_format_name(code); !name.empty()) return std::string(name);
  if (camera_) {
    AravisError error;
    const bool current = arv_camera_get_pixel_format(camera_.get(), error.out()) == code && !error;
    AravisError unnamed;
    const char* const name = current ? arv_camera_get_pixel_format_as_string(camera_.get(), unnamed.out()) : nullptr;
    if (name != nullptr && !unnamed) return name;
  }
  return fmt::format("0x{:08X}", code);
}

Status GigeCamera::open_stream() {
  AravisError error;
  stream_.reset(arv_camera_create_stream(camera_.get(), nullptr, nullptr, error.out()));
  if (stream_ && !error) return {};
  return make_error(ErrorCode::unavailable, "camera {}: cannot open its stream: {}", options_.address, error.text());
}

Status GigeCamera::start() {
  AravisError error;
  arv_camera_start_acquisition(camera_.get(), error.out());
  if (error)
    return make_error(ErrorCode::unavailable, "camera {}: cannot start acquisition: {}", options_.address,
                      error.text());
  return {};
}

void GigeCamera::close_stream() noexcept {
  if (!stream_) return;
  AravisError error;  // a camera that is gone has stopped
  arv_camera_stop_acquisition(camera_.get(), error.out());
  closed_ = counts();
  stream_.reset();  // ends its thread and drops its buffers
}

void GigeCamera::queue(std::span<std::byte> memory, std::uint64_t tag) {
  arv_stream_push_buffer(stream_.get(),
                         arv_buffer_new_full(memory.size(), memory.data(), GSIZE_TO_POINTER(tag), nullptr));
}

GObjectHandle<ArvBuffer> GigeCamera::pop(Nanos wait) noexcept {
  return GObjectHandle<ArvBuffer>(
      arv_stream_timeout_pop_buffer(stream_.get(), static_cast<guint64>(wait / nanos_per_micro)));
}

GigeCamera::Counts GigeCamera::counts() const noexcept {
  guint64 completed = 0;
  guint64 failures = 0;
  guint64 underruns = 0;
  if (stream_) arv_stream_get_statistics(stream_.get(), &completed, &failures, &underruns);
  return {closed_.completed + completed, closed_.incomplete + failures, closed_.no_buffer + underruns};
}

std::uint64_t tag_of(ArvBuffer* buffer) noexcept { return GPOINTER_TO_SIZE(arv_buffer_get_user_data(buffer)); }

bool is_whole(ArvBuffer* buffer) noexcept { return arv_buffer_get_status(buffer) == ARV_BUFFER_STATUS_SUCCESS; }

const std::byte* memory_of(ArvBuffer* buffer) noexcept {
  std::size_t bytes = 0;
  return static_cast<const std::byte*>(arv_buffer_get_data(buffer, &bytes));
}

bool is_too_small(ArvBuffer* buffer) noexcept {
  return arv_buffer_get_status(buffer) == ARV_BUFFER_STATUS_SIZE_MISMATCH;
}

CameraImage image_in(ArvBuffer* buffer) noexcept {
  CameraImage image;
  arv_buffer_get_data(buffer, &image.bytes);
  const ArvBufferPayloadType type = arv_buffer_get_payload_type(buffer);
  if (type != ARV_BUFFER_PAYLOAD_TYPE_IMAGE && type != ARV_BUFFER_PAYLOAD_TYPE_EXTENDED_CHUNK_DATA) {
    image.layout = TensorLayout::raw_bytes(static_cast<std::int32_t>(image.bytes));
    return image;
  }
  ImageFormat format;
  gint end_padding = 0;
  format.code = arv_buffer_get_image_pixel_format(buffer);
  arv_buffer_get_image_region(buffer, &format.x_offset, &format.y_offset, &format.width, &format.height);
  arv_buffer_get_image_padding(buffer, &format.row_padding_bytes, &end_padding);
  const bool padded = end_padding > 0 && static_cast<std::size_t>(end_padding) < image.bytes;
  const std::size_t without_padding = image.bytes - (padded ? static_cast<std::size_t>(end_padding) : 0);
  image.format = format;
  image.layout = layout_of(format, without_padding);
  image.bytes = without_padding;
  image.cut = without_padding < bytes_of(format);
  return image;
}

Nanos arrival_of(ArvBuffer* buffer) noexcept {
  const auto realtime = static_cast<Nanos>(arv_buffer_get_system_timestamp(buffer));
  const Nanos age = realtime_now() - realtime;
  // A clock that was set meanwhile must not put a frame into the future or the distant past.
  return monotonic_now() - std::clamp<Nanos>(age, 0, nanos_per_second);
}

}  // namespace tensorpool::apps
