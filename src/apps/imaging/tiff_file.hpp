// TIFF through libtiff.
#pragma once

#include "apps/imaging/image.hpp"

namespace tensorpool::apps {

// The first directory of the file.
[[nodiscard]] Result<Image> load_tiff(const std::string& path);
[[nodiscard]] Status save_tiff(const std::string& path, const Image& image);

}  // namespace tensorpool::apps
