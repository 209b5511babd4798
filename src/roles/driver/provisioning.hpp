// Provisioning: makes epochs as resumable jobs, a bounded step at a time, so that leases go on being served while
// gigabytes are reserved. Idle epochs are small and do not wait behind producers'; among those, the job with the least
// left to reserve takes turns with the oldest one, so that neither a small stream waits for a large one nor a large one
// without end.
//
// Before a job reserves, it makes sure that the bytes are there: dead epochs are collected when space is short, and
// what their last readers still hold is waited for, for a bounded time. A job that fails leaves nothing behind.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "roles/driver/epoch_collector.hpp"
#include "roles/driver/stream_table.hpp"
#include "shm/epoch_store.hpp"
#include "shm/region_creator.hpp"
#include "shm/space.hpp"
#include "tensorpool/driver_config.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::driver {

// A job that ended. The stream's epoch and layout are already the new ones if it succeeded.
struct ProvisioningOutcome {
  std::uint32_t stream_id = 0;
  std::vector<std::uint64_t> waiting;  // pending attaches, by lease id
  Status status;
  bool lock_refused = false;  // it failed because the memory could not be locked as policies.mlock_shm demands
};

class Provisioning {
 public:
  struct Parts {
    const DriverConfig& config;
    StreamTable& streams;
    shm::EpochStore& store;
    EpochCollector& collector;
    std::function<Nanos()> realtime;
    std::function<Result<shm::Space>(const std::string& directory)> space;
    bool hugepages = false;
    std::uint64_t page_bytes = 4096;  // of the file system that holds the regions
    std::function<Status()> keep_namespace;
  };

  explicit Provisioning(Parts parts) : parts_(std::move(parts)) {}

  // An epoch with every pool reserved, for the attach of that lease. The stream must not have another producer.
  void want_producer_epoch(std::uint32_t stream_id, std::uint64_t lease_id);
  // An epoch without a producer: after a producer is gone, at the start, or for a consumer that comes first (then its
  // lease id). Joins a job that the stream already waits for; if that was a producer's and fails, the consumers'
  // begins.
  void want_idle_epoch(std::uint32_t stream_id, std::optional<std::uint64_t> lease_id);

  // Nothing to do at this moment: no job, or the one whose turn it is waits for memory.
  [[nodiscard]] bool rests(Nanos now) const noexcept;
  // Advances one job by one step, unless it rests; what ended by it.
  [[nodiscard]] std::optional<ProvisioningOutcome> step(Nanos now);

  // Drops every job and what it made so far.
  void abandon();

  [[nodiscard]] bool idle() const noexcept { return small_.empty() && large_.empty(); }
  [[nodiscard]] std::size_t jobs() const noexcept { return small_.size() + large_.size(); }
  [[nodiscard]] bool has_job(std::uint32_t stream_id) const;
  [[nodiscard]] std::uint64_t epochs_made() const noexcept { return epochs_made_; }

 private:
  struct Job {
    std::uint32_t stream_id = 0;
    bool pools_reserved = false;
    std::vector<std::uint64_t> waiting;  // by lease id; of an epoch for a producer, that producer first
    std::optional<shm::RegionSpec> spec;
    std::optional<shm::RegionCreator> creator;
    bool retried = false;             // no space in spite of the check: collected once and began again
    std::optional<Nanos> give_up_at;  // while waiting for memory that readers of dead epochs still hold
    Nanos look_again_at = 0;          // likewise

    [[nodiscard]] bool rests(Nanos now) const noexcept { return now < look_again_at; }
  };
  using Lane = std::list<Job>;  // oldest first
  enum class Step : std::uint8_t { working, done };

  [[nodiscard]] Lane::iterator choose(Lane& lane, Nanos now) const;
  [[nodiscard]] std::uint64_t bytes_left(const Job& job) const;
  [[nodiscard]] std::uint64_t promised_to_others(const Job& job) const;
  [[nodiscard]] Result<Step> advance(Job& job, Stream& stream, Nanos now);
  [[nodiscard]] Status prepare(Job& job, const Stream& stream);
  [[nodiscard]] Result<Step> make_room(Job& job, Nanos now);
  [[nodiscard]] Result<Step> handle_step_error(Job& job, const Error& error);
  [[nodiscard]] shm::RegionSpec make_spec(const Job& job, const Stream& stream, std::uint64_t epoch) const;
  void adopt(Job& job, Stream& stream, Nanos now);
  ProvisioningOutcome fail(Lane& lane, Lane::iterator job, Status status);
  static ProvisioningOutcome finish(Lane& lane, Lane::iterator job, Status status);

  Parts parts_;
  Lane small_;               // idle epochs
  Lane large_;               // epochs for producers
  bool oldest_next_ = true;  // whose turn it is in a lane: the oldest job's, or the smallest one's
  std::uint64_t epochs_made_ = 0;
};

}  // namespace tensorpool::driver
