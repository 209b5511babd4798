// The time and the random ids of a simulated world. While a Clockwork exists, monotonic_now(), realtime_now() and
// random_u64() answer from it, so that nothing of the machine's reaches a decision of the product. One at a time; the
// program is linked with the options that its CMakeLists.txt names.
#pragma once

#include "simulation/random.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::simulation {

class Clockwork {
 public:
  explicit Clockwork(std::uint64_t seed);
  Clockwork(const Clockwork&) = delete;
  Clockwork& operator=(const Clockwork&) = delete;
  ~Clockwork();

  void pass(Nanos duration) noexcept {
    now += duration;
    realtime += duration;
  }

  Nanos now = 1000 * nanos_per_second;
  Nanos realtime = 1'700'000'000 * nanos_per_second;
  Random ids;
};

}  // namespace tensorpool::simulation
