// A stage between two streams: reads each frame where it lies, writes its result straight into a claimed slot of the
// other stream, and passes the capture time on, so that latency downstream is from the camera.
#pragma once

#include <atomic>
#include <string>

#include "apps/demo/pixel_work.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::apps {

struct ProcessorOptions {
  ClientOptions client;
  WorkKind kind = WorkKind::bin2;
  std::uint32_t in_stream_id = 0;
  std::uint32_t out_stream_id = 0;
  bool json = false;
  bool hold = false;       // after the last frame, stay attached until standard input ends
  std::string in_crc_log;  // empty = none
  std::string out_crc_log;
};

// Runs until `stop` is set, then takes what already waits, and ends.
[[nodiscard]] Status run_processor(const ProcessorOptions& options, const std::atomic<bool>& stop);

}  // namespace tensorpool::apps
