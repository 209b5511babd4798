// Driver: the owner of every shared-memory file, epoch and lease of one namespace (driver spec 1.0). This is the thin
// shell: it polls the control stream, asks the core (attach_desk, leases, provisioning, ...), and publishes the
// answers.
//
// An agent: one thread at a time calls do_work, which never blocks for long and does bounded work; every member belongs
// to that thread. Only request_shutdown and finished may be called from others.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "protocol/enums.hpp"
#include "roles/driver/driver_status.hpp"
#include "shm/space.hpp"
#include "shm/system_calls.hpp"
#include "tensorpool/driver_config.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"
#include "transport/connection.hpp"

namespace tensorpool::driver {

struct DriverDeps {
  // Opens a connection to the media driver; called at create and after each loss. May wait for a bounded time.
  std::function<Result<transport::Connection>()> connect;
  // CLOCK_REALTIME, for epochs only. Empty: the system's.
  std::function<Nanos()> realtime;
  // What the file system, memory and cgroup have free for a directory. Empty: asks the system.
  std::function<Result<shm::Space>(const std::string& directory)> space;
  // The system calls that make region files; nullptr: the kernel's. Must outlive the driver.
  shm::SystemCalls* system_calls = nullptr;
  // Names the directory `tensorpool-<user>`. Empty: the effective user's name.
  std::string user;
  // The Aeron directory, for the lock beside it, where config.driver.aeron_dir is empty. Empty too: Aeron's default.
  std::string aeron_dir;
  Log log;
};

class Driver {
 public:
  // Checks the configuration, takes both locks, connects and opens the streams. Fails with what is wrong and the
  // remedy; leaves nothing behind when it fails. Warnings go to the log.
  [[nodiscard]] static Result<std::unique_ptr<Driver>> create(DriverConfig config, DriverDeps deps);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  [[nodiscard]] std::string_view name() const noexcept { return "driver"; }
  // One duty cycle at CLOCK_MONOTONIC `now`; returns how much was done, 0 lets the runner idle.
  int do_work(Nanos now) noexcept;

  // Begins a graceful shutdown: attaches are refused, then a last announce and ShmDriverShutdown. Any thread;
  // idempotent.
  void request_shutdown(protocol::ShutdownReason reason) noexcept;
  // True once the notice is out and, if so configured, the files are gone. Any thread.
  [[nodiscard]] bool finished() const noexcept;
  // Why it ends by itself; nothing while it can go on. REQUIRES: called by the thread that calls do_work.
  [[nodiscard]] const std::optional<Error>& failure() const noexcept;

  // REQUIRES: called by the thread that calls do_work.
  [[nodiscard]] DriverStatus status() const;

 private:
  class Impl;
  explicit Driver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tensorpool::driver
