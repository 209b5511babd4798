// Frames as files.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "tensorpool/frame.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps {

// Writes <directory>/<stream>-<epoch>-<seq>.png for 8 and 16 bit grey and RGB images, else .bin with the bytes alone.
// `content` is a validated copy of the frame. The directory must exist.
[[nodiscard]] Status save_frame(const std::string& directory, const Frame& frame, std::span<const std::byte> content);

}  // namespace tensorpool::apps
