#include "apps/support/media_driver_host.hpp"

#include <utility>

#include "base/error.hpp"

namespace tensorpool::apps {

using transport::EmbeddedMediaDriver;
using transport::MediaDriverProbe;
using transport::MediaDriverState;

MediaDriverHost::MediaDriverHost(std::string mode, std::string aeron_dir, bool group_access, LogSink sink)
    : mode_(std::move(mode)),
      aeron_dir_(std::move(aeron_dir)),
      group_access_(group_access),
      sink_(sink),
      log_(std::move(sink)) {}

Status MediaDriverHost::ensure(Nanos patience) {
  if (mode_ == "external" || (embedded_ && embedded_->alive())) {
    return {};
  }
  embedded_.reset();
  const MediaDriverProbe probe = transport::probe_media_driver(aeron_dir_);
  if (probe.state == MediaDriverState::alive && mode_ == "embedded") {
    return make_error(
        ErrorCode::already_exists,
        "driver.media_driver is \"embedded\", but another media driver is alive: {}; stop it, or set \"auto\"",
        probe.detail);
  }
  return may_use(probe) ? Status{} : start(patience);
}

bool MediaDriverHost::may_use(const MediaDriverProbe& probe) {
  if (mode_ == "embedded" || probe.state != MediaDriverState::alive) {
    return false;
  }
  log_.info("using the media driver of process {} in {}", probe.pid, aeron_dir_);
  return true;
}

Status MediaDriverHost::start(Nanos patience) {
  transport::MediaDriverOptions options;
  options.aeron_dir = aeron_dir_;
  options.group_access = group_access_;
  options.wait_for_predecessor_ns = patience;
  options.on_error = [sink = sink_](int code, std::string_view message) {
    if (sink) {
      sink(LogLevel::warning, fmt::format("media driver: {} (error {})", escape(message), code));
    }
  };
  Result<EmbeddedMediaDriver> started = EmbeddedMediaDriver::start(options);
  if (started) {
    embedded_.emplace(std::move(*started));
    log_.info("started an embedded media driver in {}", aeron_dir_);
    return {};
  }
  // Somebody else may have been faster.
  if (started.error().code == ErrorCode::already_exists && may_use(transport::probe_media_driver(aeron_dir_))) {
    return {};
  }
  return started.error();
}

}  // namespace tensorpool::apps
