// The driver's figures as Aeron counters, so that any Aeron tool can read them while everything runs; one per figure,
// and two per lease: its keepalives, and when it expires.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "roles/driver/driver_status.hpp"
#include "roles/driver/leases.hpp"
#include "transport/counter_requests.hpp"

namespace tensorpool::driver {

class DriverCounters {
 public:
  // Type ids: figures first_figure_type + n in the order of DriverCounts, leases as protocol/lease_label.hpp.
  static constexpr std::int32_t first_figure_type = 1000;
  static constexpr std::size_t max_counted_leases = 256;

  // Asks for the figures' counters.
  void open(std::int32_t control_stream_id, std::string_view instance_id);
  void close();
  // Each duty cycle.
  int step(transport::Connection& connection) { return requests_.step(connection); }
  // Writes what the counters show. Asks for counters of leases that have none, and lets go of those of leases that
  // ended.
  void update(const DriverCounts& counts, std::uint64_t bytes_reserved, const Leases& leases);

 private:
  using Shown = std::shared_ptr<transport::Counter>;
  struct OfLease {
    Shown keepalives;
    Shown expiry;
  };

  OfLease want_for(const Lease& lease);

  std::int32_t control_stream_id_ = 0;
  std::vector<Shown> figures_;               // in the order of their types
  std::map<std::uint64_t, OfLease> leases_;  // by lease id
  transport::CounterRequests requests_;
};

}  // namespace tensorpool::driver
