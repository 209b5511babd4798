#include "apps/support/driver_host.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "apps/support/exit_code.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/media_driver_host.hpp"
#include "apps/support/stop_signal.hpp"
#include "roles/driver/driver.hpp"
#include "shm/space.hpp"

namespace tensorpool::apps {
namespace {

// How long a killed media driver's heartbeat looks alive, and some.
constexpr Nanos predecessor_patience_ns = 12 * nanos_per_second;

// The nearest directory above that exists: the driver makes base_dir when it is missing.
std::string existing_parent(const std::string& path) {
  std::filesystem::path at(path);
  std::error_code ignored;
  while (at.has_relative_path() && !std::filesystem::exists(at, ignored)) {
    at = at.parent_path();
  }
  return at.string();
}

// Whoever may read the regions must write Aeron's files: to attach is to send a message.
bool group_may_attach(const driver::DriverConfig& config) {
  const Result<std::uint32_t> mode = driver::parse_permissions_mode(config.shm.permissions_mode);
  return mode && (*mode & 0040u) != 0;
}

driver::DriverDeps deps_of(const driver::DriverConfig& config, MediaDriverHost& media, const LogSink& sink) {
  driver::DriverDeps deps;
  deps.aeron_dir = aeron_dir_of(config);
  deps.log = Log(sink);
  transport::ConnectionOptions options;
  options.aeron_dir = deps.aeron_dir;
  options.client_name = "tensorpool driver " + config.driver.instance_id;
  deps.connect = [&media, options]() mutable -> Result<transport::Connection> {
    if (Status there = media.ensure(0); !there) {
      return there.error();
    }
    auto opened = transport::Connection::open(options);
    options.wait_for_driver = false;  // only the first time: what follows happens in a duty cycle
    return opened;
  };
  return deps;
}

class HostedDriver final : public HostedRole {
 public:
  HostedDriver(const NodeConfig& config, const std::string& aeron_dir, const LogSink& sink)
      : name_(config.driver.driver.instance_id),
        log_(sink),
        media_(config.driver.driver.media_driver, aeron_dir, group_may_attach(config.driver), sink) {}

  Status start(const NodeConfig& config, const LogSink& sink) {
    if (Status there = media_.ensure(predecessor_patience_ns); !there) {
      return there;
    }
    auto started = driver::Driver::create(config.driver, deps_of(config.driver, media_, sink));
    if (!started) {
      const Error& error = started.error();
      return error.code == ErrorCode::invalid_config ? Error{error.code, with_place(config, error.message)} : error;
    }
    driver_ = *std::move(started);
    return {};
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "driver"; }
  int do_work(Nanos now) noexcept override {
    const int work = driver_->do_work(now);
    if (!told_ && driver_->finished() && !driver_->failure()) {
      told_ = true;
      log_.info("driver {} has shut down", name_);
    }
    return work;
  }
  void request_stop() noexcept override { driver_->request_shutdown(protocol::ShutdownReason::normal); }
  [[nodiscard]] bool finished() const noexcept override { return driver_->finished(); }
  [[nodiscard]] std::optional<Error> failure() const override { return driver_->failure(); }

 private:
  std::string name_;
  Log log_;
  MediaDriverHost media_;  // outlives the driver, which asks it for one after each loss
  std::unique_ptr<driver::Driver> driver_;
  bool told_ = false;
};

}  // namespace

std::string aeron_dir_of(const driver::DriverConfig& config) {
  return config.driver.aeron_dir.empty() ? transport::default_aeron_dir() : config.driver.aeron_dir;
}

shm::Space space_of(const driver::DriverConfig& config) {
  const Result<shm::Space> space = shm::probe_space(existing_parent(config.shm.base_dir));
  return space ? *space : shm::Space{.file_system_free = 0, .mem_available = {}, .cgroup_free = {}};
}

Result<std::unique_ptr<HostedRole>> start_driver(const NodeConfig& config, const LogSink& sink) {
  std::vector<std::string> warnings;  // the driver logs them itself, and what the streams take
  if (Status verdict = check_driver(config, warnings); !verdict) {
    return verdict.error();
  }
  const std::string aeron_dir = aeron_dir_of(config.driver);
  auto hosted = std::make_unique<HostedDriver>(config, aeron_dir, sink);
  if (Status started = hosted->start(config, sink); !started) {
    return started.error();
  }
  const driver::DriverTable& table = config.driver.driver;
  Log(sink).info("driver {} serves control stream {} on {} in {}", table.instance_id, table.control_stream_id,
                 table.control_channel, aeron_dir);
  return std::unique_ptr<HostedRole>(std::move(hosted));
}

Status run_driver(const NodeConfig& config, const LogSink& sink) {
  let_hangup_reopen_log();
  Log log(sink);
  for (const std::string& warning : config.warnings) {
    log.warning("{}", warning);
  }
  auto started = start_driver(config, sink);
  if (!started) {
    return started.error();
  }
  const std::array roles{*std::move(started)};
  return run_roles(roles, sink);
}

int run_driver_program(const std::string& program, const NodeConfig& config) {
  if (Status ran = run_driver(config, stderr_log()); !ran) {
    return give_up(program, ran.error());
  }
  return exit_ok;
}

}  // namespace tensorpool::apps
