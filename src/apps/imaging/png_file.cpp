#include "apps/imaging/png_file.hpp"

#include <png.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "apps/imaging/output_file.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

// libpng reports through longjmp, which must cross no destructor: everything that a failure may jump over is owned by
// the caller of read_rows and write_rows, outside the frame that set the jump.
struct PngText {
  char message[160] = "";
};

[[noreturn]] void on_png_error(png_structp png, png_const_charp text) {
  auto* out = static_cast<PngText*>(png_get_error_ptr(png));
  std::snprintf(out->message, sizeof out->message, "%s", text);
  png_longjmp(png, 1);
}
void on_png_warning(png_structp, png_const_charp) {}

struct Reader {
  PngText text;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &text, on_png_error, on_png_warning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Writer {
  PngText text;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &text, on_png_error, on_png_warning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

// Asks for plain 8 or 16 bit grey or RGB in the machine's byte order, whatever the file has.
void request_plain_pixels(png_structp png, png_infop info) {
  png_set_expand(png);
  png_set_strip_alpha(png);
  if (png_get_bit_depth(png, info) == 16) png_set_swap(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

bool read_header(Reader& reader, std::FILE* file) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_init_io(reader.png, file);
  png_read_info(reader.png, reader.info);
  request_plain_pixels(reader.png, reader.info);
  return true;
}

bool read_rows(Reader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return true;
}

void write_to(png_structp png, png_bytep bytes, png_size_t length) {
  auto* file = static_cast<OutputFile*>(png_get_io_ptr(png));
  if (!file->write({reinterpret_cast<const std::byte*>(bytes), length})) png_error(png, "the file cannot be written");
}
void no_flush(png_structp) {}

bool write_rows(Writer& writer, OutputFile& file, const TensorLayout& layout, png_bytepp rows) {
  if (setjmp(png_jmpbuf(writer.png)) != 0) return false;
  png_set_write_fn(writer.png, &file, write_to, no_flush);
  const int bits = layout.dtype == Dtype::uint16 ? 16 : 8;
  const int colour = layout.ndims == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY;
  png_set_IHDR(writer.png, writer.info, static_cast<png_uint_32>(layout.dims[1]),
               static_cast<png_uint_32>(layout.dims[0]), bits, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(writer.png, writer.info);
  if (bits == 16) png_set_swap(writer.png);
  png_write_image(writer.png, rows);
  png_write_end(writer.png, nullptr);
  return true;
}

std::vector<png_bytep> row_pointers(std::byte* pixels, std::size_t height, std::size_t row_bytes) {
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = reinterpret_cast<png_bytep>(pixels + y * row_bytes);
  return rows;
}

}  // namespace

Result<Image> load_png(UniqueFd fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, "cannot read the PNG file {}", path);
  const File file(::fdopen(fd.get(), "rb"));
  if (!file) return errno_error(errno, "cannot read the PNG file {}", path);
  static_cast<void>(fd.release());  // the stream closes it
  Reader reader;
  if (reader.info == nullptr) return make_error(ErrorCode::no_space, "no memory to read {}", path);
  if (!read_header(reader, file.get())) {
    return make_error(ErrorCode::unsupported, "cannot read the PNG file {}: {}", path, reader.text.message);
  }
  Image image;
  image.layout = image_layout(static_cast<std::int32_t>(png_get_image_width(reader.png, reader.info)),
                              static_cast<std::int32_t>(png_get_image_height(reader.png, reader.info)),
                              png_get_channels(reader.png, reader.info), png_get_bit_depth(reader.png, reader.info));
  const std::uint64_t bytes = image.layout.extent_bytes();
  if (bytes > most_image_bytes) {
    return make_error(ErrorCode::unsupported,
                      "cannot use the PNG file {}: its {} bytes of pixels are more than the "
                      "limit of {} bytes for an image",
                      path, bytes, most_image_bytes);
  }
  // Palettes and bits become at most 24 times as many bytes, and 1032 is the most that deflate packs.
  if (bytes / 24 / 1032 > static_cast<std::uint64_t>(info.st_size)) {
    return make_error(ErrorCode::unsupported,
                      "cannot read the PNG file {}: it is cut off, {} bytes cannot hold {}x{} "
                      "pixels",
                      path, info.st_size, image.layout.dims[1], image.layout.dims[0]);
  }
  image.pixels.resize(bytes);
  const auto height = static_cast<std::size_t>(image.layout.dims[0]);
  auto rows = row_pointers(image.pixels.data(), height, png_get_rowbytes(reader.png, reader.info));
  if (!read_rows(reader, rows.data())) {
    return make_error(ErrorCode::unsupported, "cannot read the PNG file {}: {}", path, reader.text.message);
  }
  return image;
}

Status save_png(const std::string& path, const Image& image) {
  const bool plain = image.layout.dtype == Dtype::uint8 || image.layout.dtype == Dtype::uint16;
  const bool grey = image.layout.ndims == 2;
  if (!plain || !(grey || (image.layout.ndims == 3 && image.layout.dims[2] == 3))) {
    return make_error(ErrorCode::unsupported, "a PNG file holds 8 or 16 bit grey or RGB, not {}",
                      image.layout.describe());
  }
  auto file = OutputFile::create(path);
  if (!file) return file.error();
  Writer writer;
  if (writer.info == nullptr) return make_error(ErrorCode::no_space, "no memory to write {}", path);
  const auto height = static_cast<std::size_t>(image.layout.dims[0]);
  auto* pixels = const_cast<std::byte*>(image.pixels.data());  // libpng's row pointers lack their const; it only reads
  auto rows = row_pointers(pixels, height, height == 0 ? 0 : image.pixels.size() / height);
  if (!write_rows(writer, *file, image.layout, rows.data())) return file->error(writer.text.message);
  return file->commit();
}

}  // namespace tensorpool::apps
