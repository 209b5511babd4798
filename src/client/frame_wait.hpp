// How a consumer sleeps until its next frame: parked on the slot where that frame will lie. One thread, the one that
// polls.
//
// A producer that wakes does so after it sent the descriptor: commit, send, wake. A consumer looks at the word first
// (look), then for descriptors, and only if it found none does it sleep, while the word is what it saw. So whatever
// happened between its look for descriptors and its sleep changed the word after it was seen, and the sleep ends at
// once; whatever happens later wakes it. A word that says "committed" already when it is seen cannot be slept on: the
// wake may be over, its descriptor just not have been there yet.
//
// A producer that does not wake is found out: the word changed, and the sleep ran out all the same. Then the waits are
// naps for a while.
#pragma once

#include <cstdint>

#include "shm/region_set.hpp"
#include "tensorpool/idle.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::detail {

class FrameWait {
 public:
  // A new epoch, another producer's lease or the end of the connection is seen after so long at the latest.
  static constexpr Nanos longest_sleep_ns = 10 * nanos_per_milli;

  // Looks at the slot of the next frame of an epoch, of which nothing below `expected` is news.
  void look(const shm::RegionSet& regions, std::uint64_t expected) noexcept;
  // Whether that frame was committed when it was looked at. Its descriptor is on its way, or was lost, or is not meant
  // for this consumer: the next look is at the frame behind it.
  [[nodiscard]] bool saw_frame() noexcept;
  // Sleeps until the frame comes, at most for `longest`, and not always as long.
  // REQUIRES: the regions that were looked at; !saw_frame().
  void sleep(const shm::RegionSet& regions, Nanos longest) noexcept;
  // The same, where nothing is attached.
  void nap() noexcept { nap_.idle(0); }

 private:
  // Wakes that were missed until the producer is taken for one that does not wake, how long a sleep is until it has
  // woken once, and how many naps later that is tried again.
  static constexpr unsigned missed_wakes = 2;
  static constexpr Nanos first_sleep_ns = nanos_per_milli;
  static constexpr unsigned naps_in_a_row = 1000;

  std::uint64_t epoch_ = 0;
  std::uint64_t from_ = 0;  // frames below are not waited for
  std::uint64_t seq_ = 0;   // looked at
  std::uint64_t word_ = 0;  // seen there
  unsigned missed_ = 0;
  unsigned naps_left_ = 0;
  bool wakes_ = false;
  Idle nap_{IdleMode::sleep, 50 * nanos_per_micro};
};

}  // namespace tensorpool::detail
