// What can be seen of a driver from outside: its announces of two periods, and the Aeron counters of itself, its leases
// and its clients. The wire has no query.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/attachment_counters.hpp"
#include "client/stream_watch.hpp"
#include "protocol/messages.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::apps::tp {

struct Figure {
  std::string name;
  std::int64_t value = 0;
};

// A producer or consumer, as far as its own counters tell.
struct ClientSight {
  detail::CounterOwner owner;
  std::vector<Figure> figures;
};

struct DriverSight {
  std::string aeron_dir;
  std::int32_t control_stream_id = 0;
  std::string instance_id;                                     // empty: it shows no counters
  std::map<std::uint32_t, protocol::ShmPoolAnnounce> streams;  // the latest announce of each
  std::vector<Figure> figures;                                 // the driver's own
  std::vector<detail::LeaseFact> leases;                       // by lease id
  std::vector<ClientSight> clients;

  [[nodiscard]] bool seen() const { return !streams.empty() || !figures.empty(); }
  // nullptr where it is not known.
  [[nodiscard]] const detail::LeaseFact* lease_of(const detail::CounterOwner& owner) const;
};

// Listens for two announce periods. Errors: no media driver, no permission, a channel that Aeron refuses.
[[nodiscard]] Result<DriverSight> look_at_driver(const ClientOptions& client, const std::atomic<bool>& stop);
// The counters alone, without waiting: no streams.
[[nodiscard]] Result<DriverSight> look_at_counters(const ClientOptions& client);

}  // namespace tensorpool::apps::tp
