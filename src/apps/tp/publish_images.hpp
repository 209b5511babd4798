// `tp publish images DIR`: the image files of a directory, over and over.
#pragma once

#include "apps/flow/publish_session.hpp"

namespace tensorpool::apps {

struct ImagesOptions {
  PublishOptions publish;
  std::string directory;
  bool loop = true;  // false: each image once
};

// Reads one image ahead; those of a directory that fits 256 MiB once only. Files that cannot be read are named on
// standard error and skipped; without any image it is an error. Runs until `count` frames are out or `stop` is
// set.
[[nodiscard]] Status publish_images(const ImagesOptions& options, const std::atomic<bool>& stop);

}  // namespace tensorpool::apps
