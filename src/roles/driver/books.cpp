#include "roles/driver/books.hpp"

#include "base/error.hpp"

namespace tensorpool::driver {

namespace {

constexpr Nanos patience_ns = nanos_per_second;  // how long back-pressure is retried

LeaseOptions lease_options(const DriverConfig& config, std::uint64_t first_lease_id) {
  return {first_lease_id, config.lease_duration_ns(), config.policies.unique_client_ids, config.limits.leases};
}

}  // namespace

Books::Books(DriverConfig configured, NameSpace opened, BooksDeps deps, Log sink)
    : config(std::move(configured)),
      log(std::move(sink)),
      streams(config),
      leases(lease_options(config, deps.first_lease_id)),
      node_ids(Nanos{config.policies.node_id_reuse_cooldown_ms} * nanos_per_milli),
      attach_desk({config, leases, node_ids, streams, deps.hugepages}),
      consumer_streams(config),
      open_namespace(std::move(deps.open_namespace)),
      namespace_lock(std::move(opened.lock)),
      store(std::move(opened.store)),
      collector(config, streams, store, log),
      provisioning({config, streams, store, collector, std::move(deps.realtime), std::move(deps.space), deps.hugepages,
                    deps.page_bytes, [this] { return keep_namespace(); }}),
      announces_apart(config.announce_stream_id() != config.driver.control_stream_id ||
                      config.announce_channel() != config.driver.control_channel),
      control_outbox(config.limits.outbox_messages, patience_ns, Outbox::WithoutListener::keep),
      announce_outbox(config.limits.outbox_messages, patience_ns, Outbox::WithoutListener::drop) {}

Status Books::keep_namespace() {
  if (!store.is_gone()) {
    return {};
  }
  auto opened = open_namespace();
  if (!opened) {
    return make_error(opened.error().code, "{} was removed, and cannot be made anew: {}", store.namespace_dir(),
                      opened.error().message);
  }
  namespace_lock = std::move(opened->lock);
  store = std::move(opened->store);
  log.warning(
      "{} was removed by somebody, as logind does when its user logs out (RemoveIPC), and is made anew; who is "
      "attached goes on with what he has mapped, and a stream that has a producer lets no consumer in until that "
      "attaches again",
      store.namespace_dir());
  for (const auto& [id, stream] : streams.all()) {
    if (!leases.producer_of(id)) {
      provisioning.want_idle_epoch(id, std::nullopt);
    }
  }
  return {};
}

}  // namespace tensorpool::driver
