#include "apps/imaging/image.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>

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

}  // namespace

TensorLayout image_layout(std::int32_t width, std::int32_t height, int channels, int bits) noexcept {
  const Dtype dtype = bits == 16 ? Dtype::uint16 : Dtype::uint8;
  if (channels == 1) return TensorLayout::row_major(dtype, {height, width});
  return TensorLayout::row_major(dtype, {height, width, channels});
}

Result<Image> load_image(const std::string& path) {
  std::array<char, 4> magic{};
  std::ifstream file(path, std::ios::binary);
  if (!file) return make_error(ErrorCode::not_found, "cannot open the image {}", path);
  file.read(magic.data(), magic.size());
  if (std::memcmp(magic.data(), "\x89PNG", 4) == 0) return load_png(path);
  const bool is_tiff = std::memcmp(magic.data(), "II*\0", 4) == 0 || std::memcmp(magic.data(), "MM\0*", 4) == 0 ||
                       std::memcmp(magic.data(), "II+\0", 4) == 0 || std::memcmp(magic.data(), "MM\0+", 4) == 0;
  if (is_tiff) return load_tiff(path);
  return make_error(ErrorCode::unsupported, "{} is neither PNG nor TIFF by its first bytes", path);
}

Result<std::vector<std::string>> list_images(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> paths;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (is_image_name(entry->path())) paths.push_back(entry->path().string());
  }
  if (error)
    return make_error(ErrorCode::not_found, "cannot read the image directory {}: {}", directory, error.message());
  if (paths.empty()) {
    return make_error(ErrorCode::not_found, "{} holds no image; it must hold .png, .tif or .tiff files", directory);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace tensorpool::apps
