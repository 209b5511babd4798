#include "transport/publication.hpp"

#include "transport/loopback/resources.hpp"

namespace tensorpool::transport {
namespace {

OfferResult offer_with_one_retry(Publication::Impl& impl, std::span<const std::byte> message) {
  const OfferResult result = impl.core->bus->offer(impl.log, message);
  if (result != OfferResult::admin_action) return result;
  ++impl.admin_retries;
  return impl.core->bus->offer(impl.log, message);
}

}  // namespace

Publication::Publication() noexcept = default;
Publication::Publication(Publication&&) noexcept = default;
Publication& Publication::operator=(Publication&&) noexcept = default;
Publication::~Publication() = default;
Publication::Publication(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

OfferResult Publication::offer(std::span<const std::byte> message) noexcept {
  if (is_closed()) return OfferResult::closed;
  if (message.size() > impl_->log->max_message) return OfferResult::too_long;
  return offer_with_one_retry(*impl_, message);
}

// Asks first, so that `fill` runs only for a claim that succeeds; the message itself is offered by commit().
Publication::Claimed Publication::claim(std::size_t length) noexcept {
  if (is_closed()) return {OfferResult::closed, nullptr};
  if (length > impl_->log->max_payload) return {OfferResult::too_long, nullptr};
  OfferResult result = impl_->core->bus->ask(*impl_->log);
  if (result == OfferResult::admin_action) {
    ++impl_->admin_retries;
    result = impl_->core->bus->ask(*impl_->log);
  }
  if (result != OfferResult::ok) return {result, nullptr};
  impl_->claimed.assign(length, std::byte{0});
  return {OfferResult::ok, impl_->claimed.data()};
}

void Publication::commit() noexcept { impl_->core->bus->put(impl_->log, impl_->claimed); }

std::size_t Publication::max_payload_length() const noexcept { return impl_ == nullptr ? 0 : impl_->log->max_payload; }
std::size_t Publication::max_message_length() const noexcept { return impl_ == nullptr ? 0 : impl_->log->max_message; }
bool Publication::is_connected() const noexcept { return !is_closed() && impl_->core->bus->is_connected(*impl_->log); }
bool Publication::is_closed() const noexcept { return impl_ == nullptr || impl_->core->is_closed(); }
std::int64_t Publication::position() const noexcept {
  return impl_ == nullptr ? 0 : impl_->core->bus->position(*impl_->log);
}
std::int32_t Publication::session_id() const noexcept { return impl_ == nullptr ? 0 : impl_->log->session_id; }
std::int32_t Publication::stream_id() const noexcept { return impl_ == nullptr ? 0 : impl_->log->stream_id; }
std::uint64_t Publication::admin_retries() const noexcept { return impl_ == nullptr ? 0 : impl_->admin_retries; }

}  // namespace tensorpool::transport
