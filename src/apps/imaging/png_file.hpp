// PNG through libpng.
#pragma once

#include "apps/imaging/image.hpp"

namespace tensorpool::apps {

[[nodiscard]] Result<Image> load_png(const std::string& path);
[[nodiscard]] Status save_png(const std::string& path, const Image& image);

}  // namespace tensorpool::apps
