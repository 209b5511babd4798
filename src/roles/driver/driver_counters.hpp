// The driver's figures as Aeron counters, so that any Aeron tool can read them while everything runs; one per figure,
// and one per lease whose value is the number of its keepalives.
#pragma once

#include <cstdint>
#include <map>
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

  // Adds what is missing on this connection; counters that cannot be had are done without.
  void open(transport::Connection& connection, std::string_view instance_id);
  void close();
  void update(const DriverCounts& counts, std::uint64_t bytes_reserved);
  // Makes the lease counters those of the leases; adds at most a few per call. REQUIRES: not inside a poll.
  void update_leases(transport::Connection& connection, const Leases& leases);

 private:
  std::vector<transport::Counter> figures_;
  std::map<std::uint64_t, transport::Counter> leases_;  // by lease id
};

}  // namespace tensorpool::driver
