// `tp publish camera`: a GigE Vision camera whose buffers are our claimed payload slots, so that its packets are put
// together straight in shared memory.
#pragma once

#include "apps/flow/publish_session.hpp"
#include "apps/gige/gige_camera.hpp"

namespace tensorpool::apps {

struct CameraPublishOptions {
  PublishOptions publish;  // its rate is not used: the camera has its own
  CameraOptions camera;
  Nanos no_frames_timeout_ns = 5 * nanos_per_second;  // a warning after so long without a frame; 0 = never
  LogSink log;                                        // for that
  std::size_t in_flight = 8;  // buffers queued at the camera, at most; fewer if the ring is small
};

// Runs until `count` frames are out or `stop` is set.
[[nodiscard]] Status publish_camera(const CameraPublishOptions& options, const std::atomic<bool>& stop);

}  // namespace tensorpool::apps
