// Asks the media driver for counters, one after the other and without ever waiting. What is asked for is written to at
// once: an empty counter swallows it until the real one has come. Whoever lets go of a counter takes its request back.
// A counter that cannot be had stays empty. The thread of the connection.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "transport/connection.hpp"

namespace tensorpool::transport {

class CounterRequests {
 public:
  // REQUIRES: type_id >= first_own_counter_type.
  [[nodiscard]] std::shared_ptr<Counter> want(std::int32_t type_id, std::string label);
  // Each duty cycle: takes the counter that was asked for if it is there, else asks for the next; what was done.
  int step(Connection& connection);
  // The connection is gone: forgets what was asked for. What came on it is dead, and the owners' to let go of.
  void clear();

 private:
  struct Wanted {
    std::int32_t type_id = 0;
    std::string label;
    std::weak_ptr<Counter> place;
  };

  std::deque<Wanted> wanted_;
  std::weak_ptr<Counter> pending_place_;
  std::optional<PendingCounter> pending_;
};

}  // namespace tensorpool::transport
