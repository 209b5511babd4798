#include "apps/support/driver_host.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "apps/support/exit_code.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/media_driver_host.hpp"
#include "apps/support/stop_signal.hpp"
#include "base/idle.hpp"
#include "roles/driver/driver.hpp"
#include "shm/space.hpp"

namespace tensorpool::apps {
namespace {

// How long a killed media driver's heartbeat looks alive, and some.
constexpr Nanos predecessor_patience_ns = 12 * nanos_per_second;
constexpr Nanos idle_ns = nanos_per_milli;

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
  deps.connect = [&media, options]() -> Result<transport::Connection> {
    if (Status there = media.ensure(0); !there) {
      return there.error();
    }
    return transport::Connection::open(options);
  };
  return deps;
}

void serve(driver::Driver& driver) {
  Idle idle(IdleMode::backoff, idle_ns);
  bool asked = false;
  while (!driver.finished()) {
    if (stop_requested() && !asked) {
      asked = true;
      driver.request_shutdown(protocol::ShutdownReason::normal);
    }
    idle.idle(driver.do_work(monotonic_now()));
  }
}

}  // namespace

std::string aeron_dir_of(const driver::DriverConfig& config) {
  return config.driver.aeron_dir.empty() ? transport::default_aeron_dir() : config.driver.aeron_dir;
}

std::vector<std::string> describe_footprint(const driver::DriverConfig& config) {
  const Result<shm::Space> space = shm::probe_space(existing_parent(config.shm.base_dir));
  return describe(footprint(config), config, space ? space->free_bytes() : 0);
}

Status run_driver(const NodeConfig& config, const LogSink& sink) {
  std::vector<std::string> warnings;  // the driver logs them itself, and what the streams take
  if (Status verdict = check_driver(config, warnings); !verdict) {
    return verdict;
  }
  Log log(sink);
  for (const std::string& warning : config.warnings) {
    log.warning("{}", warning);
  }
  const std::string aeron_dir = aeron_dir_of(config.driver);
  MediaDriverHost media(config.driver.driver.media_driver, aeron_dir, group_may_attach(config.driver), sink);
  if (Status there = media.ensure(predecessor_patience_ns); !there) {
    return there;
  }
  auto driver = driver::Driver::create(config.driver, deps_of(config.driver, media, sink));
  if (!driver) {
    const Error& error = driver.error();
    return error.code == ErrorCode::invalid_config ? Error{error.code, with_place(config, error.message)} : error;
  }
  log.info("driver {} serves control stream {} on {} in {}", config.driver.driver.instance_id,
           config.driver.driver.control_stream_id, config.driver.driver.control_channel, aeron_dir);
  serve(**driver);
  if (const auto& failure = (*driver)->failure()) {
    return *failure;
  }
  log.info("driver {} has shut down", config.driver.driver.instance_id);
  return {};
}

int run_driver_program(const std::string& program, const NodeConfig& config) {
  if (Status ran = run_driver(config, stderr_log()); !ran) {
    fmt::print(stderr, "{}: {}\n", program, ran.error().message);
    return exit_code_of(ran.error().code);
  }
  return exit_ok;
}

}  // namespace tensorpool::apps
