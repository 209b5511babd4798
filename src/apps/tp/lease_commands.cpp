// tp driver attach | keepalive | detach
#include <fmt/format.h>

#include "apps/support/logging.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/lease_requests.hpp"
#include "base/random.hpp"

namespace tensorpool::apps::tp {
namespace {

using protocol::Role;

struct AttachArguments {
  std::uint32_t stream_id = 0;
  std::string role;
  std::string publish_mode = "require_existing";
  bool create = false;
  std::string hugepages = "unspecified";
  std::uint32_t expected_layout_version = 0;
  std::optional<std::uint32_t> node_id;
  std::optional<Nanos> hold_ns;
};

struct LeaseArguments {
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::string role;
  Nanos timeout_ns = 5 * nanos_per_second;
};

Role role_of(const std::string& name) { return name == "producer" ? Role::producer : Role::consumer; }

protocol::HugepagesPolicy hugepages_of(const std::string& name) {
  if (name == "hugepages" || name == "true") return protocol::HugepagesPolicy::hugepages;
  const bool standard = name == "standard" || name == "false";
  return standard ? protocol::HugepagesPolicy::standard : protocol::HugepagesPolicy::unspecified;
}

protocol::ShmAttachRequest request_of(const AttachArguments& arguments, std::uint32_t client_id) {
  protocol::ShmAttachRequest request;
  request.stream_id = arguments.stream_id;
  request.client_id = client_id;
  request.role = role_of(arguments.role);
  request.expected_layout_version = arguments.expected_layout_version;
  request.publish_mode = arguments.publish_mode == "require_existing" && !arguments.create
                             ? protocol::PublishMode::require_existing
                             : protocol::PublishMode::existing_or_create;
  request.require_hugepages = hugepages_of(arguments.hugepages);
  request.desired_node_id = arguments.node_id;
  return request;
}

struct Talk {
  ClientOptions client;
  ControlLine line;
};

Result<Talk> begin_talk(const Invocation& invocation) {
  const Result<NodeConfig> config = invocation.config();
  if (!config) {
    return config.error();
  }
  ClientOptions client = invocation.consumer_client(*config);
  Result<ControlLine> line = ControlLine::open(client);
  if (!line) {
    return line.error();
  }
  return Talk{std::move(client), std::move(*line)};
}

Status hold(ControlLine& line, const Attached& attached, Nanos hold_ns) {
  stderr_log()(LogLevel::info, fmt::format("stream {}: lease {} is kept alive {}", attached.grant.layout.stream_id,
                                           attached.grant.lease_id,
                                           hold_ns > 0 ? fmt::format("for {} s, then detached", to_seconds(hold_ns))
                                                       : "until Ctrl-C, then detached"));
  if (Status held = hold_lease(line, attached, hold_ns, stop_flag()); !held) {
    return held;
  }
  static const std::atomic<bool> never{false};  // the stop has been heeded; the detach is part of it
  const auto detached = detach_by_hand(line, attached.name(), 2 * nanos_per_second, never);
  return detached ? Status() : Status(detached.error());
}

int attach(const Invocation& invocation, const AttachArguments& arguments) {
  Result<Talk> talk = begin_talk(invocation);
  if (!talk) {
    return fail(talk.error());
  }
  const std::uint32_t wanted = invocation.client_id(0);
  const auto request = request_of(arguments, wanted == 0 ? random_nonzero_u32() : wanted);
  const AttachWait wait{talk->client.attach_timeout_ns, talk->client.predecessor_ns,
                        [](const std::string& why) { stderr_log()(LogLevel::info, "waiting: " + why); }};
  const auto attached = attach_by_hand(talk->line, request, wait, stop_flag());
  if (!attached) {
    return fail(attached.error());
  }
  const Nanos now = monotonic_now();
  invocation.json() ? print_json(to_json(*attached, now)) : print_line(describe(*attached, now));
  if (arguments.hold_ns) {
    if (const Status held = hold(talk->line, *attached, *arguments.hold_ns); !held) {
      return fail(held.error());
    }
  }
  return exit_ok;
}

LeaseName name_of(const Invocation& invocation, const LeaseArguments& arguments) {
  return {arguments.lease_id, arguments.stream_id, invocation.client_id(0), role_of(arguments.role)};
}

int keepalive(const Invocation& invocation, const LeaseArguments& arguments) {
  Result<Talk> talk = begin_talk(invocation);
  if (!talk) {
    return fail(talk.error());
  }
  const Status kept = keep_alive_by_hand(talk->line, name_of(invocation, arguments), arguments.timeout_ns, stop_flag());
  if (!kept) {
    return fail(kept.error());
  }
  const std::string lease_id = std::to_string(arguments.lease_id);
  invocation.json() ? print_json({{"lease_id", lease_id}, {"kept_alive", true}})
                    : print_line(fmt::format("lease_id={}\nkept_alive=true", lease_id));
  return exit_ok;
}

int detach(const Invocation& invocation, const LeaseArguments& arguments) {
  Result<Talk> talk = begin_talk(invocation);
  if (!talk) {
    return fail(talk.error());
  }
  const auto response = detach_by_hand(talk->line, name_of(invocation, arguments), arguments.timeout_ns, stop_flag());
  if (!response) {
    return fail(response.error());
  }
  invocation.json() ? print_json(to_json(*response)) : print_line(describe(*response));
  return exit_ok;
}

CLI::Option* add_role(CLI::App& command, std::string& role) {
  return command.add_option("--role", role, "producer or consumer")
      ->transform(CLI::IsMember({"producer", "consumer"}, CLI::ignore_case))
      ->required();
}

void add_attach(Registry& registry, CLI::App& group) {
  const auto arguments = std::make_shared<AttachArguments>();
  CLI::App& command =
      registry.add(group, "attach", "Take a lease by hand, and show what the driver grants",
                   "tp driver attach --config driver.toml --stream 1001 --role consumer --hold 10",
                   [arguments](const Invocation& invocation) { return attach(invocation, *arguments); });
  add_count(command, "--stream", arguments->stream_id, "stream to attach to; 0: a new one from the driver's range", 0,
            4294967294)
      ->required();
  add_role(command, arguments->role);
  command
      .add_option("--publish-mode", arguments->publish_mode,
                  "require_existing, or existing_or_create: the driver makes the stream if it is not there")
      ->transform(CLI::IsMember({"require_existing", "existing_or_create", "allow_create"}, CLI::ignore_case))
      ->capture_default_str();
  command.add_flag("--create", arguments->create, "the same as --publish-mode existing_or_create");
  add_count(command, "--expected-layout-version", arguments->expected_layout_version, "refuse any other; 0: any");
  command
      .add_option("--hugepages", arguments->hugepages, "what the memory must be: unspecified, standard or hugepages")
      ->transform(CLI::IsMember({"unspecified", "standard", "hugepages", "unset", "false", "true"}, CLI::ignore_case))
      ->capture_default_str();
  add_count(command, "--node-id", arguments->node_id,
            "the node part of trace ids that is wanted; else the driver chooses");
  add_seconds(command, "--hold", arguments->hold_ns,
              "keep the lease alive so many seconds (0: until Ctrl-C), then detach; without it the lease expires");
}

void add_lease_options(CLI::App& command, LeaseArguments& arguments) {
  add_id(command, "--lease-id", arguments.lease_id, "the lease, as attach named it", "a lease id",
         std::numeric_limits<std::uint64_t>::max())
      ->required();
  add_stream_id(command, "--stream", arguments.stream_id, "its stream")->required();
  add_role(command, arguments.role);
  add_seconds(command, "--timeout", arguments.timeout_ns, "seconds to wait for the driver", 0.1, 3600);
  require_client_id(command);
}

}  // namespace

void register_leases(Registry& registry) {
  CLI::App& group = registry.group("driver", driver_group);
  add_attach(registry, group);

  const auto kept = std::make_shared<LeaseArguments>();
  add_lease_options(registry.add(group, "keepalive", "Keep a lease alive by hand, once",
                                 "tp driver keepalive --stream 1001 --client-id 7 --role consumer --lease-id 4711",
                                 [kept](const Invocation& invocation) { return keepalive(invocation, *kept); }),
                    *kept);

  const auto ended = std::make_shared<LeaseArguments>();
  add_lease_options(registry.add(group, "detach", "Give a lease back by hand",
                                 "tp driver detach --stream 1001 --client-id 7 --role consumer --lease-id 4711",
                                 [ended](const Invocation& invocation) { return detach(invocation, *ended); }),
                    *ended);
}

}  // namespace tensorpool::apps::tp
