// Rig: one tensorpool of a test's own, in its own Aeron directory, shared-memory directory and namespace below a
// temporary directory, so that tests run side by side. Media driver and driver run in this process as threads, or as
// processes that the test kills; whichever it is, one configuration file serves them all.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "apps/config/node_config.hpp"
#include "protocol/messages.hpp"
#include "roles/driver/driver.hpp"
#include "support/child.hpp"
#include "support/temp_dir.hpp"
#include "support/wait.hpp"
#include "tensorpool/agent_runner.hpp"
#include "tensorpool/tensorpool.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool {

// What a client told its application.
class EventLog {
 public:
  [[nodiscard]] std::function<void(const Event&)> sink();
  [[nodiscard]] std::size_t count(EventKind kind) const;
  [[nodiscard]] bool heard(EventKind kind, std::string_view text = {}) const;
  // The last one of that kind and reason.
  [[nodiscard]] std::optional<Event> find(EventKind kind, EndReason reason) const;
  [[nodiscard]] std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Event> events_;
};

struct RigOptions {
  std::uint32_t nslots = 8;
  std::vector<driver::PoolConfig> pools{{1, 4096}, {2, 65536}};
  std::uint32_t period_ms = 200;    // of announces and keepalives
  std::uint32_t lease_periods = 3;  // a lease lasts so many of them
  Nanos client_liveness_ns =
      3 * nanos_per_second;        // of start_media(): how long a stopped process keeps its Aeron client
  std::string base_dir{};          // empty: one of the rig's own
  std::string policies{};          // further lines of [policies]
  std::string own_stream_range{};  // driver.descriptor_stream_id_range
  bool cleans_up = true;           // the driver removes its files at its end; false: its default
};
// Of a rig of these options, in milliseconds.
inline const std::int64_t period_ms = RigOptions{}.period_ms;
inline const std::int64_t lease_ms = period_ms * RigOptions{}.lease_periods;

class Rig {
 public:
  static constexpr std::uint32_t stream = 1001;  // both static streams have the profile of the options
  static constexpr std::uint32_t other_stream = 1002;

  explicit Rig(const RigOptions& options = {});
  ~Rig();

  [[nodiscard]] const std::string& dir() const noexcept { return dir_.path(); }
  [[nodiscard]] std::string aeron_dir() const { return dir_.path() + "/aeron"; }
  [[nodiscard]] const std::string& base_dir() const noexcept { return base_dir_; }
  // Where the driver's lock and its streams' directories lie.
  [[nodiscard]] std::string namespace_dir() const;
  [[nodiscard]] std::string epoch_dir(std::uint64_t epoch, std::uint32_t stream_id = stream) const;
  [[nodiscard]] std::string config_path() const { return dir_.path() + "/driver.toml"; }
  [[nodiscard]] const apps::NodeConfig& config() const noexcept { return config_; }

  // In this process.
  void start_media();
  void stop_media() { media_.reset(); }
  void start_driver();
  void stop_driver();  // with a goodbye, and its files removed unless the options say otherwise
  void start() { start_media(), start_driver(); }
  [[nodiscard]] driver::DriverStatus driver_status();
  [[nodiscard]] std::uint64_t epoch_of(std::uint32_t stream_id);
  // As processes; they are up when this returns. Those that are spawned from now on get these variables ("NAME=value").
  void set_environment(std::vector<std::string> variables) { environment_ = std::move(variables); }
  [[nodiscard]] std::unique_ptr<Child> spawn_media() const;
  [[nodiscard]] std::unique_ptr<Child> spawn_driver() const;
  [[nodiscard]] std::unique_ptr<Child> spawn_producer(std::vector<std::string> more = {}) const;
  [[nodiscard]] std::unique_ptr<Child> spawn_consumer(std::vector<std::string> more = {}) const;

  [[nodiscard]] ClientOptions client_options(const std::string& name, EventLog* events = nullptr) const;
  [[nodiscard]] Client connect(const std::string& name, EventLog* events = nullptr) const;

  // Region files of all epochs on disk, and every other file that is not an empty *.lock, one a line.
  [[nodiscard]] std::string files() const;

 private:
  std::unique_ptr<Child> spawn_peer(const std::string& role, std::vector<std::string> more) const;

  TempDir dir_;
  std::string base_dir_;
  Nanos client_liveness_ns_;
  apps::NodeConfig config_;
  std::vector<std::string> environment_;
  std::optional<transport::EmbeddedMediaDriver> media_;
  std::mutex driver_mutex_;
  std::unique_ptr<driver::Driver> driver_;
  std::unique_ptr<AgentRunner> driver_thread_;
};

// Ends with the checks that hold after every test: no process left, and no file but empty locks.
class RigTest : public ::testing::Test {
 protected:
  void TearDown() override;
  // The rig of this test, made on first use.
  Rig& rig(const RigOptions& options = {});
  // Ask for a clean end and wait for it.
  static void end(Child& peer);
  static void end_driver(Child& driver);

 private:
  std::unique_ptr<Rig> rig_;
};

// Every file below `dir` but empty *.lock files and the configuration, one a line.
[[nodiscard]] std::string files_below(const std::string& dir);
// Publishes `bytes` bytes whose content follows from the sequence (apps/flow/pattern.hpp).
PublishStatus publish_pattern(Producer& producer, std::size_t bytes);

}  // namespace tensorpool
