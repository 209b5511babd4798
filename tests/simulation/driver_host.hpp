// The process of the driver: started, killed, stopped, and told to end; its books are audited after every step.
#pragma once

#include <map>
#include <memory>

#include "roles/driver/driver.hpp"
#include "simulation/stage.hpp"

namespace tensorpool::simulation {

class DriverHost {
 public:
  explicit DriverHost(Stage& stage) : stage_(stage) {}

  void turn();
  // One duty cycle, if it runs at all.
  void work();
  void kill(Nanos down_for);
  void stop(Nanos duration);
  void shut_down(Nanos down_for);
  void cut();
  void recover();
  // I4, and what the driver counts of itself.
  void audit();

  [[nodiscard]] bool runs() const noexcept { return driver_ != nullptr; }
  [[nodiscard]] driver::DriverStatus status() const { return driver_ ? driver_->status() : driver::DriverStatus{}; }
  // Ends in order, and for good. REQUIRES: recovered.
  void finish();

 private:
  void start();

  Stage& stage_;
  std::unique_ptr<driver::Driver> driver_;
  Nanos down_until_ = 0;
  Nanos stopped_until_ = 0;
  Nanos down_for_ = 0;  // once it has shut down
  std::map<std::uint32_t, std::uint64_t> epochs_;
};

}  // namespace tensorpool::simulation
