#include "apps/tp/command.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "apps/config/client_setup.hpp"
#include "apps/support/command_line.hpp"
#include "apps/support/connect_patiently.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/stop_signal.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr Nanos first_word_ns = 2 * nanos_per_second;  // a driver that is there answers sooner
constexpr Nanos next_word_ns = 5 * nanos_per_second;

constexpr const char* exit_statuses =
    "Exit status: 0 done, 1 failed or mismatch, 2 bad arguments or configuration, 3 no driver or no answer in time, "
    "4 refused by the driver, 5 tp supervise --exit-on: what it waits for happened.";

template <class T>
CLI::Option* option(CLI::App& command, const char* name, T& target, const char* description) {
  return command.add_option(name, target, description)->group(common_options);
}

void add_common(CLI::App& command, CommonOptions& common) {
  option(command, "--config", common.config, "configuration file; else the variable TENSORPOOL_CONFIG names it");
  option(command, "--aeron-dir", common.aeron_dir, "directory of the media driver");
  option(command, "--channel", common.channel, "Aeron channel for everything");
  option(command, "--control-channel", common.control_channel, "Aeron channel of control messages");
  option(command, "--announce-channel", common.announce_channel, "Aeron channel of announces");
  option(command, "--descriptor-channel", common.descriptor_channel, "Aeron channel of frame descriptors");
  option(command, "--qos-channel", common.qos_channel, "Aeron channel of QoS messages");
  option(command, "--metadata-channel", common.metadata_channel, "Aeron channel of metadata");
  const auto aeron_stream = [&](const char* name, std::optional<std::int32_t>& target, const char* description) {
    add_aeron_stream_id(command, name, target, description)->group(common_options);
  };
  aeron_stream("--control-stream-id", common.control_stream_id, "Aeron stream of control messages");
  aeron_stream("--announce-stream-id", common.announce_stream_id, "Aeron stream of announces");
  aeron_stream("--descriptor-stream-id", common.descriptor_stream_id, "Aeron stream of frame descriptors");
  aeron_stream("--qos-stream-id", common.qos_stream_id, "Aeron stream of QoS messages");
  aeron_stream("--metadata-stream-id", common.metadata_stream_id, "Aeron stream of metadata");
  add_count(command, "--client-id", common.client_id, "client id to attach with; 0 or none: random")
      ->group(common_options);
  add_seconds(command, "--attach-timeout", common.attach_timeout_ns,
              "seconds to wait for the driver's answer, which reserves the memory first (30)")
      ->group(common_options);
  option(command, "--allowed-base-dir", common.allowed_base_dirs,
         "map regions only below these directories (repeatable)");
  command.add_option("--format", common.format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->group(common_options);
}

// The keys of the driver's tables that an option stands for.
void apply_to_driver(const CommonOptions& options, driver::DriverConfig& config) {
  const auto set = [](const auto& option, auto& key) {
    if (option) {
      key = static_cast<std::remove_reference_t<decltype(key)>>(*option);
    }
  };
  driver::DriverTable& table = config.driver;
  set(options.aeron_dir, table.aeron_dir);
  for (std::string* channel : {&table.control_channel, &table.announce_channel, &table.descriptor_channel,
                               &table.qos_channel, &table.metadata_channel}) {
    set(options.channel, *channel);
  }
  set(options.control_channel, table.control_channel);
  set(options.announce_channel, table.announce_channel);
  set(options.descriptor_channel, table.descriptor_channel);
  set(options.qos_channel, table.qos_channel);
  set(options.metadata_channel, table.metadata_channel);
  set(options.control_stream_id, table.control_stream_id);
  if (options.announce_stream_id) {
    table.announce_stream_id = static_cast<std::uint32_t>(*options.announce_stream_id);
  }
  set(options.descriptor_stream_id, table.descriptor_stream_id);
  set(options.qos_stream_id, table.qos_stream_id);
  set(options.metadata_stream_id, table.metadata_stream_id);
  if (!options.allowed_base_dirs.empty()) {
    config.shm.allowed_base_dirs = options.allowed_base_dirs;
  }
}

}  // namespace

std::string Invocation::config_path() const {
  return options_.config ? *options_.config : environment_.get("TENSORPOOL_CONFIG").value_or("");
}

Result<NodeConfig> Invocation::config(const std::string& path) const {
  Result<NodeConfig> loaded = load_node_config(path.empty() ? config_path() : path, environment_);
  if (loaded) {
    apply_to_driver(options_, loaded->driver);
  }
  return loaded;
}

ClientOptions Invocation::producer_client(const NodeConfig& config) const {
  ClientOptions client = producer_client_options(config, config);
  apply(client);
  return client;
}

ClientOptions Invocation::consumer_client(const NodeConfig& config) const {
  ClientOptions client = consumer_client_options(config, config);
  apply(client);
  return client;
}

SupervisorOptions Invocation::supervisor(const NodeConfig& config) const {
  SupervisorOptions supervisor = supervisor_options(config, config);
  apply(supervisor.where);
  return supervisor;
}

void Invocation::apply(ClientOptions& client) const {
  const auto set = [](const auto& option, auto& target) {
    if (option) {
      target = *option;
    }
  };
  set(options_.aeron_dir, client.aeron_dir);
  for (ChannelOptions* one : {&client.control, &client.announce, &client.descriptor, &client.qos, &client.metadata}) {
    set(options_.channel, one->channel);
  }
  set(options_.control_channel, client.control.channel);
  set(options_.announce_channel, client.announce.channel);
  set(options_.descriptor_channel, client.descriptor.channel);
  set(options_.qos_channel, client.qos.channel);
  set(options_.metadata_channel, client.metadata.channel);
  set(options_.control_stream_id, client.control.stream_id);
  set(options_.announce_stream_id, client.announce.stream_id);
  set(options_.descriptor_stream_id, client.descriptor.stream_id);
  set(options_.qos_stream_id, client.qos.stream_id);
  set(options_.metadata_stream_id, client.metadata.stream_id);
  if (options_.attach_timeout_ns) {
    client.attach_timeout_ns = std::max<Nanos>(1, *options_.attach_timeout_ns);
  }
  if (!options_.allowed_base_dirs.empty()) {
    client.allowed_base_dirs = options_.allowed_base_dirs;
  }
}

Registry::Registry() : app_("tp: everything around a tensorpool but the data path", "tp") {
  app_.formatter(help_formatter());
  app_.require_subcommand(1);
  app_.set_help_all_flag("--help-all", "Print this help message with the options of all commands and exit");
  app_.footer(fmt::format("tp COMMAND --help shows its options and an example.\n{}", exit_statuses));
}

CLI::App& Registry::group(const std::string& name, const std::string& description) {
  for (CLI::App* existing : app_.get_subcommands([&](CLI::App* command) { return command->get_name() == name; })) {
    return *existing;
  }
  return *app_.add_subcommand(name, description)->require_subcommand(1);
}

CLI::App& Registry::add(CLI::App& parent, const std::string& name, const std::string& description,
                        const std::string& example, Body body) {
  CLI::App& command = *parent.add_subcommand(name, description);
  add_common(command, *common_);
  command.footer(fmt::format("Example:\n  {}\n\n{}", example, exit_statuses));
  command.callback([this, body = std::move(body)] { chosen_ = body; });
  return command;
}

int Registry::run(int argc, const char* const* argv, Environment environment) {
  if (const auto ended = parse_command_line(app_, argc, argv)) return *ended;
  return chosen_ ? chosen_(Invocation(*common_, std::move(environment))) : exit_usage;
}

void require_client_id(CLI::App& command) {
  const auto is_id = [](const std::string& text) {
    const auto id = parse_count<std::uint32_t>(text, 1);
    return id ? std::string() : id.error().message;
  };
  command.get_option("--client-id")->required()->check(is_id)->group("Options");
}

std::function<bool()> wait_until_stopped(ClientOptions& client) {
  return [what = describe_wait(client), log = stderr_log(), next = monotonic_now() + first_word_ns]() mutable {
    if (const Nanos now = monotonic_now(); now >= next) {
      next = now + next_word_ns;
      log(LogLevel::info, "waiting: " + what());
    }
    return !stop_requested();
  };
}

int fail(const Error& error) { return give_up("tp", error); }

}  // namespace tensorpool::apps::tp
