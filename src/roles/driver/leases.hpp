// Leases: who may use which stream in which role, and until when (driver spec §4). Knows no message, clock or file.
//
// Always holds: at most one producer per stream; at most one lease per client id, unless unique_client_ids is off; no
// lease id is ever used twice by one driver. A lease is pending until its attach is answered: it keeps the place, never
// expires, and nobody but the driver knows its id.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "protocol/enums.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::driver {

// What a request must name exactly to act on a lease.
struct LeaseKey {
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  protocol::Role role = protocol::Role::consumer;

  bool operator==(const LeaseKey&) const = default;
};

struct Lease {
  LeaseKey key;
  std::optional<std::uint32_t> node_id;
  bool pending = true;
  Nanos granted_at = 0;  // both meaningless while pending
  Nanos expires_at = 0;
  std::uint64_t keepalives = 0;
};

struct LeaseOptions {
  std::uint64_t first_lease_id = 0;  // random; the top bit is dropped
  Nanos duration_ns = 0;
  bool unique_client_ids = true;
  std::size_t limit = 0;
};

class Leases {
 public:
  enum class Refusal : std::uint8_t { none, client_id_attached, producer_attached, too_many };

  explicit Leases(const LeaseOptions& options);

  // Whether a lease could be had; changes nothing.
  [[nodiscard]] Refusal may_grant(std::uint32_t stream_id, std::uint32_t client_id, protocol::Role role) const;
  // Keeps the place of an attach that is being worked on. REQUIRES: may_grant(...) is none.
  const Lease& reserve(std::uint32_t stream_id, std::uint32_t client_id, protocol::Role role,
                       std::optional<std::uint32_t> node_id);
  // The attach is answered: the lease runs from `now`. nullptr if there is no such lease.
  const Lease* confirm(std::uint64_t lease_id, Nanos now);
  // Ends a lease, pending or not; nothing if it is unknown.
  std::optional<Lease> end(std::uint64_t lease_id);

  // Extends the lease by its duration; false if no running lease is named exactly so.
  bool keepalive(const LeaseKey& key, Nanos now);
  // Ends and returns at most `limit` leases whose time ran out.
  [[nodiscard]] std::vector<Lease> expire(Nanos now, std::size_t limit);
  // No running lease ends before `time`: nobody is blamed for a silence that was ours.
  void extend_all_to(Nanos time);

  [[nodiscard]] const Lease* find(std::uint64_t lease_id) const;
  // A running lease named exactly so; nullptr otherwise.
  [[nodiscard]] const Lease* find_running(const LeaseKey& key) const;
  // The running consumer lease of that client on that stream.
  [[nodiscard]] const Lease* find_consumer(std::uint32_t stream_id, std::uint32_t client_id) const;
  // The producer's client id while its lease runs.
  [[nodiscard]] std::optional<std::uint32_t> producer_of(std::uint32_t stream_id) const;
  [[nodiscard]] std::uint32_t consumers_of(std::uint32_t stream_id) const;
  // Any lease, pending ones included.
  [[nodiscard]] bool in_use(std::uint32_t stream_id) const;
  // Whether this driver once gave out the id, alive or not.
  [[nodiscard]] bool was_issued(std::uint64_t lease_id) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return leases_.size(); }
  [[nodiscard]] const std::map<std::uint64_t, Lease>& all() const noexcept { return leases_; }

 private:
  struct StreamUse {
    std::uint64_t producer_lease = 0;
    std::uint32_t consumers = 0;
  };

  [[nodiscard]] std::uint64_t id_at(std::uint64_t count) const noexcept;
  void forget(const Lease& lease);

  LeaseOptions options_;
  std::uint64_t issued_ = 0;
  std::map<std::uint64_t, Lease> leases_;
  std::unordered_map<std::uint32_t, StreamUse> streams_;
  std::unordered_multimap<std::uint32_t, std::uint64_t> by_client_;
  Nanos earliest_expiry_ = 0;  // no running lease ends before it
};

}  // namespace tensorpool::driver
