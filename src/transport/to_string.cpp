#include <fmt/format.h>

#include "transport/counters.hpp"
#include "transport/media_driver.hpp"
#include "transport/publication.hpp"

namespace tensorpool::transport {

std::string counter_label_prefix(std::int32_t control_stream_id) {
  return fmt::format("tensorpool {}, ", control_stream_id);
}

std::string_view to_string(OfferResult result) noexcept {
  switch (result) {
    case OfferResult::ok:
      return "ok";
    case OfferResult::back_pressured:
      return "back-pressured";
    case OfferResult::admin_action:
      return "admin action";
    case OfferResult::not_connected:
      return "not connected";
    case OfferResult::closed:
      return "closed";
    case OfferResult::too_long:
      return "too long";
    case OfferResult::error:
      return "error";
  }
  return "?";
}

std::string_view to_string(MediaDriverState state) noexcept {
  switch (state) {
    case MediaDriverState::absent:
      return "absent";
    case MediaDriverState::alive:
      return "alive";
    case MediaDriverState::silent:
      return "silent";
    case MediaDriverState::stale:
      return "stale";
    case MediaDriverState::maybe_dead:
      return "maybe dead";
    case MediaDriverState::unexamined:
      return "unexamined";
    case MediaDriverState::no_permission:
      return "no permission";
  }
  return "?";
}

}  // namespace tensorpool::transport
