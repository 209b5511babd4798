// How a command of `tp` is made: it registers a name, its own options, an example and a body; options that all commands
// share, help, configuration and exit codes come from here. One file per command group; commands.cpp lists the groups.
//
//   void register_consume(Registry& registry) {
//     struct Options { bool verify = false; };
//     auto options = std::make_shared<Options>();
//     CLI::App& command = registry.add(registry.top(), "consume", "Receive frames of a stream", "tp consume 1
//     --verify",
//                                      [options](const Invocation& invocation) { return ...; });
//     command.add_flag("--verify", options->verify, "check the content of each frame");
//   }
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/config/node_config.hpp"
#include "apps/support/exit_code.hpp"
#include "tensorpool/client.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool::apps::tp {

enum class Format : std::uint8_t { text, json };

// The options that every command takes, as given; absent ones come from the configuration.
struct CommonOptions {
  std::optional<std::string> config;  // else TENSORPOOL_CONFIG
  std::optional<std::string> aeron_dir;
  std::optional<std::string> channel;  // for all five, unless one is given below
  std::optional<std::string> control_channel;
  std::optional<std::string> announce_channel;
  std::optional<std::string> descriptor_channel;
  std::optional<std::string> qos_channel;
  std::optional<std::string> metadata_channel;
  std::optional<std::int32_t> control_stream_id;
  std::optional<std::int32_t> announce_stream_id;
  std::optional<std::int32_t> descriptor_stream_id;
  std::optional<std::int32_t> qos_stream_id;
  std::optional<std::int32_t> metadata_stream_id;
  std::optional<std::uint32_t> client_id;
  std::optional<Nanos> attach_timeout_ns;
  std::vector<std::string> allowed_base_dirs;
  std::string format = "text";
};

// What a command is called with.
class Invocation {
 public:
  Invocation(CommonOptions options, Environment environment)
      : options_(std::move(options)), environment_(std::move(environment)) {}

  [[nodiscard]] Format format() const { return options_.format == "json" ? Format::json : Format::text; }
  [[nodiscard]] bool json() const { return format() == Format::json; }
  [[nodiscard]] const CommonOptions& options() const { return options_; }
  [[nodiscard]] const Environment& environment() const { return environment_; }
  // As --client-id says, else `configured`; 0 = a random one.
  [[nodiscard]] std::uint32_t client_id(std::uint32_t configured) const {
    return options_.client_id.value_or(configured);
  }

  // --config, else TENSORPOOL_CONFIG, else "": defaults and environment alone.
  [[nodiscard]] std::string config_path() const;
  // The configuration at `path`, else at config_path(), with the options over it.
  [[nodiscard]] Result<NodeConfig> config(const std::string& path = {}) const;
  // What Client::connect needs, from the configuration and the options over it.
  [[nodiscard]] ClientOptions producer_client(const NodeConfig& config) const;
  [[nodiscard]] ClientOptions consumer_client(const NodeConfig& config) const;
  // What Supervisor::create needs, likewise.
  [[nodiscard]] SupervisorOptions supervisor(const NodeConfig& config) const;

 private:
  void apply(ClientOptions& client) const;

  CommonOptions options_;
  Environment environment_;
};

class Registry {
 public:
  using Body = std::function<int(const Invocation&)>;

  Registry();

  [[nodiscard]] CLI::App& top() { return app_; }
  // A name that only holds commands, such as `tp driver`; made at the first call.
  [[nodiscard]] CLI::App& group(const std::string& name, const std::string& description);
  // A command below `parent`. `example` is shown by its --help. The body's result is the exit status.
  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& description, const std::string& example,
                Body body);

  // Parses and runs; returns the exit status.
  int run(int argc, const char* const* argv, Environment environment);

 private:
  CLI::App app_;
  std::shared_ptr<CommonOptions> common_ = std::make_shared<CommonOptions>();
  Body chosen_;
};

// For a command that cannot do without --client-id, which then is one of its own options, and not 0.
void require_client_id(CLI::App& command);

// For ClientOptions::keep_waiting: until a stop signal, saying now and then what `client` waits for.
[[nodiscard]] std::function<bool()> wait_until_stopped(ClientOptions& client);

// give_up() of tp.
int fail(const Error& error);

}  // namespace tensorpool::apps::tp
