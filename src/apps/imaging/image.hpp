// An image in memory: tightly packed rows, grey as [height, width], colour as [height, width, 3].
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tensorpool/result.hpp"
#include "tensorpool/tensor.hpp"

namespace tensorpool::apps {

struct Image {
  TensorLayout layout;
  std::vector<std::byte> pixels;
};

// The layout of `width` x `height` pixels of 1 or 3 channels with 8 or 16 bits each.
[[nodiscard]] TensorLayout image_layout(std::int32_t width, std::int32_t height, int channels, int bits) noexcept;

// Reads PNG and TIFF, told apart by content, not by name. Grey and RGB samples stay what they are (PNG: 8 or 16 bit;
// TIFF also 32 and 64 bit, signed and floating); palettes, fewer bits and other colour spaces become 8 bit; alpha is
// dropped. Errors name the file and what in it cannot be read.
[[nodiscard]] Result<Image> load_image(const std::string& path);

// The PNG and TIFF files directly in `directory` (.png, .tif, .tiff, any case) in the order of their names.
// Errors: not_found also when there is none.
[[nodiscard]] Result<std::vector<std::string>> list_images(const std::string& directory);

}  // namespace tensorpool::apps
