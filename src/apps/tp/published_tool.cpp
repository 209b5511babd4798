#include "apps/tp/published_tool.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <string_view>

#include "apps/config/nearest.hpp"
#include "apps/config/number.hpp"
#include "base/error.hpp"
#include "base/log.hpp"

namespace tensorpool::apps::tp {
namespace {

struct Positional {
  std::string_view name;
  std::string_view option;    // of tp; empty: one of tp's own positional arguments
  std::string_view variable;  // empty: none
  // An expectation: of the field that has this name, as tp shm inspect --expect takes it.
  enum class As : unsigned char { text, seconds_from_ms, expectation } as = As::text;
  std::string_view otherwise = {};  // as given, when neither the argument nor the variable is there
};

struct Published {
  std::string_view name;
  std::vector<std::string_view> ours;  // words of tp; empty: no counterpart
  std::vector<Positional> positionals;
  std::string_view why_not = {};
};

using As = Positional::As;

constexpr Positional aeron_dir{"aeron_dir", "--aeron-dir", "TP_AERON_DIR"};
constexpr Positional control_channel{"control_channel", "--control-channel", "TP_CONTROL_CHANNEL"};
constexpr Positional control_stream{"control_stream_id", "--control-stream-id", "TP_CONTROL_STREAM_ID"};
constexpr Positional client_id{"client_id", "--client-id", "TP_CLIENT_ID"};
constexpr Positional role{"role", "--role", "TP_ROLE"};
constexpr Positional stream{"stream_id", "--stream", "TP_STREAM_ID"};
constexpr Positional lease_id{"lease_id", "--lease-id", "TP_LEASE_ID"};
constexpr Positional shm_uri{"uri", "", "TP_SHM_URI"};
constexpr Positional instance_id{"driver_instance_id", "--instance", ""};
constexpr Positional metadata_channel{"channel", "--metadata-channel", "TP_METADATA_CHANNEL"};
constexpr Positional metadata_stream{"stream_id", "--metadata-stream-id", "TP_METADATA_STREAM_ID"};
constexpr Positional duration{"duration_s", "--seconds", "", As::text, "5"};
constexpr Positional config_path{"config_path", "", ""};

constexpr Positional expected(std::string_view field) { return {field, "--expect", "", As::expectation}; }

constexpr std::string_view no_discovery = "tp cannot ask a discovery service";

const std::vector<Published>& table() {
  static const std::vector<Published> published{
      {"driver-attach",
       {"driver", "attach"},
       {aeron_dir,
        control_channel,
        control_stream,
        client_id,
        role,
        stream,
        {"publish_mode", "--publish-mode", ""},
        {"expected_layout_version", "--expected-layout-version", ""},
        {"require_hugepages_policy", "--hugepages", ""},
        {"timeout_ms", "--attach-timeout", "", As::seconds_from_ms}}},
      {"driver-detach",
       {"driver", "detach"},
       {aeron_dir,
        control_channel,
        control_stream,
        client_id,
        role,
        stream,
        lease_id,
        {"timeout_ms", "--timeout", "", As::seconds_from_ms}}},
      {"driver-keepalive",
       {"driver", "keepalive"},
       {aeron_dir, control_channel, control_stream, client_id, role, stream, lease_id}},
      {"driver-status", {"driver", "status"}, {instance_id}},
      {"driver-list-leases", {"driver", "leases"}, {instance_id}},
      {"driver-list-streams", {"driver", "streams"}, {instance_id}},
      {"driver-config-validate", {"driver", "validate"}, {config_path}},
      {"driver-counters", {"counters"}, {aeron_dir, {"filter", "--match", "", As::text, ", driver "}}},
      {"stats", {"counters"}, {aeron_dir, {"filter", "--match", ""}}},
      {"announce-listen",
       {"listen", "announce"},
       {aeron_dir,
        {"channel", "--announce-channel", "TP_CHANNEL"},
        {"stream_id", "--announce-stream-id", "TP_STREAM_ID"},
        duration}},
      {"control-listen", {"listen", "control"}, {aeron_dir, control_channel, control_stream, duration}},
      {"metadata-listen", {"listen", "metadata"}, {aeron_dir, metadata_channel, metadata_stream, duration}},
      {"metadata-dump",
       {"listen", "metadata"},
       {aeron_dir, metadata_channel, metadata_stream, {"timeout_ms", "--seconds", "", As::seconds_from_ms, "5000"}}},
      {"qos-listen",
       {"listen", "qos"},
       {aeron_dir,
        {"channel", "--qos-channel", "TP_QOS_CHANNEL"},
        {"stream_id", "--qos-stream-id", "TP_QOS_STREAM_ID"},
        duration}},
      {"driver-config-dump", {"driver", "validate", "--keys"}, {config_path}},
      {"validate-uri", {"shm", "inspect"}, {shm_uri}},
      {"read-header", {"shm", "inspect"}, {shm_uri, {"index", "--slot", ""}}},
      {"shm-validate",
       {"shm", "inspect"},
       {shm_uri, expected("layout_version"), expected("epoch"), expected("stream_id"), expected("nslots"),
        expected("slot_bytes"), expected("region_type"), expected("pool_id")}},
      {"send-consumer-config",
       {"configure"},
       {aeron_dir,
        {"aeron_uri", "--control-channel", "TP_AERON_URI"},
        control_stream,
        stream,
        client_id,
        {"use_shm", "--use-shm", "TP_USE_SHM"},
        {"mode", "--mode", "TP_MODE"},
        {"payload_fallback_uri", "--payload-fallback-uri", "TP_PAYLOAD_FALLBACK_URI"}}},
      {"read-superblock", {"shm", "inspect"}, {shm_uri}},
      {"shm-summary", {"shm", "inspect"}, {shm_uri}},
      {"discovery-list", {}, {}, no_discovery},
      {"discovery-query", {}, {}, no_discovery},
      {"discover", {}, {}, no_discovery},
      {"bridge-status", {}, {}, "there is no bridge whose figures could be read"},
  };
  return published;
}

const Published* find(std::string_view name) {
  for (const Published& command : table()) {
    if (command.name == name) {
      return &command;
    }
  }
  return nullptr;
}

Result<std::string> converted(const Positional& positional, const std::string& text) {
  if (positional.as == As::text) {
    return text;
  }
  if (positional.as == As::expectation) {
    return fmt::format("{}={}", positional.name, text);
  }
  const auto milliseconds = parse_finite(text);
  if (!milliseconds || *milliseconds < 0) {
    return make_error(ErrorCode::invalid_argument, "{}: {} is not a number of milliseconds", positional.name,
                      escape(text));
  }
  return fmt::format("{}", *milliseconds > 0 ? std::max(*milliseconds / 1000, 1e-9) : 0.0);
}

Error unknown(const std::string& name) {
  const std::vector<std::string> names = published_commands();
  const auto meant = nearest(name, names);
  if (name.empty()) {
    return make_error(ErrorCode::invalid_argument, "a command is missing; tp_tool takes {}", fmt::join(names, ", "));
  }
  return make_error(ErrorCode::invalid_argument, "unknown command {}{}; tp_tool takes {}", escape(name),
                    meant ? fmt::format(", did you mean {}?", *meant) : "", fmt::join(names, ", "));
}

}  // namespace

std::vector<std::string> published_commands() {
  std::vector<std::string> names;
  for (const Published& command : table()) {
    names.emplace_back(command.name);
  }
  return names;
}

Result<std::vector<std::string>> translate_published(const std::vector<std::string>& given,
                                                     const Environment& environment) {
  const std::string name = given.empty() ? "" : given.front();
  const Published* const command = find(name);
  if (command == nullptr) {
    return unknown(name);
  }
  if (command->ours.empty()) {
    return make_error(ErrorCode::unsupported, "{}: {}", name, command->why_not);
  }
  std::vector<std::string> out{"tp"};
  out.insert(out.end(), command->ours.begin(), command->ours.end());
  std::size_t next = 1;
  for (const Positional& positional : command->positionals) {
    const bool there = next < given.size() && !given[next].starts_with("--");
    std::string text = there ? given[next++] : "";
    if (text.empty() && !positional.variable.empty()) {
      text = environment.get(std::string(positional.variable)).value_or("");
    }
    if (text.empty()) {
      text = positional.otherwise;
    }
    if (text.empty()) {
      continue;
    }
    const Result<std::string> value = converted(positional, text);
    if (!value) {
      return value.error();
    }
    if (!positional.option.empty()) {
      out.emplace_back(positional.option);
    }
    out.push_back(*value);
  }
  if (next < given.size() && !given[next].starts_with("--")) {
    return make_error(ErrorCode::invalid_argument, "{} takes at most {} arguments; {} is one too many", name,
                      command->positionals.size(), given[next]);
  }
  out.insert(out.end(), given.begin() + static_cast<std::ptrdiff_t>(next), given.end());
  return out;
}

std::string published_usage() {
  std::string out =
      "Usage: tp_tool COMMAND [ARGUMENT...] [OPTION of tp...]\n\n"
      "The commands of the published tool, done by tp. An argument that is left out comes from its variable,\n"
      "else from the configuration that --config or TENSORPOOL_CONFIG names.\n\nCommands:\n";
  for (const Published& command : table()) {
    out += fmt::format("  {}", command.name);
    for (const Positional& positional : command.positionals) {
      out += fmt::format(" [{}]", positional.name);
    }
    out += command.ours.empty() ? fmt::format("\n      not here: {}\n", command.why_not)
                                : fmt::format("\n      = tp {}\n", fmt::join(command.ours, " "));
  }
  return out +
         "\nVariables: TP_AERON_DIR, TP_CHANNEL, TP_CONTROL_CHANNEL, TP_CONTROL_STREAM_ID, TP_METADATA_CHANNEL,\n"
         "TP_METADATA_STREAM_ID, TP_QOS_CHANNEL, TP_QOS_STREAM_ID, TP_CLIENT_ID, TP_ROLE, TP_STREAM_ID, TP_LEASE_ID,\n"
         "TP_SHM_URI, TP_AERON_URI, TP_USE_SHM, TP_MODE, TP_PAYLOAD_FALLBACK_URI\n"
         "Example: tp_tool driver-attach /dev/shm/aeron aeron:ipc 1000 7 producer 42\n";
}

}  // namespace tensorpool::apps::tp
