#include "roles/driver/driver_counters.hpp"

#include <fmt/format.h>

#include <array>

#include "protocol/lease_label.hpp"

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
    Figure{"unanswered hellos", &DriverCounts::unanswered_hellos},
    Figure{"pauses", &DriverCounts::pauses},
};

}  // namespace

void DriverCounters::open(std::int32_t control_stream_id, std::string_view instance_id) {
  close();
  control_stream_id_ = control_stream_id;
  const std::string prefix = transport::counter_label_prefix(control_stream_id);
  const auto want = [&](std::string_view label) {
    figures_.push_back(requests_.want(first_figure_type + static_cast<std::int32_t>(figures_.size()),
                                      fmt::format("{}driver {}: {}", prefix, instance_id, label)));
  };
  for (const Figure& figure : figures) {
    want(figure.label);
  }
  want("bytes reserved");
}

void DriverCounters::close() {
  requests_.clear();
  figures_.clear();
  leases_.clear();
}

void DriverCounters::update(const DriverCounts& counts, std::uint64_t bytes_reserved, const Leases& leases) {
  if (figures_.empty()) {
    return;
  }
  for (std::size_t i = 0; i < figures.size(); ++i) {
    figures_[i]->set(static_cast<std::int64_t>(counts.*figures[i].value));
  }
  figures_.back()->set(static_cast<std::int64_t>(bytes_reserved));

  std::erase_if(leases_, [&](const auto& entry) { return leases.find(entry.first) == nullptr; });
  for (const auto& [lease_id, lease] : leases.all()) {
    if (lease.pending) {
      continue;
    }
    auto counters = leases_.find(lease_id);
    if (counters == leases_.end()) {
      if (leases_.size() >= max_counted_leases) {
        continue;
      }
      counters = leases_.emplace(lease_id, want_for(lease)).first;
    }
    counters->second.keepalives->set(static_cast<std::int64_t>(lease.keepalives));
    counters->second.expiry->set(lease.expires_at);
  }
}

DriverCounters::OfLease DriverCounters::want_for(const Lease& lease) {
  const protocol::LeaseLabel label{control_stream_id_,  lease.key.lease_id,
                                   lease.key.stream_id, lease.key.client_id,
                                   lease.key.role,      static_cast<std::uint64_t>(lease.granted_at)};
  const auto want = [&](std::int32_t type) { return requests_.want(type, protocol::format_lease_label(label, type)); };
  return {want(protocol::lease_keepalives_counter_type), want(protocol::lease_expiry_counter_type)};
}

}  // namespace tensorpool::driver
