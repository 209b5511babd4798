#include "apps/imaging/tiff_file.hpp"

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>

#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

struct TiffCloser {
  void operator()(TIFF* tiff) const noexcept { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, TiffCloser>;

Tiff open_quietly(const std::string& path, const char* mode) {
  TIFFSetErrorHandler(nullptr);  // we report ourselves, on no stream of the process
  TIFFSetWarningHandler(nullptr);
  return Tiff(TIFFOpen(path.c_str(), mode));
}

struct TiffShape {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, planar = PLANARCONFIG_CONTIG, photometric = PHOTOMETRIC_MINISBLACK;
  std::uint16_t format = SAMPLEFORMAT_UINT;
  [[nodiscard]] std::size_t pixel_bytes() const { return std::size_t{samples} * bits / 8; }
};

TiffShape shape_of(TIFF* tiff) {
  TiffShape shape;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &shape.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &shape.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &shape.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &shape.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &shape.planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &shape.format);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &shape.photometric);
  return shape;
}

// What one sample is; nothing for fewer bits than a byte and other formats.
std::optional<Dtype> sample_type(const TiffShape& shape) {
  struct Row {
    std::uint16_t format, bits;
    Dtype dtype;
  };
  constexpr std::array rows{Row{SAMPLEFORMAT_UINT, 8, Dtype::uint8},      Row{SAMPLEFORMAT_UINT, 16, Dtype::uint16},
                            Row{SAMPLEFORMAT_UINT, 32, Dtype::uint32},    Row{SAMPLEFORMAT_INT, 8, Dtype::int8},
                            Row{SAMPLEFORMAT_INT, 16, Dtype::int16},      Row{SAMPLEFORMAT_INT, 32, Dtype::int32},
                            Row{SAMPLEFORMAT_IEEEFP, 32, Dtype::float32}, Row{SAMPLEFORMAT_IEEEFP, 64, Dtype::float64}};
  for (const Row& row : rows) {
    if (row.format == shape.format && row.bits == shape.bits) return row.dtype;
  }
  return std::nullopt;
}

// Grey (min-is-black) or RGB with whole samples side by side: taken as they are. Anything else libtiff converts to 8
// bit.
bool is_plain(const TiffShape& shape) {
  const bool grey = shape.photometric == PHOTOMETRIC_MINISBLACK && shape.samples >= 1;
  const bool colour = shape.photometric == PHOTOMETRIC_RGB && shape.samples >= 3;
  return sample_type(shape) && (grey || colour) && shape.samples <= 8 &&
         (shape.planar == PLANARCONFIG_CONTIG || shape.samples == 1);
}

// Copies the wanted channels of `count` pixels; further samples (alpha) are dropped.
void keep_channels(const std::byte* from, std::size_t from_bytes, std::byte* to, std::size_t to_bytes,
                   std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) std::memcpy(to + i * to_bytes, from + i * from_bytes, to_bytes);
}

bool read_scanlines(TIFF* tiff, const TiffShape& shape, std::byte* pixels, std::size_t pixel_bytes) {
  std::vector<std::byte> line(static_cast<std::size_t>(TIFFScanlineSize(tiff)));
  if (line.size() < shape.width * shape.pixel_bytes()) return false;
  for (std::uint32_t y = 0; y < shape.height; ++y) {
    if (TIFFReadScanline(tiff, line.data(), y, 0) < 0) return false;
    keep_channels(line.data(), shape.pixel_bytes(), pixels + std::size_t{y} * shape.width * pixel_bytes, pixel_bytes,
                  shape.width);
  }
  return true;
}

bool read_tiles(TIFF* tiff, const TiffShape& shape, std::byte* pixels, std::size_t pixel_bytes) {
  std::uint32_t tile_width = 0;
  std::uint32_t tile_height = 0;
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile_width);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &tile_height);
  std::vector<std::byte> tile(static_cast<std::size_t>(TIFFTileSize(tiff)));
  if (tile_width == 0 || tile_height == 0 || tile.size() < std::size_t{tile_width} * tile_height * shape.pixel_bytes())
    return false;
  for (std::uint32_t top = 0; top < shape.height; top += tile_height) {
    for (std::uint32_t left = 0; left < shape.width; left += tile_width) {
      if (TIFFReadTile(tiff, tile.data(), left, top, 0, 0) < 0) return false;
      const std::uint32_t width = std::min(tile_width, shape.width - left);
      for (std::uint32_t y = 0; y < std::min(tile_height, shape.height - top); ++y) {
        keep_channels(tile.data() + std::size_t{y} * tile_width * shape.pixel_bytes(), shape.pixel_bytes(),
                      pixels + (std::size_t{top + y} * shape.width + left) * pixel_bytes, pixel_bytes, width);
      }
    }
  }
  return true;
}

Result<Image> image_of(const TiffShape& shape, int channels, Dtype dtype, const std::string& path) {
  const auto height = static_cast<std::int32_t>(shape.height);
  const auto width = static_cast<std::int32_t>(shape.width);
  Image image;
  image.layout = channels == 1 ? TensorLayout::row_major(dtype, {height, width})
                               : TensorLayout::row_major(dtype, {height, width, channels});
  const std::uint64_t bytes = image.layout.extent_bytes();
  if (bytes > std::numeric_limits<std::int32_t>::max()) {
    return make_error(ErrorCode::unsupported, "cannot use the TIFF file {}: {} are too many bytes", path, bytes);
  }
  image.pixels.resize(bytes);
  return image;
}

Result<Image> load_plain(TIFF* tiff, const TiffShape& shape, const std::string& path) {
  const int channels = shape.photometric == PHOTOMETRIC_RGB ? 3 : 1;
  auto image = image_of(shape, channels, *sample_type(shape), path);
  if (!image) return image;
  const std::size_t pixel_bytes = static_cast<std::size_t>(channels) * shape.bits / 8;
  const bool read = TIFFIsTiled(tiff) != 0 ? read_tiles(tiff, shape, image->pixels.data(), pixel_bytes)
                                           : read_scanlines(tiff, shape, image->pixels.data(), pixel_bytes);
  if (!read) return make_error(ErrorCode::unsupported, "the TIFF file {} is damaged or cut off", path);
  return image;
}

// Palettes, bilevel, min-is-white, YCbCr, planes apart: 8 bit grey or RGB.
Result<Image> load_converted(TIFF* tiff, const TiffShape& shape, const std::string& path) {
  std::array<char, 1024> why{};
  if (TIFFRGBAImageOK(tiff, why.data()) == 0) {
    return make_error(ErrorCode::unsupported, "cannot use the TIFF file {}: {}", path, why.data());
  }
  constexpr std::uint64_t most_pixels = 1U << 28;  // the conversion takes 4 bytes each
  if (std::uint64_t{shape.width} * shape.height > most_pixels) {
    return make_error(ErrorCode::unsupported, "cannot use the TIFF file {}: {}x{} pixels are too many to convert", path,
                      shape.width, shape.height);
  }
  const bool grey = shape.photometric == PHOTOMETRIC_MINISBLACK || shape.photometric == PHOTOMETRIC_MINISWHITE;
  auto image = image_of(shape, grey ? 1 : 3, Dtype::uint8, path);
  if (!image) return image;
  std::vector<std::uint32_t> raster(std::size_t{shape.width} * shape.height);
  if (TIFFReadRGBAImageOriented(tiff, shape.width, shape.height, raster.data(), ORIENTATION_TOPLEFT, 1) == 0) {
    return make_error(ErrorCode::unsupported, "the TIFF file {} is damaged or cut off", path);
  }
  std::byte* to = image->pixels.data();
  for (const std::uint32_t pixel : raster) {
    *to++ = static_cast<std::byte>(TIFFGetR(pixel));
    if (grey) continue;
    *to++ = static_cast<std::byte>(TIFFGetG(pixel));
    *to++ = static_cast<std::byte>(TIFFGetB(pixel));
  }
  return image;
}

}  // namespace

Result<Image> load_tiff(const std::string& path) {
  constexpr std::uint32_t longest = 1U << 20;
  const Tiff tiff = open_quietly(path, "r");
  if (!tiff) return make_error(ErrorCode::unsupported, "cannot read the TIFF file {}", path);
  const TiffShape shape = shape_of(tiff.get());
  if (shape.width == 0 || shape.height == 0 || shape.width > longest || shape.height > longest) {
    return make_error(ErrorCode::unsupported, "cannot use the TIFF file {}: its size {}x{} is out of range", path,
                      shape.width, shape.height);
  }
  return is_plain(shape) ? load_plain(tiff.get(), shape, path) : load_converted(tiff.get(), shape, path);
}

Status save_tiff(const std::string& path, const Image& image) {
  const TensorLayout& layout = image.layout;
  const bool plain = layout.dtype == Dtype::uint8 || layout.dtype == Dtype::uint16;
  if (!plain || !(layout.ndims == 2 || (layout.ndims == 3 && layout.dims[2] == 3))) {
    return make_error(ErrorCode::unsupported, "a TIFF file is written for 8 or 16 bit grey or RGB, not {}",
                      layout.describe());
  }
  const Tiff tiff = open_quietly(path, "w");
  if (!tiff) return make_error(ErrorCode::io_error, "cannot create the TIFF file {}", path);
  TIFFSetField(tiff.get(), TIFFTAG_IMAGEWIDTH, layout.dims[1]);
  TIFFSetField(tiff.get(), TIFFTAG_IMAGELENGTH, layout.dims[0]);
  TIFFSetField(tiff.get(), TIFFTAG_BITSPERSAMPLE, static_cast<int>(bits_of(layout.dtype)));
  TIFFSetField(tiff.get(), TIFFTAG_SAMPLESPERPIXEL, layout.ndims == 3 ? 3 : 1);
  TIFFSetField(tiff.get(), TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff.get(), TIFFTAG_PHOTOMETRIC, layout.ndims == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
  const auto height = static_cast<std::uint32_t>(layout.dims[0]);
  std::vector<std::byte> line(height == 0 ? 0 : image.pixels.size() / height);  // libtiff may change what it is given
  for (std::uint32_t y = 0; y < height; ++y) {
    std::memcpy(line.data(), image.pixels.data() + y * line.size(), line.size());
    if (TIFFWriteScanline(tiff.get(), line.data(), y, 0) < 0) {
      return make_error(ErrorCode::io_error, "cannot write the TIFF file {}", path);
    }
  }
  return {};
}

}  // namespace tensorpool::apps
