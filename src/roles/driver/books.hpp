// Books: all that a driver knows, gathered so that its desks can work on it. Plain composition: every part keeps its
// own rules. One thread.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <utility>

#include "base/file_lock.hpp"
#include "base/log.hpp"
#include "protocol/messages.hpp"
#include "roles/driver/attach_desk.hpp"
#include "roles/driver/consumer_streams.hpp"
#include "roles/driver/driver_status.hpp"
#include "roles/driver/epoch_collector.hpp"
#include "roles/driver/leases.hpp"
#include "roles/driver/node_ids.hpp"
#include "roles/driver/outbox.hpp"
#include "roles/driver/provisioning.hpp"
#include "roles/driver/stream_table.hpp"
#include "shm/epoch_store.hpp"
#include "tensorpool/driver_config.hpp"

namespace tensorpool::driver {

// The directory of a namespace, and the sole right to it: two drivers there would hand out each other's files.
struct NameSpace {
  FileLock lock;
  shm::EpochStore store;
};

struct BooksDeps {
  std::function<Result<NameSpace>()> open_namespace;
  std::function<Nanos()> realtime;
  std::function<Result<shm::Space>(const std::string& directory)> space;
  std::uint64_t first_lease_id = 0;
  bool hugepages = false;
  std::uint64_t page_bytes = 4096;
};

struct Books {
  Books(DriverConfig configured, NameSpace opened, BooksDeps deps, Log sink);
  Books(const Books&) = delete;
  Books& operator=(const Books&) = delete;

  // The announce outbox, which is the control outbox where both are the same Aeron stream: so a response stays before
  // its announce.
  [[nodiscard]] Outbox& announces() noexcept { return announces_apart ? announce_outbox : control_outbox; }

  // If the namespace was removed, by hand or by logind at a logout: makes it anew, and an epoch for each stream that
  // nobody writes. Who has files of an old one mapped goes on with them.
  Status keep_namespace();

  const DriverConfig config;
  Log log;
  DriverCounts counts;
  std::array<std::uint64_t, decode_fault_count> malformed_by_fault{};

  StreamTable streams;
  Leases leases;
  NodeIds node_ids;
  AttachDesk attach_desk;
  ConsumerStreams consumer_streams;

  std::function<Result<NameSpace>()> open_namespace;
  FileLock namespace_lock;
  shm::EpochStore store;
  EpochCollector collector;
  Provisioning provisioning;

  const bool announces_apart;
  Outbox control_outbox;
  Outbox announce_outbox;

  std::optional<protocol::ShutdownReason> shutdown_asked;  // by a request with the right token, or by a failure
  std::optional<Error> failure;                            // why the driver cannot go on
};

}  // namespace tensorpool::driver
