// MediaLink: the driver's ends on the media driver: what it hears, and the publications that its outboxes speak
// through.
#pragma once

#include <functional>

#include "roles/driver/books.hpp"
#include "transport/connection.hpp"

namespace tensorpool::driver {

using Connect = std::function<Result<transport::Connection>()>;

struct MediaLink {
  // Connects, gives the books' outboxes their publications, and subscribes. On failure the outboxes stay closed.
  [[nodiscard]] static Result<MediaLink> open(const Connect& connect, Books& books);

  // Members go in reverse: subscriptions before their connection.
  transport::Connection connection;
  transport::Subscription inbox;
  transport::Subscription descriptors;  // untethered and always drained: evicts a lone stalled consumer (aeron.md 1.2)
};

// Fails if an attach response or an announce of some profile is longer than its channel carries. REQUIRES: outboxes
// open.
[[nodiscard]] Status check_message_lengths(Books& books);

}  // namespace tensorpool::driver
