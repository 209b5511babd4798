#include "apps/imaging/tiff_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "apps/imaging/output_file.hpp"
#include "apps/imaging/tiff_pixels.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

constexpr tmsize_t most_at_once = tmsize_t{1} << 30;  // of libtiff's own allocations
constexpr std::uint64_t most_tile_bytes = 64U << 20;
constexpr std::size_t longest_reason = 200;

struct TiffCloser {
  void operator()(TIFF* tiff) const noexcept { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, TiffCloser>;

// libtiff's last words about one file; nothing goes to a stream of the process.
struct TiffText {
  std::string message;
};

int on_tiff_error(TIFF*, void* text, const char*, const char* format, va_list arguments) {
  std::array<char, longest_reason> line{};
  std::vsnprintf(line.data(), line.size(), format, arguments);
  static_cast<TiffText*>(text)->message = line.data();
  return 1;  // no other handler
}
int on_tiff_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

struct OptionsFreer {
  void operator()(TIFFOpenOptions* options) const noexcept { TIFFOpenOptionsFree(options); }
};
std::unique_ptr<TIFFOpenOptions, OptionsFreer> options_with(TiffText& text) {
  std::unique_ptr<TIFFOpenOptions, OptionsFreer> options(TIFFOpenOptionsAlloc());
  if (!options) return options;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), most_at_once);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_tiff_error, &text);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_tiff_warning, nullptr);
  return options;
}

TiffShape shape_of(TIFF* tiff) {
  TiffShape shape;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &shape.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &shape.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &shape.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &shape.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &shape.planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &shape.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &shape.orientation);
  if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &shape.photometric) == 0) shape.photometric = PHOTOMETRIC_MINISBLACK;
  if (shape.format == SAMPLEFORMAT_VOID) shape.format = SAMPLEFORMAT_UINT;
  if (shape.photometric == PHOTOMETRIC_PALETTE) {
    std::uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
    const bool there = TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) != 0 && shape.bits <= 8;
    for (std::size_t i = 0; there && i < std::size_t{1} << shape.bits; ++i) {
      shape.palette.push_back({red[i], green[i], blue[i]});
    }
  }
  return shape;
}

bool is_page(TIFF* tiff) {
  std::uint32_t kind = 0;
  return TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &kind) == 0 || (kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0;
}

}  // namespace

struct TiffReader::Impl {
  // Members in this order: libtiff writes its last words while it closes.
  std::string path;
  std::uint64_t file_bytes = 0;
  TiffText text;
  Tiff tiff;
  bool at_first = true;
  std::size_t page = 0;

  [[nodiscard]] Error refused(const std::string& why) const {
    const std::string where = page > 1 ? fmt::format(", page {}", page) : "";
    return make_error(ErrorCode::unsupported, "cannot use the TIFF file {}{}: {}", path, where, why);
  }
  [[nodiscard]] Error damaged() const {
    return refused(text.message.empty() ? "it is damaged or cut off" : "it is damaged or cut off: " + text.message);
  }

  Result<std::optional<Image>> next() {
    do {
      if (!std::exchange(at_first, false)) {
        text.message.clear();
        if (TIFFLastDirectory(tiff.get()) != 0) return std::optional<Image>();
        if (TIFFReadDirectory(tiff.get()) == 0) return ++page, damaged();
      }
      if (!is_page(tiff.get())) continue;
      ++page;
      auto image = decode();
      if (!image) return image.error();
      return std::optional<Image>(std::move(*image));
    } while (true);
  }

  Result<Image> decode() {
    const TiffShape shape = shape_of(tiff.get());
    if (shape.width == 0 || shape.height == 0) return refused("it has no pixels");
    if (Status fits = check_size(shape); !fits) return fits.error();
    const auto plan = plan_of(shape);
    if (plan) return decode_samples(shape, *plan);
    if (is_convertible(shape)) return convert(shape);
    return refused(describe(shape) + " is not supported; " + supported_tiff);
  }

  Status check_size(const TiffShape& shape) const {
    const std::uint64_t pixels = std::uint64_t{shape.width} * shape.height;
    const std::uint64_t bytes_each = std::max<std::uint64_t>(1, std::uint64_t{shape.bits} * shape.samples / 8);
    if (!std::in_range<std::int32_t>(shape.width) || !std::in_range<std::int32_t>(shape.height) ||
        bytes_each > most_image_bytes / pixels) {
      return refused(
          fmt::format("{}x{} pixels of {} samples of {} bits are more than the limit of {} bytes for an image",
                      shape.width, shape.height, shape.samples, shape.bits, most_image_bytes));
    }
    std::uint16_t compression = COMPRESSION_NONE;
    TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_COMPRESSION, &compression);
    if (compression == COMPRESSION_NONE && pixels / 8 * shape.bits * shape.samples > file_bytes) {
      return refused(
          fmt::format("it is cut off: {}x{} pixels do not fit its {} bytes", shape.width, shape.height, file_bytes));
    }
    if (TIFFIsTiled(tiff.get()) != 0 && TIFFTileSize64(tiff.get()) - 1 >= most_tile_bytes) {
      return refused(fmt::format("its tiles of {} bytes are larger than the limit of {} bytes for a tile",
                                 TIFFTileSize64(tiff.get()), most_tile_bytes));
    }
    return {};
  }

  Result<Image> decode_samples(const TiffShape& shape, const TiffPlan& plan) {
    TiffPixels pixels(shape, plan);
    const bool read = TIFFIsTiled(tiff.get()) != 0 ? read_tiles(shape, pixels) : read_lines(shape, pixels);
    if (!read) return damaged();
    return std::move(pixels).oriented();
  }

  [[nodiscard]] static std::uint16_t planes_of(const TiffShape& shape) {
    return shape.planar == PLANARCONFIG_SEPARATE ? shape.samples : std::uint16_t{1};
  }

  bool read_lines(const TiffShape& shape, TiffPixels& pixels) {
    std::vector<std::byte> line(static_cast<std::size_t>(std::max<tmsize_t>(0, TIFFScanlineSize(tiff.get()))));
    if (line.size() < pixels.line_bytes(shape.width)) return false;
    for (std::uint16_t plane = 0; plane < planes_of(shape) && pixels.wants(plane); ++plane) {
      for (std::uint32_t y = 0; y < shape.height; ++y) {
        if (TIFFReadScanline(tiff.get(), line.data(), y, plane) < 0) return false;
        pixels.put(plane, 0, y, shape.width, line.data());
      }
    }
    return true;
  }

  bool read_tiles(const TiffShape& shape, TiffPixels& pixels) {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    TIFFGetField(tiff.get(), TIFFTAG_TILEWIDTH, &width);
    TIFFGetField(tiff.get(), TIFFTAG_TILELENGTH, &height);
    const auto row_bytes = static_cast<std::size_t>(std::max<tmsize_t>(0, TIFFTileRowSize(tiff.get())));
    std::vector<std::byte> tile(static_cast<std::size_t>(std::max<tmsize_t>(0, TIFFTileSize(tiff.get()))));
    if (width == 0 || height == 0 || row_bytes < pixels.line_bytes(width) || tile.size() < row_bytes * height) {
      return false;
    }
    for (std::uint16_t plane = 0; plane < planes_of(shape) && pixels.wants(plane); ++plane) {
      for (std::uint64_t top = 0; top < shape.height; top += height) {
        for (std::uint64_t left = 0; left < shape.width; left += width) {
          const auto x = static_cast<std::uint32_t>(left);
          const auto y = static_cast<std::uint32_t>(top);
          if (TIFFReadTile(tiff.get(), tile.data(), x, y, 0, plane) < 0) return false;
          for (std::uint32_t row = 0; row < std::min(height, shape.height - y); ++row) {
            pixels.put(plane, x, y + row, std::min(width, shape.width - x), tile.data() + row * row_bytes);
          }
        }
      }
    }
    return true;
  }

  // Colour spaces that libtiff converts, of 8 bits a sample: 8 bit RGB.
  Result<Image> convert(const TiffShape& shape) {
    std::array<char, 1024> why{};
    if (TIFFRGBAImageOK(tiff.get(), why.data()) == 0) return refused(why.data());
    if (std::uint64_t{shape.width} * shape.height > most_image_bytes / sizeof(std::uint32_t)) {
      return refused(fmt::format("{}x{} pixels are more than the limit of {} bytes for an image that is converted",
                                 shape.width, shape.height, most_image_bytes));
    }
    Image image{image_layout(static_cast<std::int32_t>(shape.width), static_cast<std::int32_t>(shape.height), 3, 8),
                {}};
    std::vector<std::uint32_t> raster(std::size_t{shape.width} * shape.height);
    if (TIFFReadRGBAImageOriented(tiff.get(), shape.width, shape.height, raster.data(), ORIENTATION_TOPLEFT, 1) == 0) {
      return damaged();
    }
    image.pixels.reserve(raster.size() * 3);
    for (const std::uint32_t pixel : raster) {
      for (const std::uint32_t value : {TIFFGetR(pixel), TIFFGetG(pixel), TIFFGetB(pixel)}) {
        image.pixels.push_back(static_cast<std::byte>(value));
      }
    }
    return image;
  }
};

TiffReader::TiffReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TiffReader::TiffReader(TiffReader&&) noexcept = default;
TiffReader& TiffReader::operator=(TiffReader&&) noexcept = default;
TiffReader::~TiffReader() = default;

Result<TiffReader> TiffReader::open(UniqueFd fd, const std::string& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, "cannot read the TIFF file {}", path);
  impl->file_bytes = static_cast<std::uint64_t>(info.st_size);
  const auto options = options_with(impl->text);
  // m: not mapped, so that a file that is cut off meanwhile is an error and no SIGBUS.
  if (options) impl->tiff.reset(TIFFFdOpenExt(fd.get(), path.c_str(), "rm", options.get()));
  if (!impl->tiff) return impl->damaged();
  static_cast<void>(fd.release());  // libtiff closes it
  return TiffReader(std::move(impl));
}

Result<std::optional<Image>> TiffReader::next() { return impl_->next(); }

namespace {

// libtiff's file operations on an OutputFile.
OutputFile& file_of(thandle_t handle) { return *static_cast<OutputFile*>(handle); }
tmsize_t read_back(thandle_t handle, void* to, tmsize_t length) {
  return ::read(file_of(handle).fd(), to, static_cast<std::size_t>(length));
}
tmsize_t write_out(thandle_t handle, void* from, tmsize_t length) {
  const std::span bytes(static_cast<const std::byte*>(from), static_cast<std::size_t>(length));
  return file_of(handle).write(bytes) ? length : -1;
}
toff_t seek_to(thandle_t handle, toff_t offset, int whence) {
  return static_cast<toff_t>(::lseek(file_of(handle).fd(), static_cast<off_t>(offset), whence));
}
toff_t size_of(thandle_t handle) {
  struct stat info {};
  return ::fstat(file_of(handle).fd(), &info) == 0 ? static_cast<toff_t>(info.st_size) : 0;
}
int stay_open(thandle_t) { return 0; }

bool write_pixels(TIFF* tiff, const Image& image) {
  const TensorLayout& layout = image.layout;
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, layout.dims[1]);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, layout.dims[0]);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, static_cast<int>(bits_of(layout.dtype)));
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, layout.ndims == 3 ? 3 : 1);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, layout.ndims == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
  const auto height = static_cast<std::uint32_t>(layout.dims[0]);
  std::vector<std::byte> line(height == 0 ? 0 : image.pixels.size() / height);  // libtiff may change what it is given
  for (std::uint32_t y = 0; y < height; ++y) {
    std::memcpy(line.data(), image.pixels.data() + y * line.size(), line.size());
    if (TIFFWriteScanline(tiff, line.data(), y, 0) < 0) return false;
  }
  return TIFFFlush(tiff) != 0;
}

}  // namespace

Status save_tiff(const std::string& path, const Image& image) {
  const TensorLayout& layout = image.layout;
  const bool plain = layout.dtype == Dtype::uint8 || layout.dtype == Dtype::uint16;
  if (!plain || !(layout.ndims == 2 || (layout.ndims == 3 && layout.dims[2] == 3))) {
    return make_error(ErrorCode::unsupported, "a TIFF file is written for 8 or 16 bit grey or RGB, not {}",
                      layout.describe());
  }
  auto file = OutputFile::create(path);
  if (!file) return file.error();
  TiffText text;
  const auto options = options_with(text);
  Tiff tiff(options ? TIFFClientOpenExt(path.c_str(), "w", &*file, read_back, write_out, seek_to, stay_open, size_of,
                                        nullptr, nullptr, options.get())
                    : nullptr);
  if (!tiff || !write_pixels(tiff.get(), image)) {
    const Error error = file->error(text.message);
    return error;
  }
  tiff.reset();
  return file->commit();
}

}  // namespace tensorpool::apps
