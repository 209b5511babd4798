#include "transport/publication.hpp"

#include "transport/resources.hpp"

namespace tensorpool::transport {
namespace {

OfferResult result_of(std::int64_t position) noexcept {
  if (position >= 0) return OfferResult::ok;
  switch (position) {
    case AERON_PUBLICATION_BACK_PRESSURED:
      return OfferResult::back_pressured;
    case AERON_PUBLICATION_ADMIN_ACTION:
      return OfferResult::admin_action;
    case AERON_PUBLICATION_NOT_CONNECTED:
      return OfferResult::not_connected;
    case AERON_PUBLICATION_CLOSED:
      return OfferResult::closed;
    default:
      return OfferResult::error;
  }
}

// Once per term Aeron pads out the log and sends nothing; the same call right after it goes through.
template <class Attempt>
OfferResult after_refusal(std::int64_t position, Publication::Impl& impl, Attempt&& attempt) noexcept {
  if (position == AERON_PUBLICATION_ADMIN_ACTION) {
    ++impl.admin_retries;
    position = attempt();
  }
  return result_of(position);
}

std::int64_t offer_once(Publication::Impl& impl, const std::uint8_t* bytes, std::size_t length) noexcept {
  return aeron_exclusive_publication_offer(impl.publication, bytes, length, nullptr, nullptr);
}

std::int64_t claim_once(Publication::Impl& impl, std::size_t length) noexcept {
  return aeron_exclusive_publication_try_claim(impl.publication, length, &impl.buffer_claim);
}

[[gnu::noinline]] OfferResult after_refused_claim(std::int64_t position, Publication::Impl& impl,
                                                  std::size_t length) noexcept {
  return after_refusal(position, impl, [&] { return claim_once(impl, length); });
}

}  // namespace

Publication::Publication() noexcept = default;
Publication::Publication(Publication&&) noexcept = default;
Publication& Publication::operator=(Publication&&) noexcept = default;
Publication::~Publication() = default;
Publication::Publication(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

OfferResult Publication::offer(std::span<const std::byte> message) noexcept {
  if (is_closed()) return OfferResult::closed;
  if (message.size() > impl_->max_message_length) return OfferResult::too_long;
  static constexpr std::byte nothing{};  // Aeron refuses a null pointer even for no bytes
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(message.empty() ? &nothing : message.data());
  const std::int64_t position = offer_once(*impl_, bytes, message.size());
  return after_refusal(position, *impl_, [&] { return offer_once(*impl_, bytes, message.size()); });
}

Publication::Claimed Publication::claim(std::size_t length) noexcept {
  // Aeron says itself whether it closed the publication, but a publication of a connection that is gone must not be
  // asked.
  Impl* const impl = impl_.get();
  if (impl == nullptr || impl->core->closed.load(std::memory_order_acquire)) [[unlikely]]
    return {OfferResult::closed, nullptr};
  if (length > impl->max_payload_length) [[unlikely]]
    return {OfferResult::too_long, nullptr};
  const std::int64_t position = claim_once(*impl, length);
  OfferResult result = OfferResult::ok;
  if (position < 0) [[unlikely]]
    result = after_refused_claim(position, *impl, length);
  return {result, reinterpret_cast<std::byte*>(impl->buffer_claim.data)};
}

void Publication::commit() noexcept { (void)aeron_buffer_claim_commit(&impl_->buffer_claim); }

std::size_t Publication::max_payload_length() const noexcept {
  return impl_ == nullptr ? 0 : impl_->max_payload_length;
}
std::size_t Publication::max_message_length() const noexcept {
  return impl_ == nullptr ? 0 : impl_->max_message_length;
}

bool Publication::is_connected() const noexcept {
  return !is_closed() && aeron_exclusive_publication_is_connected(impl_->publication);
}

bool Publication::is_closed() const noexcept {
  return impl_ == nullptr || impl_->core->closed.load(std::memory_order_acquire) ||
         aeron_exclusive_publication_is_closed(impl_->publication);
}

std::int64_t Publication::position() const noexcept {
  return impl_ == nullptr ? 0 : aeron_exclusive_publication_position(impl_->publication);
}

std::int32_t Publication::session_id() const noexcept { return impl_ == nullptr ? 0 : impl_->session_id; }
std::int32_t Publication::stream_id() const noexcept { return impl_ == nullptr ? 0 : impl_->stream_id; }
std::uint64_t Publication::admin_retries() const noexcept { return impl_ == nullptr ? 0 : impl_->admin_retries; }

}  // namespace tensorpool::transport
