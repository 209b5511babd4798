// FormerLife: tells the control messages that were sent before this driver began from those sent to it. Aeron lets a
// new IPC subscriber join at the lowest position of all, that of a killed predecessor included, so requests come again
// that were answered before, some from clients that are gone. Clients of other makes ask once, so what is new is
// answered from the first moment.
//
// A publication that was there at the start is told apart by its position then. One that was not there is new, as far
// as the media driver of this host knows all publications: on IPC. What can be told by neither is old for 150 ms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "tensorpool/time.hpp"
#include "transport/subscription.hpp"

namespace tensorpool::driver {

class FormerLife {
 public:
  // REQUIRES: called before the inbox is subscribed, when no other driver serves the stream any more.
  FormerLife(const std::string& aeron_dir, const std::string& channel, std::int32_t stream_id);

  // Whether the message in hand was sent before. REQUIRES: called by a handler that a poll of `inbox` runs.
  [[nodiscard]] bool has_sent(const transport::Subscription& inbox, Nanos since_start) const;

 private:
  bool knows_all_ = false;
  std::unordered_map<std::int32_t, std::int64_t> positions_;  // by session
};

}  // namespace tensorpool::driver
