#include "tensorpool/consumer.hpp"

#include <utility>

#include "client/consumer_core.hpp"

namespace tensorpool {

Consumer::Consumer(std::shared_ptr<detail::ConsumerCore> core) noexcept : core_(std::move(core)) {}
Consumer::Consumer(Consumer&&) noexcept = default;

Consumer& Consumer::operator=(Consumer&& other) noexcept {
  if (this == &other) return *this;
  if (core_) core_->close();
  core_ = std::move(other.core_);
  return *this;
}

Consumer::~Consumer() {
  if (core_) core_->close();
}

int Consumer::poll_erased(void (*call)(void*, const Frame&), void* handler, int limit) noexcept {
  return core_->poll(call, handler, limit);
}

int Consumer::poll_progress_erased(void (*call)(void*, const PartialFrame&), void* handler, int limit) noexcept {
  return core_->poll_progress(call, handler, limit);
}

bool Consumer::wait(Nanos timeout_ns) noexcept { return core_->wait(timeout_ns); }

bool Consumer::attached() const noexcept { return core_->attached(); }
std::uint32_t Consumer::stream_id() const noexcept { return core_->stream_id(); }
std::uint32_t Consumer::client_id() const noexcept { return core_->client_id(); }
ConsumerStats Consumer::stats() const noexcept { return core_->stats(); }
ConsumerTerms Consumer::terms() const { return core_->terms(); }

}  // namespace tensorpool
