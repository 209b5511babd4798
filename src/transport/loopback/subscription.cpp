#include "transport/subscription.hpp"

#include "transport/loopback/resources.hpp"

namespace tensorpool::transport {

Subscription::Subscription() noexcept = default;
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&&) noexcept = default;
Subscription::~Subscription() = default;
Subscription::Subscription(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

int Subscription::poll_erased(Handler handler, void* context, int limit) noexcept {
  int fragments = 0;
  Fragment fragment;
  loopback::Bytes bytes;
  while (fragments < limit && !is_closed() && impl_->core->bus->take(*impl_->inbox, fragment, bytes)) {
    ++fragments;
    impl_->fragment = fragment;
    handler(context, fragment.bytes.data(), fragment.bytes.size());
  }
  return fragments;
}

int Subscription::poll_assembled_erased(Handler handler, void* context, int limit) noexcept {
  int fragments = 0;
  Fragment fragment;
  loopback::Bytes bytes;
  while (fragments < limit && !is_closed() && impl_->core->bus->take(*impl_->inbox, fragment, bytes)) {
    ++fragments;
    impl_->fragment = fragment;
    if (const auto message = impl_->assembly.add(fragment)) handler(context, message->data(), message->size());
    impl_->too_long.store(impl_->assembly.too_long(), std::memory_order_relaxed);
  }
  return fragments;
}

bool Subscription::is_closed() const noexcept { return impl_ == nullptr || impl_->core->is_closed(); }

int Subscription::image_count() const noexcept {
  return is_closed() ? 0 : static_cast<int>(images_joined() - images_lost());
}

bool Subscription::is_connected() const noexcept { return image_count() > 0; }

std::uint64_t Subscription::images_joined() const noexcept {
  return impl_ == nullptr ? 0 : impl_->inbox->joined.load(std::memory_order_acquire);
}

std::uint64_t Subscription::images_lost() const noexcept { return impl_ == nullptr ? 0 : impl_->inbox->lost.count(); }

bool Subscription::lost_image_of(std::int32_t session_id, std::uint64_t since) const noexcept {
  return impl_ != nullptr && impl_->inbox->lost.any_of(session_id, since);
}

std::int32_t Subscription::fragment_session_id() const noexcept { return impl_->fragment.session_id; }

std::int64_t Subscription::fragment_position() const noexcept { return impl_->fragment.end_position; }

std::uint64_t Subscription::messages_too_long() const noexcept {
  return impl_ == nullptr ? 0 : impl_->too_long.load(std::memory_order_relaxed);
}

std::int32_t Subscription::stream_id() const noexcept { return impl_ == nullptr ? 0 : impl_->inbox->stream_id; }

}  // namespace tensorpool::transport
