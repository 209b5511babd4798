// PNG through libpng.
#pragma once

#include "apps/imaging/image.hpp"

namespace tensorpool::apps {

// `path` is for messages.
[[nodiscard]] Result<Image> load_png(UniqueFd fd, const std::string& path);
[[nodiscard]] Status save_png(const std::string& path, const Image& image);

}  // namespace tensorpool::apps
