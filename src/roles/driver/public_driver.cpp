// The public Driver: the driver's agent, with a connection of its own to the media driver.
#include <utility>

#include "base/origin.hpp"
#include "roles/driver/driver.hpp"
#include "tensorpool/driver.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool {
namespace {

std::string_view name_of(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      break;
  }
  return "error";
}

driver::DriverDeps deps_of(const driver::DriverConfig& config, DriverOptions options) {
  driver::DriverDeps deps;
  deps.user = std::move(options.user);
  deps.aeron_dir = config.driver.aeron_dir.empty() ? transport::default_aeron_dir() : config.driver.aeron_dir;
  if (options.on_log) {
    deps.log =
        Log([say = std::move(options.on_log)](LogLevel level, std::string_view text) { say(name_of(level), text); });
  }
  transport::ConnectionOptions wanted;
  wanted.aeron_dir = deps.aeron_dir;
  wanted.client_name = "tensorpool driver " + config.driver.instance_id;
  deps.connect = [wanted]() mutable {
    auto opened = transport::Connection::open(wanted);
    wanted.wait_for_driver = false;  // only the first time: what follows happens in a duty cycle
    return opened;
  };
  return deps;
}

}  // namespace

struct Driver::Impl {
  std::unique_ptr<driver::Driver> agent;
  const Origin origin{};
};

Driver::Driver(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Driver::Driver(Driver&&) noexcept = default;
Driver& Driver::operator=(Driver&& other) noexcept {
  replace(impl_, std::move(other.impl_));
  return *this;
}
Driver::~Driver() { leave_to_its_process(impl_); }

Result<Driver> Driver::create(driver::DriverConfig config, DriverOptions options) {
  driver::DriverDeps deps = deps_of(config, std::move(options));
  auto agent = driver::Driver::create(std::move(config), std::move(deps));
  if (!agent) return agent.error();
  return Driver(std::make_unique<Impl>(Impl{*std::move(agent)}));
}

int Driver::do_work(Nanos now) noexcept { return impl_->origin.is_here() ? impl_->agent->do_work(now) : 0; }
void Driver::request_shutdown() noexcept {
  if (impl_->origin.is_here()) impl_->agent->request_shutdown(protocol::ShutdownReason::normal);
}
bool Driver::finished() const noexcept { return !impl_->origin.is_here() || impl_->agent->finished(); }

}  // namespace tensorpool
