// tp counters
#include "apps/tp/counters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "client/attachment_counters.hpp"
#include "protocol/lease_label.hpp"
#include "tensorpool/idle.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

using transport::CounterValue;

constexpr std::string_view our_prefix = "tensorpool ";

bool is_ours(const CounterValue& counter) {
  return counter.type_id >= transport::first_own_counter_type && counter.label.starts_with(our_prefix);
}

// "tensorpool 1000, producer 7 stream 1001: bytes" is the owner and the figure, parted by the last colon.
struct Parts {
  std::string owner;
  std::string figure;
};
Parts parts_of(const CounterValue& counter) {
  const std::size_t colon = counter.label.rfind(": ");
  if (colon == std::string::npos) return {escape(counter.label), "value"};
  return {escape(counter.label.substr(0, colon)), escape(counter.label.substr(colon + 2))};
}

// What the label says of its owner, for programs.
void add_owner(Json& json, const CounterValue& counter) {
  if (const auto client = tensorpool::detail::parse_counter_label(counter.label)) {
    json["control_stream_id"] = client->owner.control_stream_id;
    json["role"] = client->owner.role == protocol::Role::producer ? "producer" : "consumer";
    json["client_id"] = client->owner.client_id;
    json["stream_id"] = client->owner.stream_id;
  } else if (const auto lease = protocol::parse_lease_label(counter.label)) {
    json["control_stream_id"] = lease->control_stream_id;
    json["lease_id"] = std::to_string(lease->lease_id);
    json["client_id"] = lease->client_id;
    json["stream_id"] = lease->stream_id;
  }
}

struct CountersArguments {
  bool all = false;
  bool watch = false;
  std::string match;
};

Status show(const std::string& aeron_dir, const CountersArguments& arguments, bool json) {
  auto counters = transport::read_counters(aeron_dir);
  if (!counters) {
    if (counters.error().code != ErrorCode::not_found) return counters.error();
    return make_error(ErrorCode::unavailable,  // for the exit status
                      "there is no media driver in {}: {}; start a driver, or correct aeron_dir", aeron_dir,
                      counters.error().message);
  }
  const auto chosen = choose_counters(*std::move(counters), arguments.all, arguments.match);
  if (chosen.empty() && !arguments.watch) {
    return make_error(ErrorCode::unavailable, "no tensorpool driver or client shows counters{} in {}",
                      arguments.match.empty() ? "" : " that match " + escape(arguments.match), aeron_dir);
  }
  if (json) {
    print_json({{"aeron_dir", aeron_dir}, {"counters", to_json(chosen)}});
  } else {
    print_line(describe(chosen));
  }
  return {};
}

int run_counters(const Invocation& invocation, const CountersArguments& arguments) {
  const auto config = invocation.config();
  if (!config) return fail(config.error());
  const std::string configured = invocation.consumer_client(*config).aeron_dir;
  const std::string aeron_dir = configured.empty() ? transport::default_aeron_dir() : configured;
  Idle idle(IdleMode::sleep, nanos_per_second / 10);
  for (Nanos next = monotonic_now();;) {
    if (Status shown = show(aeron_dir, arguments, invocation.json()); !shown) return fail(shown.error());
    if (!arguments.watch) return exit_ok;
    for (next += nanos_per_second; monotonic_now() < next;) {
      if (stop_requested() || !output_status()) return exit_ok;
      idle.idle(0);
    }
  }
}

}  // namespace

std::vector<CounterValue> choose_counters(std::vector<CounterValue> counters, bool all, std::string_view match) {
  std::erase_if(counters, [&](const CounterValue& counter) {
    return (!all && !is_ours(counter)) || counter.label.find(match) == std::string::npos;
  });
  return counters;
}

std::string describe(const std::vector<CounterValue>& counters) {
  std::map<std::string, std::string> ours;  // the lines of each owner
  std::string others;
  for (const CounterValue& counter : counters) {
    if (!is_ours(counter)) {
      others +=
          fmt::format("{:>5} {:>5} {:>20}  {}\n", counter.id, counter.type_id, counter.value, escape(counter.label));
      continue;
    }
    const Parts parts = parts_of(counter);
    ours[parts.owner] += fmt::format("  {:<26} {:>20}\n", parts.figure, counter.value);
  }
  std::string text;
  for (const auto& [owner, lines] : ours) text += fmt::format("{}\n{}", owner, lines);
  return text + (others.empty() ? "" : "   id  type                value  label\n") + others;
}

Json to_json(const std::vector<CounterValue>& counters) {
  Json list = Json::array();
  for (const CounterValue& counter : counters) {
    Json json{{"id", counter.id},
              {"type_id", counter.type_id},
              {"label", escape(counter.label)},
              {"value", std::to_string(counter.value)}};
    if (is_ours(counter)) {
      add_owner(json, counter);
      json["figure"] = parts_of(counter).figure;
    }
    list.push_back(std::move(json));
  }
  return list;
}

void register_counters(Registry& registry) {
  const auto arguments = std::make_shared<CountersArguments>();
  CLI::App& command =
      registry.add(registry.top(), "counters", "Show the counters of drivers, leases, producers and consumers",
                   "tp counters --config driver.toml --format json",
                   [arguments](const Invocation& invocation) { return run_counters(invocation, *arguments); });
  command.add_flag("--all", arguments->all, "Aeron's own counters too");
  command.add_flag("--watch", arguments->watch, "once a second, until stopped");
  command.add_option("--match", arguments->match, "only those whose label contains this text");
}

}  // namespace tensorpool::apps::tp
