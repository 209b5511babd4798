#include "tensorpool/media_driver.hpp"

#include <optional>
#include <utility>

#include "base/origin.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool {

struct MediaDriver::Impl {
  std::string aeron_dir;
  std::optional<transport::EmbeddedMediaDriver> embedded;
  const Origin origin{};
};

MediaDriver::MediaDriver(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
MediaDriver::MediaDriver(MediaDriver&&) noexcept = default;
MediaDriver& MediaDriver::operator=(MediaDriver&& other) noexcept {
  replace(impl_, std::move(other.impl_));
  return *this;
}
MediaDriver::~MediaDriver() { leave_to_its_process(impl_); }

Result<MediaDriver> MediaDriver::start(const MediaDriverOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->aeron_dir = options.aeron_dir.empty() ? transport::default_aeron_dir() : options.aeron_dir;
  const auto lives = [&] {
    return options.use_living &&
           transport::probe_media_driver(impl->aeron_dir).state == transport::MediaDriverState::alive;
  };
  if (lives()) return MediaDriver(std::move(impl));
  transport::MediaDriverOptions wanted;
  wanted.aeron_dir = impl->aeron_dir;
  wanted.group_access = options.group_access;
  wanted.wait_for_predecessor_ns = options.patience_ns;
  wanted.on_error = options.on_error;
  auto started = transport::EmbeddedMediaDriver::start(wanted);
  if (started) {
    impl->embedded.emplace(*std::move(started));
  } else if (started.error().code != ErrorCode::already_exists || !lives()) {  // else somebody was faster
    return started.error();
  }
  return MediaDriver(std::move(impl));
}

const std::string& MediaDriver::aeron_dir() const noexcept { return impl_->aeron_dir; }
bool MediaDriver::own() const noexcept { return impl_->embedded.has_value(); }

}  // namespace tensorpool
