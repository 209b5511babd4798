#include "transport/subscription.hpp"

#include "transport/resources.hpp"

namespace tensorpool::transport {
namespace {

// Aeron's frame header and alignment, as its wire protocol fixes them.
constexpr std::int64_t header_bytes = 32;
constexpr std::int64_t alignment = 32;
constexpr std::uint8_t begin_flag = 0x80;
constexpr std::uint8_t end_flag = 0x40;

struct Target {
  void (*handler)(void* context, const std::byte* data, std::size_t length);
  void* context;
  Subscription::Impl* impl;
};

void pass_on(void* target, const std::uint8_t* data, std::size_t length, aeron_header_t* header) {
  const auto* const to = static_cast<const Target*>(target);
  to->impl->fragment_header = header;
  to->handler(to->context, reinterpret_cast<const std::byte*>(data), length);
}

void assemble(void* target, const std::uint8_t* data, std::size_t length, aeron_header_t* header) {
  const auto* const to = static_cast<const Target*>(target);
  aeron_header_values_t values{};
  if (aeron_header_values(header, &values) < 0) return;
  const std::int64_t end = aeron_header_position(header);
  const std::int64_t frame = (static_cast<std::int64_t>(length) + header_bytes + alignment - 1) / alignment * alignment;
  const auto message = to->impl->assembly.add({.session_id = values.frame.session_id,
                                               .begin_position = end - frame,
                                               .end_position = end,
                                               .begins = (values.frame.flags & begin_flag) != 0,
                                               .ends = (values.frame.flags & end_flag) != 0,
                                               .bytes = {reinterpret_cast<const std::byte*>(data), length}});
  if (!message) return;
  to->impl->fragment_header = header;
  to->handler(to->context, message->data(), message->size());
}

int poll_with(Subscription::Impl& impl, aeron_fragment_handler_t handler, Target target, int limit) noexcept {
  const int fragments = aeron_subscription_poll(impl.subscription, handler, &target, static_cast<std::size_t>(limit));
  return fragments < 0 ? 0 : fragments;
}

}  // namespace

Subscription::Subscription() noexcept = default;
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&&) noexcept = default;
Subscription::~Subscription() = default;
Subscription::Subscription(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

int Subscription::poll_erased(Handler handler, void* context, int limit) noexcept {
  Impl* const impl = impl_.get();
  if (impl == nullptr || limit <= 0 || impl->core->closed.load(std::memory_order_acquire)) return 0;
  return poll_with(*impl, &pass_on, {handler, context, impl}, limit);
}

int Subscription::poll_assembled_erased(Handler handler, void* context, int limit) noexcept {
  if (is_closed() || limit <= 0) return 0;
  const int fragments = poll_with(*impl_, &assemble, {handler, context, impl_.get()}, limit);
  impl_->too_long.store(impl_->assembly.too_long(), std::memory_order_relaxed);
  return fragments;
}

bool Subscription::is_closed() const noexcept {
  return impl_ == nullptr || impl_->core->closed.load(std::memory_order_acquire);
}

// From our own counts: Aeron's image_count() takes part in freeing image lists and so is for the polling thread alone.
int Subscription::image_count() const noexcept {
  if (is_closed()) return 0;
  const std::uint64_t lost = impl_->images.lost.count();
  return static_cast<int>(impl_->images.joined.load(std::memory_order_acquire) - lost);
}

bool Subscription::is_connected() const noexcept { return image_count() > 0; }

std::uint64_t Subscription::images_joined() const noexcept {
  return impl_ == nullptr ? 0 : impl_->images.joined.load(std::memory_order_acquire);
}

std::uint64_t Subscription::images_lost() const noexcept { return impl_ == nullptr ? 0 : impl_->images.lost.count(); }

bool Subscription::lost_image_of(std::int32_t session_id, std::uint64_t since) const noexcept {
  return impl_ != nullptr && impl_->images.lost.any_of(session_id, since);
}

std::int32_t Subscription::fragment_session_id() const noexcept {
  aeron_header_values_t values{};
  return aeron_header_values(impl_->fragment_header, &values) < 0 ? 0 : values.frame.session_id;
}

std::int64_t Subscription::fragment_position() const noexcept { return aeron_header_position(impl_->fragment_header); }

std::uint64_t Subscription::messages_too_long() const noexcept {
  return impl_ == nullptr ? 0 : impl_->too_long.load(std::memory_order_relaxed);
}

std::int32_t Subscription::stream_id() const noexcept { return impl_ == nullptr ? 0 : impl_->stream_id; }

}  // namespace tensorpool::transport
