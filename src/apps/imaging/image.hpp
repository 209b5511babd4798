// An image in memory: tightly packed rows, grey as [height, width], colour as [height, width, 3].
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/tensor.hpp"

namespace tensorpool::apps {

// A file that claims more is refused before memory is taken for it.
inline constexpr std::uint64_t most_image_bytes = 1U << 30;

struct Image {
  TensorLayout layout;
  std::vector<std::byte> pixels;
};

// The layout of `width` x `height` pixels of 1 or 3 channels with 8 or 16 bits each.
[[nodiscard]] TensorLayout image_layout(std::int32_t width, std::int32_t height, int channels, int bits) noexcept;

// Reads PNG and TIFF, told apart by content, not by name. Grey and RGB samples stay what they are (PNG: 8 or 16 bit;
// TIFF also 32 and 64 bit, signed and floating); fewer than 8 bits are spread over 8, palettes and other colour spaces
// become 8 bit; alpha is dropped; min-is-white is inverted, a TIFF page turned upright. Errors name the file, its page,
// and what in it cannot be read.
class ImageReader {
 public:
  // Errors also: no regular file.
  [[nodiscard]] static Result<ImageReader> open(const std::string& path);
  ImageReader(ImageReader&&) noexcept;
  ImageReader& operator=(ImageReader&&) noexcept;
  ~ImageReader();

  // The pages of a TIFF file in order, the one image of a PNG file; nothing behind the last. After an error the file is
  // to be left.
  [[nodiscard]] Result<std::optional<Image>> next();

 private:
  struct Impl;
  explicit ImageReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The first image of a file.
[[nodiscard]] Result<Image> load_image(const std::string& path);

struct ImageList {
  std::vector<std::string> paths;    // in natural order
  std::vector<std::string> skipped;  // what lies there beside them, and why it is no image: one line each
};
// The PNG and TIFF files directly in `directory` (.png, .tif, .tiff, any case). Hidden files, directories, dangling
// links and files that cannot be opened are skipped. Errors: not_found also when no image is left.
[[nodiscard]] Result<ImageList> list_images(const std::string& directory);

// Whether `a` comes first: numbers within names count by their value, however many digits they have; img2 < img10.
[[nodiscard]] bool is_before(std::string_view a, std::string_view b) noexcept;

}  // namespace tensorpool::apps
