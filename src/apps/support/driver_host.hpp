// Runs a driver as a program: media driver, driver agent, duty cycle on the calling thread, clean end on a signal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/config/node_config.hpp"
#include "apps/support/hosted_role.hpp"
#include "base/log.hpp"
#include "shm/space.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps {

// driver.aeron_dir, or Aeron's default directory of this user.
[[nodiscard]] std::string aeron_dir_of(const driver::DriverConfig& config);

// What can still be had where the configuration puts its regions; nothing where that cannot be examined.
[[nodiscard]] shm::Space space_of(const driver::DriverConfig& config);

// A driver and, where needed, its media driver. The error is why it cannot start.
[[nodiscard]] Result<std::unique_ptr<HostedRole>> start_driver(const NodeConfig& config, const LogSink& sink);

// Returns when the driver has shut down: after a stop signal, or a shutdown request with the right token. The error is
// why it could not start or go on.
[[nodiscard]] Status run_driver(const NodeConfig& config, const LogSink& sink);

// The same with the error printed on standard error; returns the exit status of a program.
int run_driver_program(const std::string& program, const NodeConfig& config);

}  // namespace tensorpool::apps
