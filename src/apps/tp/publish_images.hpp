// `tp publish images DIR`: the image files of a directory, over and over.
#pragma once

#include "apps/flow/publish_session.hpp"

namespace tensorpool::apps {

struct ImagesOptions {
  PublishOptions publish;
  std::string directory;
  bool loop = true;  // false: each image once
};

// Reads all images first, so that no disk stands in the way of a frame. Runs until `count` frames are out or `stop` is
// set.
[[nodiscard]] Status publish_images(const ImagesOptions& options, const std::atomic<bool>& stop);

}  // namespace tensorpool::apps
