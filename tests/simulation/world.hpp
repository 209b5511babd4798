// One seed's world: a media driver, a driver, processes with producers and consumers, sometimes a supervisor, on one
// thread, with a clock that only the world moves. It is rough for a number of steps, then quiet: faults stop, and all
// must find together again; then everybody ends in order, and nothing may be left.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulation/driver_host.hpp"
#include "simulation/node.hpp"
#include "simulation/weather.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool::simulation {

struct Outcome {
  std::optional<Violation> violation;
  std::string last_lines;
  std::uint64_t digest = 0;
  Figures figures;
};

class World {
 public:
  // `dir` is empty, and is so again afterwards. Aloud: the whole trace goes to standard output.
  World(std::uint64_t seed, const std::string& dir, Sabotage sabotage = Sabotage::none, bool aloud = false);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  Outcome run();

 private:
  void step();
  void pass_time();
  void turn_of_each();
  void turn_of_supervisor();
  // Each at random, as the seed's weather has it. (world_faults.cpp)
  void faults();
  void process_fault();
  void driver_fault();
  void media_fault();
  void clock_fault();
  void offer_fault();
  [[nodiscard]] Nanos a_while();
  // The end. (world_quiet.cpp)
  void be_quiet();
  void stop_rivals();
  void quiet_step(bool frames);
  void poll_all();
  [[nodiscard]] std::string unsettled();
  [[nodiscard]] std::string unsettled_reader(Reader& reader);
  void check_ends();
  void leave();
  void check_files();

  const std::string dir_;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<MessageWeather> weather_;
  std::unique_ptr<DriverHost> driver_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::optional<Supervisor> supervisor_;
  Nanos media_down_until_ = 0;
  bool media_up_ = true;
  int open_files_ = 0;
};

}  // namespace tensorpool::simulation
