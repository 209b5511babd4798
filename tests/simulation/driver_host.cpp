#include "simulation/driver_host.hpp"

#include <filesystem>
#include <set>

#include "transport/loopback/faults.hpp"

namespace tensorpool::simulation {

using protocol::Role;

void DriverHost::start() {
  if (stage_.sabotaged(Sabotage::reuse_epochs) && !epochs_.empty()) {
    std::filesystem::remove_all(stage_.base_dir + "/tensorpool-simulated");
    stage_.clock.realtime -= 10'000 * nanos_per_second;
  }
  driver::DriverConfig config = stage_.setup.driver;
  config.driver.aeron_dir = stage_.bus;
  config.shm.base_dir = stage_.base_dir;
  driver::DriverDeps deps;
  deps.connect = [this] { return transport::Connection::open({.aeron_dir = stage_.bus, .client_name = "driver"}); };
  deps.space = [this](const std::string&) -> Result<shm::Space> {
    shm::Space space;
    if (stage_.no_space) space.file_system_free = 0;
    return space;
  };
  deps.user = "simulated";
  deps.log = Log([this](LogLevel, std::string_view line) { stage_.journal.note("driver: {}", line); });
  auto created = driver::Driver::create(std::move(config), std::move(deps));
  if (!created) {
    stage_.journal.note("the driver cannot start: {}", created.error().message);
    down_until_ = stage_.clock.now + stage_.random.between(1, 100) * nanos_per_milli;
    return;
  }
  ++stage_.figures.lives;
  driver_ = std::move(*created);
}

void DriverHost::turn() {
  if (!driver_ && stage_.clock.now >= down_until_) start();
  for (auto cycles = stage_.random.between(1, 8); cycles > 0; --cycles) work();
}

void DriverHost::work() {
  if (!driver_ || stage_.clock.now < stopped_until_) return;
  driver_->do_work(stage_.clock.now);
  if (!driver_->finished()) return;
  stage_.journal.note("the driver has ended");
  driver_.reset();
  down_until_ = stage_.clock.now + down_for_;
}

void DriverHost::kill(Nanos down_for) {
  if (!driver_) return;
  stage_.journal.note("the driver is killed");
  driver_.reset();
  down_until_ = stage_.clock.now + down_for;
  stopped_until_ = 0;
}

void DriverHost::stop(Nanos duration) {
  stage_.journal.note("the driver is stopped for {} ms", duration / nanos_per_milli);
  stopped_until_ = stage_.clock.now + duration;
}

void DriverHost::shut_down(Nanos down_for) {
  if (!driver_) return;
  stage_.journal.note("the driver is told to end");
  driver_->request_shutdown(protocol::ShutdownReason::normal);
  down_for_ = down_for;
}

void DriverHost::cut() {
  stage_.journal.note("the driver is taken for dead by the media driver");
  transport::loopback::cut_connections(stage_.bus, "driver");
}

void DriverHost::recover() { stopped_until_ = down_until_ = down_for_ = 0; }

void DriverHost::finish() {
  if (!driver_) return;
  driver_->request_shutdown(protocol::ShutdownReason::normal);
  for (int cycle = 0; driver_ && cycle < 2000; ++cycle) {
    stage_.clock.pass(nanos_per_milli);
    work();
  }
  if (driver_) stage_.journal.violated("I9", "the driver does not end");
  driver_.reset();
}

void DriverHost::audit() {
  if (!driver_) return;
  driver::DriverStatus status = driver_->status();
  if (driver_->failure()) stage_.journal.violated("I9", "the driver gave up: {}", driver_->failure()->message);
  std::map<std::uint32_t, std::uint32_t> producers;
  for (const driver::LeaseStatus& lease : status.leases) {
    if (lease.role != Role::producer) continue;
    const bool second = !producers.emplace(lease.stream_id, lease.client_id).second;
    if (second || stage_.sabotaged(Sabotage::share_a_stream)) {
      stage_.journal.violated("I4", "stream {} has a second producer's lease, {}", lease.stream_id, lease.lease_id);
    }
  }
  for (const driver::StreamStatus& stream : status.streams) {
    const auto holder = producers.find(stream.stream_id);
    if (stream.producer_id != (holder == producers.end() ? 0 : holder->second)) {
      stage_.journal.violated("books", "stream {} is said to be produced by {}", stream.stream_id, stream.producer_id);
    }
    if (stream.producer_id != 0 && stream.epoch == 0) {
      stage_.journal.violated("books", "stream {} has a producer and no epoch", stream.stream_id);
    }
    if (stream.epoch == 0) continue;
    if (stream.epoch < epochs_[stream.stream_id]) {
      stage_.journal.violated("I3", "stream {} went from epoch {} to {}", stream.stream_id, epochs_[stream.stream_id],
                              stream.epoch);
    }
    epochs_[stream.stream_id] = stream.epoch;
  }
  const driver::DriverCounts& counts = status.counts;
  const std::uint64_t granted = counts.attaches + (stage_.sabotaged(Sabotage::forget_an_attach) ? 1 : 0);
  if (granted != status.leases.size() + counts.detaches + counts.expirations) {
    stage_.journal.violated("books", "{} attaches were granted, {} leases live, {} were detached, {} expired", granted,
                            status.leases.size(), counts.detaches, counts.expirations);
  }
  for (const std::uint64_t figure : {counts.attaches, counts.refusals, counts.epochs_made, counts.announces}) {
    stage_.journal.mix(figure);
  }
}

}  // namespace tensorpool::simulation
