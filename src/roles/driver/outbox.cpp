#include "roles/driver/outbox.hpp"

#include <utility>

namespace tensorpool::driver {

void Outbox::close() {
  given_up_ += queue_.size();
  queue_.clear();
  publication_ = {};
}

Outbox::Posted Outbox::post_bytes(std::vector<std::byte> bytes, Nanos now) {
  const Offered offered = queue_.empty() ? offer(bytes) : Offered::retry;  // never overtakes what waits
  switch (offered) {
    case Offered::gone:
      return Posted::sent;
    case Offered::drop:
      return Posted::no_listener;
    case Offered::too_long:
      ++given_up_;
      return Posted::too_long;
    case Offered::dead:
      ++given_up_;
      return Posted::failed;
    case Offered::retry:
      break;
  }
  if (queue_.size() >= limit_) {
    ++given_up_;
    return Posted::failed;
  }
  queue_.push_back({std::move(bytes), now + patience_ns_});
  return Posted::queued;
}

int Outbox::flush(Nanos now) {
  int sent = 0;
  while (!queue_.empty()) {
    const Offered offered = offer(queue_.front().bytes);
    if (offered == Offered::retry && now < queue_.front().deadline) {
      break;
    }
    queue_.pop_front();
    if (offered == Offered::gone) {
      ++sent;
    } else if (offered != Offered::drop) {
      ++given_up_;
    }
  }
  return sent;
}

Outbox::Offered Outbox::offer(const std::vector<std::byte>& bytes) {
  switch (publication_.offer(bytes)) {
    case transport::OfferResult::ok:
      return Offered::gone;
    case transport::OfferResult::back_pressured:
    case transport::OfferResult::admin_action:
      return Offered::retry;
    case transport::OfferResult::not_connected:
      return without_listener_ == WithoutListener::keep ? Offered::retry : Offered::drop;
    case transport::OfferResult::too_long:
      return Offered::too_long;
    case transport::OfferResult::closed:
    case transport::OfferResult::error:
      break;
  }
  return Offered::dead;
}

}  // namespace tensorpool::driver
