// From the samples of a TIFF page, as its tags describe them, to the pixels of an Image: bits unpacked, planes woven
// together, min-is-white inverted, palettes looked up, rows turned upright. No libtiff call is made here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/imaging/image.hpp"

namespace tensorpool::apps {

inline constexpr const char* supported_tiff =
    "supported are grey, RGB and palette pages of 1, 2, 4, 8, 10, 12, 14, 16 and 32 bit integers, 32 and 64 bit "
    "floats, "
    "and 8 bit YCbCr, CMYK and CIELab";

// What the tags of a page say; the values are those of TIFF.
struct TiffShape {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, planar = 1, photometric = 1, format = 1, orientation = 1;
  std::vector<std::array<std::uint16_t, 3>> palette{};
};
[[nodiscard]] std::string describe(const TiffShape& shape);

// How a page becomes an image.
struct TiffPlan {
  Dtype dtype = Dtype::uint8;
  std::uint16_t channels = 1;  // of the image; 3 of a palette
  bool inverted = false;       // min-is-white
};
// Nothing for what is not taken sample by sample.
[[nodiscard]] std::optional<TiffPlan> plan_of(const TiffShape& shape);
// Whether libtiff may convert it to 8 bit RGB without a loss.
[[nodiscard]] bool is_convertible(const TiffShape& shape);

class TiffPixels {
 public:
  // `shape` outlives this.
  TiffPixels(const TiffShape& shape, const TiffPlan& plan);

  // Bytes that `width` pixels of one plane take in the file.
  [[nodiscard]] std::size_t line_bytes(std::uint32_t width) const noexcept;
  // False for planes that are dropped (alpha).
  [[nodiscard]] bool wants(std::uint16_t plane) const noexcept;
  // `count` pixels of a row from column x on. REQUIRES: line_bytes(count) bytes; the pixels lie within the image.
  void put(std::uint16_t plane, std::uint32_t x, std::uint32_t y, std::uint32_t count, const std::byte* line);
  // The image, its first pixel in the upper left corner.
  [[nodiscard]] Image oriented() &&;

 private:
  [[nodiscard]] std::uint32_t sample(const std::byte* line, std::size_t index) const noexcept;
  void put_unpacked(std::size_t channel, std::uint16_t channels, std::byte* to, std::uint32_t count,
                    const std::byte* line) const;
  void put_palette(std::byte* to, std::uint32_t count, const std::byte* line) const;
  void invert(std::byte* to, std::size_t values) const;

  const TiffShape& shape_;
  TiffPlan plan_;
  std::size_t value_bytes_;
  std::size_t pixel_bytes_;
  std::size_t samples_in_plane_;
  Image image_;
};

}  // namespace tensorpool::apps
