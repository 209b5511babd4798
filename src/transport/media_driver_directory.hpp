// Rules for the directory that an embedded media driver is about to delete and make anew. Private to the Aeron
// implementation.
#pragma once

#include <string>

#include "tensorpool/result.hpp"

namespace tensorpool::transport {

// Absolute, without trailing slashes and dots.
[[nodiscard]] Result<std::string> tidy_directory(const std::string& dir);

// Refuses a place where somebody else could put a directory of his own (a parent writable by all, without the sticky
// bit), a link, and a directory that is not ours or holds anything but a media driver's files. A missing one is fine.
[[nodiscard]] Status check_directory(const std::string& dir);

// Sets the mode of a media driver's directory and of its two subdirectories.
[[nodiscard]] Status protect_directory(const std::string& dir, bool group_access);

}  // namespace tensorpool::transport
