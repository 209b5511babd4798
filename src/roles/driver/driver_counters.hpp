// The driver's figures as Aeron counters, so that any Aeron tool can read them while everything runs; one per figure,
// and one per lease whose value is the number of its keepalives.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "roles/driver/driver_status.hpp"
#include "roles/driver/leases.hpp"
#include "transport/connection.hpp"

namespace tensorpool::driver {

class DriverCounters {
 public:
  // Type ids: figures first_figure_type + n in the order of DriverCounts, leases lease_type.
  static constexpr std::int32_t first_figure_type = 1000;
  static constexpr std::int32_t lease_type = 1050;
  static constexpr std::size_t max_lease_counters = 256;

  // What the labels of the driver on that control stream begin with: one media driver may serve several drivers.
  [[nodiscard]] static std::string label_prefix(std::int32_t control_stream_id);

  // Asks for the figures' counters, one after the other; a counter that cannot be had is done without.
  void open(std::int32_t control_stream_id, std::string_view instance_id);
  void close();
  // Each duty cycle: takes the counter that was asked for if it is there, and asks for the next; never waits.
  int step(transport::Connection& connection);
  // Writes what the counters show. Asks for counters of leases that have none, and lets go of those of leases that
  // ended.
  void update(const DriverCounts& counts, std::uint64_t bytes_reserved, const Leases& leases);

 private:
  struct Wanted {
    std::int32_t type_id = 0;
    std::string label;
    std::uint64_t lease_id = 0;  // of a lease's counter
  };

  void keep(const Wanted& wanted, transport::Counter counter);
  void forget_ended(const Leases& leases);

  std::string label_prefix_;
  std::vector<transport::Counter> figures_;             // in the order of their types; empty where there is none yet
  std::map<std::uint64_t, transport::Counter> leases_;  // by lease id; empty where there is none yet
  std::deque<Wanted> wanted_;                           // the first is the one asked for
  std::optional<transport::PendingCounter> pending_;
};

}  // namespace tensorpool::driver
