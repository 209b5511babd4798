#include "roles/driver/driver_counters.hpp"

#include <fmt/format.h>

#include <algorithm>
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
};

}  // namespace

std::string DriverCounters::label_prefix(std::int32_t control_stream_id) {
  return fmt::format("tensorpool {}, ", control_stream_id);
}

void DriverCounters::open(std::int32_t control_stream_id, std::string_view instance_id) {
  close();
  control_stream_id_ = control_stream_id;
  const auto want = [&](std::string_view label) {
    wanted_.push_back({first_figure_type + static_cast<std::int32_t>(figures_.size()),
                       fmt::format("{}driver {}: {}", label_prefix(control_stream_id), instance_id, label), 0});
    figures_.emplace_back();
  };
  for (const Figure& figure : figures) {
    want(figure.label);
  }
  want("bytes reserved");
}

void DriverCounters::close() {
  pending_.reset();
  wanted_.clear();
  figures_.clear();
  leases_.clear();
}

int DriverCounters::step(transport::Connection& connection) {
  if (pending_) {
    auto answer = pending_->poll();
    if (answer && !*answer) {
      return 0;
    }
    pending_.reset();
    if (answer) {
      keep(wanted_.front(), std::move(**answer));
    }
    wanted_.pop_front();
  } else if (!wanted_.empty()) {
    auto asked = connection.begin_counter(wanted_.front().type_id, {}, wanted_.front().label);
    if (asked) {
      pending_.emplace(std::move(*asked));
    } else {
      wanted_.pop_front();
    }
  } else {
    return 0;
  }
  return 1;
}

void DriverCounters::keep(const Wanted& wanted, transport::Counter counter) {
  if (wanted.lease_id == 0) {
    figures_[static_cast<std::size_t>(wanted.type_id - first_figure_type)] = std::move(counter);
  } else if (const auto lease = leases_.find(wanted.lease_id); lease != leases_.end()) {  // else it ended meanwhile
    const bool is_expiry = wanted.type_id == protocol::lease_expiry_counter_type;
    (is_expiry ? lease->second.expiry : lease->second.keepalives) = std::move(counter);
  }
}

void DriverCounters::update(const DriverCounts& counts, std::uint64_t bytes_reserved, const Leases& leases) {
  if (figures_.empty()) {
    return;
  }
  for (std::size_t i = 0; i < figures.size(); ++i) {
    figures_[i].set(static_cast<std::int64_t>(counts.*figures[i].value));
  }
  figures_.back().set(static_cast<std::int64_t>(bytes_reserved));

  forget_ended(leases);
  for (const auto& [lease_id, lease] : leases.all()) {
    if (lease.pending) {
      continue;
    }
    auto counters = leases_.find(lease_id);
    if (counters == leases_.end()) {
      if (leases_.size() >= max_counted_leases) {
        continue;
      }
      want_for(lease);
      counters = leases_.emplace(lease_id, OfLease{}).first;
    }
    counters->second.keepalives.set(static_cast<std::int64_t>(lease.keepalives));
    counters->second.expiry.set(lease.expires_at);
  }
}

void DriverCounters::want_for(const Lease& lease) {
  const protocol::LeaseLabel label{control_stream_id_,  lease.key.lease_id,
                                   lease.key.stream_id, lease.key.client_id,
                                   lease.key.role,      static_cast<std::uint64_t>(lease.granted_at)};
  for (const std::int32_t type : {protocol::lease_keepalives_counter_type, protocol::lease_expiry_counter_type}) {
    wanted_.push_back({type, protocol::format_lease_label(label, type), lease.key.lease_id});
  }
}

void DriverCounters::forget_ended(const Leases& leases) {
  std::erase_if(leases_, [&](const auto& entry) { return leases.find(entry.first) == nullptr; });
  const auto not_asked_for = wanted_.begin() + (pending_ ? 1 : 0);
  const auto ended = [&](const Wanted& wanted) { return wanted.lease_id != 0 && !leases_.contains(wanted.lease_id); };
  wanted_.erase(std::remove_if(not_asked_for, wanted_.end(), ended), wanted_.end());
}

}  // namespace tensorpool::driver
