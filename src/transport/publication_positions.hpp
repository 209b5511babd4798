// How far each publication of a stream had come at some moment: tells a later subscriber what was sent before it from
// what was sent after.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensorpool/result.hpp"

namespace tensorpool::transport {

struct PublicationPosition {
  std::int32_t session_id = 0;
  std::int64_t position = 0;  // as Subscription::fragment_position counts
};

// Of every publication of the media driver in `aeron_dir` on that stream id, IPC or not. The media driver samples the
// positions in each of its duty cycles, so they may be a few milliseconds old. Error: no media driver, no permission.
[[nodiscard]] Result<std::vector<PublicationPosition>> publication_positions(const std::string& aeron_dir,
                                                                             std::int32_t stream_id);

}  // namespace tensorpool::transport
