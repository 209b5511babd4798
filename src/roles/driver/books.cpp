#include "roles/driver/books.hpp"

namespace tensorpool::driver {

namespace {

constexpr Nanos patience_ns = nanos_per_second;  // how long back-pressure is retried

LeaseOptions lease_options(const DriverConfig& config, std::uint64_t first_lease_id) {
  return {first_lease_id, config.lease_duration_ns(), config.policies.unique_client_ids, config.limits.leases};
}

}  // namespace

Books::Books(DriverConfig configured, shm::EpochStore opened, BooksDeps deps, Log sink)
    : config(std::move(configured)),
      log(std::move(sink)),
      streams(config),
      leases(lease_options(config, deps.first_lease_id)),
      node_ids(Nanos{config.policies.node_id_reuse_cooldown_ms} * nanos_per_milli),
      attach_desk({config, leases, node_ids, streams, deps.hugepages}),
      consumer_streams(config),
      store(std::move(opened)),
      collector(config, streams, store, log),
      provisioning({config, streams, store, collector, std::move(deps.realtime), std::move(deps.space), deps.hugepages,
                    deps.page_bytes}),
      announces_apart(config.announce_stream_id() != config.driver.control_stream_id ||
                      config.announce_channel() != config.driver.control_channel),
      control_outbox(config.limits.outbox_messages, patience_ns, Outbox::WithoutListener::keep),
      announce_outbox(config.limits.outbox_messages, patience_ns, Outbox::WithoutListener::drop) {}

}  // namespace tensorpool::driver
