#include "apps/imaging/image.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "apps/imaging/png_file.hpp"
#include "apps/imaging/tiff_file.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

bool is_image_name(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".tif" || extension == ".tiff";
}

// A FIFO would wait for its writer, and a directory or device is none.
Result<UniqueFd> open_image(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return errno_error(errno, "cannot open the image {}", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, "cannot open the image {}", path);
  if (!S_ISREG(info.st_mode)) return make_error(ErrorCode::unsupported, "{} is no regular file", path);
  return fd;
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// The number at the front of `text`, without leading zeros, which is taken off.
std::string_view take_number(std::string_view& text) noexcept {
  const auto end = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return number;
}

}  // namespace

TensorLayout image_layout(std::int32_t width, std::int32_t height, int channels, int bits) noexcept {
  const Dtype dtype = bits == 16 ? Dtype::uint16 : Dtype::uint8;
  if (channels == 1) return TensorLayout::row_major(dtype, {height, width});
  return TensorLayout::row_major(dtype, {height, width, channels});
}

struct ImageReader::Impl {
  std::string path;
  UniqueFd png;  // until it is read
  std::optional<TiffReader> tiff;
};

ImageReader::ImageReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ImageReader::ImageReader(ImageReader&&) noexcept = default;
ImageReader& ImageReader::operator=(ImageReader&&) noexcept = default;
ImageReader::~ImageReader() = default;

Result<ImageReader> ImageReader::open(const std::string& path) {
  auto fd = open_image(path);
  if (!fd) return fd.error();
  std::array<char, 4> magic{};
  if (::pread(fd->get(), magic.data(), magic.size(), 0) < 0)
    return errno_error(errno, "cannot read the image {}", path);
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  constexpr std::array<char, 4> png{'\x89', 'P', 'N', 'G'};
  // Little and big endian, and the same of BigTIFF.
  constexpr std::array<std::array<char, 4>, 4> tiffs{
      {{'I', 'I', '*', 0}, {'M', 'M', 0, '*'}, {'I', 'I', '+', 0}, {'M', 'M', 0, '+'}}};
  if (magic == png) {
    impl->png = std::move(*fd);
    return ImageReader(std::move(impl));
  }
  if (std::find(tiffs.begin(), tiffs.end(), magic) == tiffs.end()) {
    return make_error(ErrorCode::unsupported, "{} is neither PNG nor TIFF by its first bytes", path);
  }
  auto tiff = TiffReader::open(std::move(*fd), path);
  if (!tiff) return tiff.error();
  impl->tiff = std::move(*tiff);
  return ImageReader(std::move(impl));
}

Result<std::optional<Image>> ImageReader::next() {
  if (impl_->tiff) return impl_->tiff->next();
  if (!impl_->png) return std::optional<Image>();
  auto image = load_png(std::exchange(impl_->png, UniqueFd()), impl_->path);
  if (!image) return image.error();
  return std::optional<Image>(std::move(*image));
}

Result<Image> load_image(const std::string& path) {
  auto reader = ImageReader::open(path);
  if (!reader) return reader.error();
  auto image = reader->next();
  if (!image) return image.error();
  if (!*image) return make_error(ErrorCode::unsupported, "{} holds no image", path);
  return std::move(**image);
}

Result<ImageList> list_images(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  ImageList list;
  std::vector<std::string> others;
  for (fs::directory_iterator entry(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string path = entry->path().string();
    if (!is_image_name(entry->path())) {
      others.push_back(path);
    } else if (entry->path().filename().string().starts_with('.')) {
      list.skipped.push_back(path + " is hidden");
    } else if (const auto fd = open_image(path); !fd) {
      list.skipped.push_back(fd.error().message);
    } else {
      list.paths.push_back(path);
    }
  }
  if (error)
    return make_error(ErrorCode::not_found, "cannot read the image directory {}: {}", directory, error.message());
  if (!others.empty()) {
    const std::string first = *std::min_element(others.begin(), others.end(), is_before);
    list.skipped.push_back(
        others.size() == 1 ? fmt::format("{} is no .png, .tif or .tiff file", first)
                           : fmt::format("{} and {} more are no .png, .tif or .tiff files", first, others.size() - 1));
  }
  std::sort(list.paths.begin(), list.paths.end(), is_before);
  std::sort(list.skipped.begin(), list.skipped.end(), is_before);
  return list;
}

bool is_before(std::string_view a, std::string_view b) noexcept {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view left = take_number(a);
      const std::string_view right = take_number(b);
      if (left.size() != right.size()) return left.size() < right.size();
      if (left != right) return left < right;
    } else if (a.front() != b.front()) {
      return static_cast<unsigned char>(a.front()) < static_cast<unsigned char>(b.front());
    } else {
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  if (a.empty() != b.empty()) return a.empty();
  return whole_a < whole_b;  // 1 and 01
}

}  // namespace tensorpool::apps
