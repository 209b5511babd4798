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
OfferResult with_one_retry(Publication::Impl& impl, Attempt&& attempt) noexcept {
  std::int64_t position = attempt();
  if (position == AERON_PUBLICATION_ADMIN_ACTION) {
    ++impl.admin_retries;
    position = attempt();
  }
  return result_of(position);
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
  return with_one_retry(*impl_, [&] {
    return aeron_exclusive_publication_offer(impl_->publication, bytes, message.size(), nullptr, nullptr);
  });
}

OfferResult Publication::claim(std::size_t length, std::byte*& data) noexcept {
  // Aeron says itself whether it closed the publication, but a publication of a connection that is gone must not be
  // asked.
  if (impl_ == nullptr || impl_->core->closed.load(std::memory_order_acquire)) return OfferResult::closed;
  if (length > impl_->max_payload_length) return OfferResult::too_long;
  const OfferResult result = with_one_retry(
      *impl_, [&] { return aeron_exclusive_publication_try_claim(impl_->publication, length, &impl_->buffer_claim); });
  data = reinterpret_cast<std::byte*>(impl_->buffer_claim.data);
  return result;
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
