// A driver inside this process: the owner of the shared memory, epochs and leases of one namespace. An agent: one
// thread at a time calls do_work, its own (AgentRunner) or the loop of the application, and leases last as long as it
// is called. The configuration is plain data; nothing here reads a file. Not part of tensorpool.hpp: few need it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tensorpool/driver_config.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

struct DriverOptions {
  std::string user{};  // of the directory tensorpool-<user>; empty = the effective user's name
  // Each line of its log; level is "debug", "info", "warning" or "error". Must not throw nor call the Driver.
  std::function<void(std::string_view level, std::string_view text)> on_log{};
};

// One that was moved from may only be destroyed or assigned to.
class Driver {
 public:
  // Checks the configuration, takes the namespace and the control stream, and connects to the media driver of
  // config.driver.aeron_dir, which must run (MediaDriver; config.driver.media_driver is not looked at). The error says
  // what is wrong and the remedy.
  [[nodiscard]] static Result<Driver> create(driver::DriverConfig config, DriverOptions options = {});
  Driver(Driver&&) noexcept;
  Driver& operator=(Driver&&) noexcept;
  ~Driver();  // ends at once; say request_shutdown first and go on until finished() for a goodbye

  [[nodiscard]] std::string_view name() const noexcept { return "driver"; }
  // One duty cycle at CLOCK_MONOTONIC `now`; returns how much was done, 0 lets the caller idle.
  int do_work(Nanos now) noexcept;

  // Attaches are refused from now on, then everybody is told. Any thread; idempotent.
  void request_shutdown() noexcept;
  // The goodbye is out. Any thread.
  [[nodiscard]] bool finished() const noexcept;

 private:
  struct Impl;
  explicit Driver(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tensorpool
