// MediaLink: the driver's ends on the media driver: what it hears, and the publications that its outboxes speak
// through.
#pragma once

#include <functional>
#include <optional>

#include "roles/driver/books.hpp"
#include "roles/driver/former_life.hpp"
#include "transport/connection.hpp"
#include "transport/media_driver_claim.hpp"

namespace tensorpool::driver {

using Connect = std::function<Result<transport::Connection>()>;

struct MediaLink {
  // Connects, gives the books' outboxes their publications, and subscribes. On failure the outboxes stay closed.
  [[nodiscard]] static Result<MediaLink> open(const Connect& connect, Books& books);

  // Makes sure that nobody else answers on this control stream, by whatever path he reaches the media driver.
  [[nodiscard]] Status claim_control_stream(std::uint32_t control_stream_id);

  // Members go in reverse: subscriptions before their connection.
  transport::Connection connection;
  FormerLife former_life;  // of the control stream, when this link was made
  transport::Subscription inbox;
  transport::Subscription descriptors;  // untethered and always drained: evicts a lone stalled consumer (aeron.md 1.2)
  std::optional<transport::MediaDriverClaim> control_stream = std::nullopt;
};

// Fails if an attach response or an announce of some profile is longer than its channel carries. REQUIRES: outboxes
// open.
[[nodiscard]] Status check_message_lengths(Books& books);

}  // namespace tensorpool::driver
