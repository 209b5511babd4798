#include "transport/media_driver.hpp"

#include <unistd.h>

#include "base/error.hpp"
#include "transport/loopback/bus.hpp"

namespace tensorpool::transport {

std::string default_aeron_dir() { return "loopback"; }

MediaDriverProbe probe_media_driver(const std::string& aeron_dir) {
  if (loopback::Bus::of(aeron_dir)->alive()) {
    return {
        .state = MediaDriverState::alive, .pid = ::getpid(), .detail = fmt::format("the twin serves {}", aeron_dir)};
  }
  return {.detail = fmt::format(
              "there is no media driver in {}: no such directory; start one there, or correct aeron_dir", aeron_dir)};
}

struct EmbeddedMediaDriver::Impl {
  Impl(std::string name, std::shared_ptr<loopback::Bus> started) : dir(std::move(name)), bus(std::move(started)) {
    generation = bus->generation();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (bus->generation() == generation) bus->kill();
  }

  std::string dir;
  std::shared_ptr<loopback::Bus> bus;
  std::uint64_t generation = 0;
};

Result<EmbeddedMediaDriver> EmbeddedMediaDriver::start(const MediaDriverOptions& options) {
  const std::string dir = options.aeron_dir.empty() ? default_aeron_dir() : options.aeron_dir;
  std::shared_ptr<loopback::Bus> bus = loopback::Bus::of(dir);
  if (!bus->start()) {
    return make_error(ErrorCode::already_exists, "cannot start a media driver in {}: process {} serves it", dir,
                      ::getpid());
  }
  return EmbeddedMediaDriver(std::make_unique<Impl>(dir, std::move(bus)));
}

EmbeddedMediaDriver::EmbeddedMediaDriver(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
EmbeddedMediaDriver::EmbeddedMediaDriver(EmbeddedMediaDriver&&) noexcept = default;
EmbeddedMediaDriver& EmbeddedMediaDriver::operator=(EmbeddedMediaDriver&&) noexcept = default;
EmbeddedMediaDriver::~EmbeddedMediaDriver() = default;

bool EmbeddedMediaDriver::alive() const noexcept {
  return impl_ != nullptr && impl_->bus->generation() == impl_->generation;
}

const std::string& EmbeddedMediaDriver::dir() const noexcept {
  static const std::string none;
  return impl_ == nullptr ? none : impl_->dir;
}

std::uint64_t EmbeddedMediaDriver::errors() const noexcept { return 0; }

}  // namespace tensorpool::transport
