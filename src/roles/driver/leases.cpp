#include "roles/driver/leases.hpp"

#include <algorithm>
#include <limits>

namespace tensorpool::driver {

namespace {

constexpr std::uint64_t lease_id_mask =
    std::numeric_limits<std::uint64_t>::max() >> 1;  // 63 bits; the wire's null is above
constexpr Nanos never = std::numeric_limits<Nanos>::max();

}  // namespace

Leases::Leases(const LeaseOptions& options) : options_(options), earliest_expiry_(never) {}

std::uint64_t Leases::id_at(std::uint64_t count) const noexcept {
  return (options_.first_lease_id + count) & lease_id_mask;
}

bool Leases::was_issued(std::uint64_t lease_id) const noexcept {
  return lease_id <= lease_id_mask && ((lease_id - options_.first_lease_id) & lease_id_mask) < issued_;
}

Leases::Refusal Leases::may_grant(std::uint32_t stream_id, std::uint32_t client_id, protocol::Role role) const {
  const auto [first, last] = by_client_.equal_range(client_id);
  for (auto it = first; it != last; ++it) {
    const LeaseKey& other = leases_.at(it->second).key;
    if (options_.unique_client_ids || (other.stream_id == stream_id && other.role == role)) {
      return Refusal::client_id_attached;
    }
  }
  const auto use = streams_.find(stream_id);
  if (role == protocol::Role::producer && use != streams_.end() && use->second.producer_lease != 0) {
    return Refusal::producer_attached;
  }
  return leases_.size() >= options_.limit ? Refusal::too_many : Refusal::none;
}

const Lease& Leases::reserve(std::uint32_t stream_id, std::uint32_t client_id, protocol::Role role,
                             std::optional<std::uint32_t> node_id) {
  if (id_at(issued_) == 0) {
    ++issued_;  // 0 reads as "no lease" in other implementations
  }
  Lease lease;
  lease.key = {id_at(issued_), stream_id, client_id, role};
  lease.node_id = node_id;
  ++issued_;
  StreamUse& use = streams_[stream_id];
  if (role == protocol::Role::producer) {
    use.producer_lease = lease.key.lease_id;
  } else {
    ++use.consumers;
  }
  by_client_.emplace(client_id, lease.key.lease_id);
  return leases_.insert_or_assign(lease.key.lease_id, lease).first->second;
}

const Lease* Leases::confirm(std::uint64_t lease_id, Nanos now) {
  const auto it = leases_.find(lease_id);
  if (it == leases_.end()) {
    return nullptr;
  }
  it->second.pending = false;
  it->second.granted_at = now;
  it->second.expires_at = now + options_.duration_ns;
  earliest_expiry_ = std::min(earliest_expiry_, it->second.expires_at);
  return &it->second;
}

std::optional<Lease> Leases::end(std::uint64_t lease_id) {
  const auto it = leases_.find(lease_id);
  if (it == leases_.end()) {
    return std::nullopt;
  }
  const Lease lease = it->second;
  leases_.erase(it);
  forget(lease);
  return lease;
}

void Leases::forget(const Lease& lease) {
  const auto use = streams_.find(lease.key.stream_id);
  if (lease.key.role == protocol::Role::producer) {
    use->second.producer_lease = 0;
  } else {
    --use->second.consumers;
  }
  if (use->second.producer_lease == 0 && use->second.consumers == 0) {
    streams_.erase(use);
  }
  const auto [first, last] = by_client_.equal_range(lease.key.client_id);
  by_client_.erase(
      std::find_if(first, last, [&lease](const auto& entry) { return entry.second == lease.key.lease_id; }));
}

bool Leases::keepalive(const LeaseKey& key, Nanos now) {
  const auto it = leases_.find(key.lease_id);
  if (it == leases_.end() || it->second.pending || it->second.key != key) {
    return false;
  }
  it->second.expires_at = now + options_.duration_ns;
  ++it->second.keepalives;
  return true;
}

std::vector<Lease> Leases::expire(Nanos now, std::size_t limit) {
  std::vector<Lease> expired;
  if (now < earliest_expiry_) {
    return expired;
  }
  earliest_expiry_ = never;
  for (const auto& [id, lease] : leases_) {
    if (lease.pending) {
      continue;
    }
    if (lease.expires_at <= now && expired.size() < limit) {
      expired.push_back(lease);
    } else {
      earliest_expiry_ = std::min(earliest_expiry_, lease.expires_at);
    }
  }
  for (const Lease& lease : expired) {
    end(lease.key.lease_id);
  }
  return expired;
}

void Leases::extend_all_to(Nanos time) {
  for (auto& [id, lease] : leases_) {
    lease.expires_at = std::max(lease.expires_at, time);
  }
}

const Lease* Leases::find(std::uint64_t lease_id) const {
  const auto it = leases_.find(lease_id);
  return it == leases_.end() ? nullptr : &it->second;
}

const Lease* Leases::find_running(const LeaseKey& key) const {
  const Lease* const lease = find(key.lease_id);
  return lease != nullptr && !lease->pending && lease->key == key ? lease : nullptr;
}

const Lease* Leases::find_consumer(std::uint32_t stream_id, std::uint32_t client_id) const {
  const auto [first, last] = by_client_.equal_range(client_id);
  for (auto it = first; it != last; ++it) {
    const Lease& lease = leases_.at(it->second);
    if (!lease.pending && lease.key.stream_id == stream_id && lease.key.role == protocol::Role::consumer) {
      return &lease;
    }
  }
  return nullptr;
}

std::optional<std::uint32_t> Leases::producer_of(std::uint32_t stream_id) const {
  const auto use = streams_.find(stream_id);
  if (use == streams_.end() || use->second.producer_lease == 0) {
    return std::nullopt;
  }
  const Lease& lease = leases_.at(use->second.producer_lease);
  return lease.pending ? std::nullopt : std::optional(lease.key.client_id);
}

std::uint32_t Leases::consumers_of(std::uint32_t stream_id) const {
  const auto use = streams_.find(stream_id);
  return use == streams_.end() ? 0 : use->second.consumers;
}

bool Leases::in_use(std::uint32_t stream_id) const { return streams_.contains(stream_id); }

}  // namespace tensorpool::driver
