// What everybody in a simulated world shares.
#pragma once

#include <functional>
#include <string>

#include "simulation/clockwork.hpp"
#include "simulation/journal.hpp"
#include "simulation/setup.hpp"
#include "simulation/truth.hpp"

namespace tensorpool::simulation {

// What a world saw, to tell a search from one that looked at nothing.
struct Figures {
  std::uint64_t published = 0;
  std::uint64_t accepted = 0;
  std::uint64_t lost = 0;
  std::uint64_t partial = 0;  // frames read while they were filled
  std::uint64_t epochs = 0;
  std::uint64_t lives = 0;  // of processes, the driver and media drivers
  Nanos slowest_recovery_ns = 0;
};

struct Stage {
  Setup setup;
  Sabotage sabotage;
  Clockwork clock;
  Random random;
  Journal journal;
  Truth truth;
  Figures figures;
  std::string bus;
  std::string base_dir;
  int next_id = 0;
  bool no_space = false;  // the file system is full
  bool dreams = true;     // readers may take their time over a frame
  // Others write to the stream; for readers that take their time.
  std::function<void(std::uint32_t stream_id)> write_meanwhile;
  // A millisecond passes, and the driver works; for who waits.
  std::function<Nanos()> wait;

  [[nodiscard]] bool sabotaged(Sabotage by) const noexcept { return sabotage == by; }
};

}  // namespace tensorpool::simulation
