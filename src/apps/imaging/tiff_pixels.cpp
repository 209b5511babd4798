#include "apps/imaging/tiff_pixels.hpp"

#include <fmt/format.h>
#include <tiff.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace tensorpool::apps {
namespace {

bool has_whole_bytes(const TiffShape& shape) { return shape.bits % 8 == 0; }

// What one sample becomes; nothing for what no tensor holds.
std::optional<Dtype> sample_type(const TiffShape& shape) {
  struct Row {
    std::uint16_t format, bits;
    Dtype dtype;
  };
  constexpr std::array rows{Row{SAMPLEFORMAT_UINT, 1, Dtype::uint8},      Row{SAMPLEFORMAT_UINT, 2, Dtype::uint8},
                            Row{SAMPLEFORMAT_UINT, 4, Dtype::uint8},      Row{SAMPLEFORMAT_UINT, 8, Dtype::uint8},
                            Row{SAMPLEFORMAT_UINT, 10, Dtype::uint16},    Row{SAMPLEFORMAT_UINT, 12, Dtype::uint16},
                            Row{SAMPLEFORMAT_UINT, 14, Dtype::uint16},    Row{SAMPLEFORMAT_UINT, 16, Dtype::uint16},
                            Row{SAMPLEFORMAT_UINT, 32, Dtype::uint32},    Row{SAMPLEFORMAT_INT, 8, Dtype::int8},
                            Row{SAMPLEFORMAT_INT, 16, Dtype::int16},      Row{SAMPLEFORMAT_INT, 32, Dtype::int32},
                            Row{SAMPLEFORMAT_IEEEFP, 32, Dtype::float32}, Row{SAMPLEFORMAT_IEEEFP, 64, Dtype::float64}};
  for (const Row& row : rows) {
    if (row.format == shape.format && row.bits == shape.bits) return row.dtype;
  }
  return std::nullopt;
}

std::string name_of_photometric(std::uint16_t photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
      return "min-is-white";
    case PHOTOMETRIC_MINISBLACK:
      return "grey";
    case PHOTOMETRIC_RGB:
      return "RGB";
    case PHOTOMETRIC_PALETTE:
      return "a palette";
    case PHOTOMETRIC_SEPARATED:
      return "CMYK";
    case PHOTOMETRIC_YCBCR:
      return "YCbCr";
    default:
      return fmt::format("photometric interpretation {}", photometric);
  }
}

}  // namespace

std::string describe(const TiffShape& shape) {
  const char* const kind = shape.format == SAMPLEFORMAT_UINT     ? "unsigned"
                           : shape.format == SAMPLEFORMAT_INT    ? "signed"
                           : shape.format == SAMPLEFORMAT_IEEEFP ? "floating-point"
                                                                 : "complex or other";
  return fmt::format("{} of {} samples of {} bits, {}", name_of_photometric(shape.photometric), shape.samples,
                     shape.bits, kind);
}

std::optional<TiffPlan> plan_of(const TiffShape& shape) {
  const auto dtype = sample_type(shape);
  const bool planes = shape.planar == PLANARCONFIG_CONTIG || shape.planar == PLANARCONFIG_SEPARATE;
  if (!dtype || !planes || shape.samples == 0 || shape.samples > 64) return std::nullopt;
  switch (shape.photometric) {
    case PHOTOMETRIC_MINISBLACK:
      return TiffPlan{*dtype, 1, false};
    case PHOTOMETRIC_MINISWHITE:
      if (shape.format != SAMPLEFORMAT_UINT) return std::nullopt;  // what is white of a signed or a floating one?
      return TiffPlan{*dtype, 1, true};
    case PHOTOMETRIC_RGB:
      if (shape.samples < 3) return std::nullopt;
      return TiffPlan{*dtype, 3, false};
    case PHOTOMETRIC_PALETTE:
      if (shape.palette.empty() || *dtype != Dtype::uint8 || shape.format != SAMPLEFORMAT_UINT) return std::nullopt;
      return TiffPlan{Dtype::uint8, 3, false};
    default:
      return std::nullopt;
  }
}

bool is_convertible(const TiffShape& shape) {
  const bool known = shape.photometric == PHOTOMETRIC_YCBCR || shape.photometric == PHOTOMETRIC_SEPARATED ||
                     shape.photometric == PHOTOMETRIC_CIELAB;
  return known && shape.bits == 8 && shape.format == SAMPLEFORMAT_UINT;
}

TiffPixels::TiffPixels(const TiffShape& shape, const TiffPlan& plan)
    : shape_(shape),
      plan_(plan),
      value_bytes_(bits_of(plan.dtype) / 8),
      pixel_bytes_(value_bytes_ * plan.channels),
      samples_in_plane_(shape.planar == PLANARCONFIG_SEPARATE ? 1 : shape.samples) {
  const auto height = static_cast<std::int32_t>(shape.height);
  const auto width = static_cast<std::int32_t>(shape.width);
  image_.layout = plan.channels == 1 ? TensorLayout::row_major(plan.dtype, {height, width})
                                     : TensorLayout::row_major(plan.dtype, {height, width, plan.channels});
  image_.pixels.resize(image_.layout.extent_bytes());
}

std::size_t TiffPixels::line_bytes(std::uint32_t width) const noexcept {
  return (std::size_t{width} * samples_in_plane_ * shape_.bits + 7) / 8;
}

bool TiffPixels::wants(std::uint16_t plane) const noexcept {
  return plane < (shape_.photometric == PHOTOMETRIC_PALETTE ? 1 : plan_.channels);
}

void TiffPixels::put(std::uint16_t plane, std::uint32_t x, std::uint32_t y, std::uint32_t count,
                     const std::byte* line) {
  std::byte* const to = image_.pixels.data() + (std::size_t{y} * shape_.width + x) * pixel_bytes_;
  if (shape_.photometric == PHOTOMETRIC_PALETTE) return put_palette(to, count, line);
  const bool woven = samples_in_plane_ > 1 || plan_.channels == 1;
  const std::uint16_t channels = woven ? plan_.channels : std::uint16_t{1};  // of this line
  if (!has_whole_bytes(shape_)) {
    put_unpacked(plane, channels, to, count, line);
  } else {
    const std::size_t from_bytes = samples_in_plane_ * value_bytes_;
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(to + i * pixel_bytes_ + plane * value_bytes_, line + i * from_bytes, channels * value_bytes_);
    }
  }
  if (plan_.inverted) invert(to, count);
}

std::uint32_t TiffPixels::sample(const std::byte* line, std::size_t index) const noexcept {
  std::uint32_t value = 0;
  const std::size_t begin = index * shape_.bits;
  for (std::size_t bit = begin; bit < begin + shape_.bits; ++bit) {
    value = value << 1 | (std::to_integer<std::uint32_t>(line[bit / 8]) >> (7 - bit % 8) & 1U);
  }
  return value;
}

// 1, 2 and 4 bits are spread over 8; 10 to 14 keep their values.
void TiffPixels::put_unpacked(std::size_t channel, std::uint16_t channels, std::byte* to, std::uint32_t count,
                              const std::byte* line) const {
  const std::uint32_t spread = shape_.bits < 8 ? 255U / ((1U << shape_.bits) - 1) : 1;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < channels; ++c) {
      const auto value = static_cast<std::uint16_t>(sample(line, i * samples_in_plane_ + c) * spread);
      std::byte* const at = to + i * pixel_bytes_ + (channel + c) * value_bytes_;
      if (value_bytes_ == 1) {
        *at = static_cast<std::byte>(value);
      } else {
        std::memcpy(at, &value, sizeof value);
      }
    }
  }
}

void TiffPixels::put_palette(std::byte* to, std::uint32_t count, const std::byte* line) const {
  // Old writers fill the map with 8-bit values.
  const bool wide = std::any_of(shape_.palette.begin(), shape_.palette.end(), [](const auto& colour) {
    return std::any_of(colour.begin(), colour.end(), [](std::uint16_t value) { return value > 255; });
  });
  for (std::size_t i = 0; i < count; ++i) {
    for (const std::uint16_t value : shape_.palette[sample(line, i * samples_in_plane_)]) {
      *to++ = static_cast<std::byte>(wide ? value >> 8 : value);
    }
  }
}

void TiffPixels::invert(std::byte* to, std::size_t values) const {
  if (has_whole_bytes(shape_) || shape_.bits < 8) {
    for (std::size_t i = 0; i < values * value_bytes_; ++i) to[i] = ~to[i];
    return;
  }
  const auto most = static_cast<std::uint16_t>((1U << shape_.bits) - 1);
  for (std::size_t i = 0; i < values; ++i) {
    std::uint16_t value = 0;
    std::memcpy(&value, to + i * sizeof value, sizeof value);
    value = static_cast<std::uint16_t>(most - value);
    std::memcpy(to + i * sizeof value, &value, sizeof value);
  }
}

Image TiffPixels::oriented() && {
  const std::uint16_t o = shape_.orientation;
  if (o <= ORIENTATION_TOPLEFT || o > ORIENTATION_LEFTBOT) return std::move(image_);
  const bool turned = o >= ORIENTATION_LEFTTOP;  // the file's rows are the picture's columns
  const bool from_right = o == ORIENTATION_TOPRIGHT || o == ORIENTATION_BOTRIGHT;
  const bool from_bottom = o == ORIENTATION_BOTRIGHT || o == ORIENTATION_BOTLEFT;
  const bool column_from_right = o == ORIENTATION_RIGHTTOP || o == ORIENTATION_RIGHTBOT;
  const bool column_from_bottom = o == ORIENTATION_RIGHTBOT || o == ORIENTATION_LEFTBOT;
  Image out{image_.layout, std::vector<std::byte>(image_.pixels.size())};
  const std::size_t width = shape_.width;
  const std::size_t height = shape_.height;
  if (turned) std::swap(out.layout.dims[0], out.layout.dims[1]);
  const std::size_t out_width = turned ? height : width;
  for (std::size_t row = 0; row < height; ++row) {
    for (std::size_t column = 0; column < width; ++column) {
      const std::size_t x =
          turned ? (column_from_right ? height - 1 - row : row) : (from_right ? width - 1 - column : column);
      const std::size_t y =
          turned ? (column_from_bottom ? width - 1 - column : column) : (from_bottom ? height - 1 - row : row);
      std::memcpy(out.pixels.data() + (y * out_width + x) * pixel_bytes_,
                  image_.pixels.data() + (row * width + column) * pixel_bytes_, pixel_bytes_);
    }
  }
  return out;
}

}  // namespace tensorpool::apps
