// One GigE Vision camera through Aravis, whose images land in memory that we hand to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "apps/gige/aravis_handle.hpp"
#include "apps/gige/pixel_format.hpp"
#include "tensorpool/tensor.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::apps {

struct CameraOptions {
  std::string address = "127.0.0.1";  // IP address, or any name that Aravis knows
  double rate_hz = 0;                 // 0 = as the camera is set
  std::int32_t width = 0;             // 0 = as the camera is set
  std::int32_t height = 0;
};

class GigeCamera {
 public:
  // Finds, opens and sets the camera. The error names its address and what to check.
  [[nodiscard]] static Result<GigeCamera> open(const CameraOptions& options);
  // The same again for a camera that went away or that another program took meanwhile.
  [[nodiscard]] Status reopen();
  // False once the camera no longer obeys us: it lost power or network, or did not hear from us for its heartbeat's
  // time.
  [[nodiscard]] bool in_control() const noexcept;

  // Images of another size from the next stream on. REQUIRES: no stream is open.
  [[nodiscard]] Status set_region(std::int32_t width, std::int32_t height);
  // The GenICam name of a pixel format: PFNC's, else the camera's own, else the code in hexadecimal.
  [[nodiscard]] std::string name_of(PixelFormatCode code) const;
  // Bytes of one image as the camera is set.
  [[nodiscard]] std::size_t payload_bytes() const noexcept { return payload_bytes_; }
  // Asks for it again, as somebody may have changed the camera. REQUIRES: no stream is open.
  [[nodiscard]] Status refresh();
  // Makes the stream to which buffers are queued; start() then lets images flow. After close_stream() both begin anew.
  [[nodiscard]] Status open_stream();
  [[nodiscard]] Status start();
  // Stops, and gives up every buffer that was queued or filled: afterwards Aravis holds no address of ours.
  void close_stream() noexcept;
  // Lends `memory` for one image; `tag` comes back with it. REQUIRES: a stream is open, and the memory stays until the
  // buffer is popped or close_stream() returned.
  void queue(std::span<std::byte> memory, std::uint64_t tag);
  // The next buffer that is done, whole or not; empty when none came within `wait`.
  [[nodiscard]] GObjectHandle<ArvBuffer> pop(Nanos wait) noexcept;

  // Over all streams so far.
  struct Counts {
    std::uint64_t completed = 0;
    std::uint64_t incomplete = 0;  // packets were missing
    std::uint64_t no_buffer = 0;   // an image came while nothing was queued
  };
  [[nodiscard]] Counts counts() const noexcept;

 private:
  explicit GigeCamera(CameraOptions options) : options_(std::move(options)) {}
  [[nodiscard]] Status configure();

  CameraOptions options_;
  GObjectHandle<ArvCamera> camera_;
  GObjectHandle<ArvStream> stream_;
  std::size_t payload_bytes_ = 0;
  Counts closed_;  // of streams that were closed
};

[[nodiscard]] std::uint64_t tag_of(ArvBuffer* buffer) noexcept;
[[nodiscard]] bool is_whole(ArvBuffer* buffer) noexcept;
// Where its bytes lie: the memory that was queued.
[[nodiscard]] const std::byte* memory_of(ArvBuffer* buffer) noexcept;

// The buffer came whole, but the camera sends larger images than were asked for: its settings changed meanwhile.
[[nodiscard]] bool is_too_small(ArvBuffer* buffer) noexcept;

// What a whole buffer holds.
struct CameraImage {
  std::optional<ImageFormat> format{};  // nothing for what is no single image
  TensorLayout layout{};
  std::size_t bytes = 0;  // the image and what follows it, such as chunks, without padding at the end
  bool cut = false;       // fewer bytes than the format has
};
[[nodiscard]] CameraImage image_in(ArvBuffer* buffer) noexcept;
// When its first packet came, on CLOCK_MONOTONIC.
[[nodiscard]] Nanos arrival_of(ArvBuffer* buffer) noexcept;

}  // namespace tensorpool::apps
