// The driver's figures as Aeron counters, so that any Aeron tool can read them while everything runs; one per figure,
// and two per lease: its keepalives, and when
// it expires.
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
  // Type ids: figures first_figure_type + n in the order of DriverCounts, leases as protocol/lease_label.hpp.
  static constexpr std::int32_t first_figure_type = 1000;
  static constexpr std::size_t max_counted_leases = 256;

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
  struct OfLease {  // empty where there is none yet
    transport::Counter keepalives;
    transport::Counter expiry;
  };

  void keep(const Wanted& wanted, transport::Counter counter);
  void want_for(const Lease& lease);
  void forget_ended(const Leases& leases);

  std::int32_t control_stream_id_ = 0;
  std::vector<transport::Counter> figures_;  // in the order of their types; empty where there is none yet
  std::map<std::uint64_t, OfLease> leases_;  // by lease id
  std::deque<Wanted> wanted_;                // the first is the one asked for
  std::optional<transport::PendingCounter> pending_;
};

}  // namespace tensorpool::driver
