#include "roles/driver/driver_counters.hpp"

#include <fmt/format.h>

#include <array>

namespace tensorpool::driver {

namespace {

struct Figure {
  const char* label;
  std::uint64_t DriverCounts::*value;
};

constexpr std::array figures{
    Figure{"attaches granted", &DriverCounts::attaches},
    Figure{"attaches refused", &DriverCounts::refusals},
    Figure{"detaches", &DriverCounts::detaches},
    Figure{"keepalives", &DriverCounts::keepalives},
    Figure{"unknown leases", &DriverCounts::unknown_leases},
    Figure{"leases expired", &DriverCounts::expirations},
    Figure{"epochs made", &DriverCounts::epochs_made},
    Figure{"epochs collected", &DriverCounts::epochs_collected},
    Figure{"provisioning failures", &DriverCounts::provisioning_failures},
    Figure{"announces", &DriverCounts::announces},
    Figure{"malformed control messages", &DriverCounts::malformed},
    Figure{"malformed descriptors", &DriverCounts::malformed_descriptors},
    Figure{"discarded at start", &DriverCounts::discarded_at_start},
    Figure{"bad shutdown tokens", &DriverCounts::bad_tokens},
    Figure{"unsent messages", &DriverCounts::unsent},
    Figure{"reconnects", &DriverCounts::reconnects},
};
constexpr int lease_counters_per_call = 4;

}  // namespace

void DriverCounters::open(transport::Connection& connection, std::string_view instance_id) {
  close();
  std::int32_t type = first_figure_type;
  const auto add = [&](std::string_view label) {
    auto counter = connection.add_counter(type++, {}, fmt::format("tensorpool driver {}: {}", instance_id, label));
    figures_.push_back(counter ? std::move(*counter) : transport::Counter{});
  };
  for (const Figure& figure : figures) {
    add(figure.label);
  }
  add("bytes reserved");
}

void DriverCounters::close() {
  figures_.clear();
  leases_.clear();
}

void DriverCounters::update(const DriverCounts& counts, std::uint64_t bytes_reserved) {
  if (figures_.empty()) {
    return;
  }
  for (std::size_t i = 0; i < figures.size(); ++i) {
    figures_[i].set(static_cast<std::int64_t>(counts.*figures[i].value));
  }
  figures_.back().set(static_cast<std::int64_t>(bytes_reserved));
}

void DriverCounters::update_leases(transport::Connection& connection, const Leases& leases) {
  std::erase_if(leases_, [&](const auto& entry) { return leases.find(entry.first) == nullptr; });
  int added = 0;
  for (const auto& [lease_id, lease] : leases.all()) {
    if (lease.pending) {
      continue;
    }
    auto counter = leases_.find(lease_id);
    if (counter == leases_.end()) {
      if (added == lease_counters_per_call || leases_.size() >= max_lease_counters) {
        continue;
      }
      ++added;
      auto made = connection.add_counter(
          lease_type, {},
          fmt::format("tensorpool lease: stream {} {} client {}: keepalives", lease.key.stream_id,
                      protocol::to_string(lease.key.role), lease.key.client_id));
      counter = leases_.emplace(lease_id, made ? std::move(*made) : transport::Counter{}).first;
    }
    counter->second.set(static_cast<std::int64_t>(lease.keepalives));
  }
}

}  // namespace tensorpool::driver
