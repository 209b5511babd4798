// tp driver status | leases | streams | dump
#include <fmt/format.h>

#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/driver_status.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

struct SightArguments {
  std::string instance_id;
};

struct View {
  bool announces;  // worth two announce periods
  std::string (*text)(const DriverSight&, Nanos);
  Json (*json)(const DriverSight&, Nanos);
};

Json dump(const DriverSight& sight, Nanos now) {
  Json json = to_json(sight, now);
  const transport::MediaDriverProbe media = transport::probe_media_driver(sight.aeron_dir);
  json["media_driver"] = {{"state", transport::to_string(media.state)}, {"pid", media.pid}, {"detail", media.detail}};
  return json;
}

int look(const Invocation& invocation, const SightArguments& arguments, const View& view) {
  const Result<NodeConfig> config = invocation.config();
  if (!config) {
    return fail(config.error());
  }
  const ClientOptions client = invocation.consumer_client(*config);
  const Result<DriverSight> sight = view.announces ? look_at_driver(client, stop_flag()) : look_at_counters(client);
  if (!sight) {
    return fail(sight.error());
  }
  if (const std::string missing = what_is_missing(*sight, arguments.instance_id); !missing.empty()) {
    return fail({ErrorCode::unavailable, missing});
  }
  const Nanos now = monotonic_now();
  invocation.json() || view.text == nullptr ? print_json(view.json(*sight, now)) : print_line(view.text(*sight, now));
  return exit_ok;
}

void add(Registry& registry, const std::string& name, const std::string& description, const View& view) {
  const auto arguments = std::make_shared<SightArguments>();
  registry
      .add(registry.group("driver", driver_group), name, description,
           "tp driver " + name + " --config driver.toml --format json",
           [arguments, view](const Invocation& invocation) { return look(invocation, *arguments, view); })
      .add_option("--instance", arguments->instance_id, "only if the driver's driver.instance_id is this");
}

}  // namespace

void register_sight(Registry& registry) {
  add(registry, "status", "Listen to a running driver: streams, epochs, producers, leases, figures",
      {true, [](const DriverSight& sight, Nanos now) { return describe(sight, now); },
       [](const DriverSight& sight, Nanos now) { return to_json(sight, now); }});
  add(registry, "leases", "List the leases of a running driver: holder, age, time left, keepalives",
      {false, describe_leases, leases_to_json});
  add(registry, "streams", "List the streams of a running driver: regions, clients, their leases and figures",
      {true, describe_streams, [](const DriverSight& sight, Nanos) { return streams_to_json(sight); }});
  add(registry, "dump", "Everything that can be seen of a running driver, as one JSON object", {true, nullptr, dump});
}

}  // namespace tensorpool::apps::tp
