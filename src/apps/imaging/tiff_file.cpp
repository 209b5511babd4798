#include "apps/imaging/tiff_file.hpp"

#include <tiffio.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>

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

// Why the pixels cannot be taken as they are; empty = they can.
std::string fault_of(const TiffShape& shape) {
  constexpr std::uint32_t longest = 1U << 20;
  if (shape.width == 0 || shape.height == 0 || shape.width > longest || shape.height > longest) {
    return fmt::format("its size {}x{} is out of range", shape.width, shape.height);
  }
  if (shape.bits != 8 && shape.bits != 16) return fmt::format("it has {} bits per sample, not 8 or 16", shape.bits);
  if (shape.format != SAMPLEFORMAT_UINT) return "its samples are not unsigned integers";
  const bool grey = shape.photometric == PHOTOMETRIC_MINISBLACK && shape.samples >= 1;
  const bool colour = shape.photometric == PHOTOMETRIC_RGB && shape.samples >= 3;
  if (!grey && !colour) return "it is neither grey (min-is-black) nor RGB";
  if (shape.samples > 8) return fmt::format("it has {} samples per pixel", shape.samples);
  if (shape.planar != PLANARCONFIG_CONTIG && shape.samples > 1) return "its colour planes are stored apart";
  return {};
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

}  // namespace

Result<Image> load_tiff(const std::string& path) {
  const Tiff tiff = open_quietly(path, "r");
  if (!tiff) return make_error(ErrorCode::unsupported, "cannot read the TIFF file {}", path);
  const TiffShape shape = shape_of(tiff.get());
  if (const std::string fault = fault_of(shape); !fault.empty()) {
    return make_error(ErrorCode::unsupported, "cannot use the TIFF file {}: {}", path, fault);
  }
  const int channels = shape.photometric == PHOTOMETRIC_RGB ? 3 : 1;
  Image image;
  image.layout = image_layout(static_cast<std::int32_t>(shape.width), static_cast<std::int32_t>(shape.height), channels,
                              shape.bits);
  const std::uint64_t bytes = image.layout.extent_bytes();
  if (bytes > std::numeric_limits<std::int32_t>::max()) {
    return make_error(ErrorCode::unsupported, "cannot use the TIFF file {}: {} are too many bytes", path, bytes);
  }
  image.pixels.resize(bytes);
  const std::size_t pixel_bytes = static_cast<std::size_t>(channels) * shape.bits / 8;
  const bool read = TIFFIsTiled(tiff.get()) != 0 ? read_tiles(tiff.get(), shape, image.pixels.data(), pixel_bytes)
                                                 : read_scanlines(tiff.get(), shape, image.pixels.data(), pixel_bytes);
  if (!read) return make_error(ErrorCode::unsupported, "the TIFF file {} is damaged or cut off", path);
  return image;
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
