// Pixel formats of GenICam's Pixel Format Naming Convention (PFNC): their names, and the tensor that an image of each
// is. A format is a 32-bit code, as the camera sends it with each image; bits 16 to 23 are the bits per pixel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tensorpool/tensor.hpp"

namespace tensorpool::apps {

using PixelFormatCode = std::uint32_t;

// The name in PFNC, such as "BayerRG12"; empty for a code that is not known here.
[[nodiscard]] std::string_view pixel_format_name(PixelFormatCode code) noexcept;

// What a camera says about one image.
struct ImageFormat {
  PixelFormatCode code = 0;
  std::int32_t width = 0;
  std::int32_t height = 0;
  std::int32_t x_offset = 0;  // of the region of interest
  std::int32_t y_offset = 0;
  std::int32_t row_padding_bytes = 0;  // after each row

  bool operator==(const ImageFormat&) const = default;
};

// The image as a tensor, at the start of `bytes` received bytes:
//   whole samples: height x width, with a last dimension for the channels; 10, 12 and 14 bits are uint16.
//   packed (Mono12p) or of unequal parts (YCbCr411): bytes, height x bytes of a row, where a row is whole bytes.
//   anything else, or fewer bytes than the image has: bytes, one dimension.
// Padding lies in the strides. REQUIRES: bytes < 2^31.
[[nodiscard]] TensorLayout layout_of(const ImageFormat& format, std::size_t bytes) noexcept;

// Bytes of the image alone, without padding; 0 for sizes that no image has.
[[nodiscard]] std::uint64_t bytes_of(const ImageFormat& format) noexcept;

}  // namespace tensorpool::apps
