// `tp publish pattern`: frames whose every byte follows from their sequence number.
#pragma once

#include "apps/flow/pattern.hpp"
#include "apps/flow/publish_session.hpp"

namespace tensorpool::apps {

struct PatternOptions {
  PublishOptions publish;
  TensorLayout layout = TensorLayout::row_major(Dtype::uint16, {1080, 1920});
  Pattern pattern = Pattern::words;
  std::uint32_t bands = 1;  // more: the frame is filled in steps over half of its period, and its progress is told
};

// Runs until `count` frames are out or `stop` is set.
[[nodiscard]] Status publish_pattern(const PatternOptions& options, const std::atomic<bool>& stop);

}  // namespace tensorpool::apps
