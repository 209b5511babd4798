// A reader sleeps on a slot of a mapping that it must not write, and no wake is ever missed.
#include "shm/parking.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "shm/slot_reader.hpp"
#include "shm/slot_writer.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

constexpr Nanos at_once = nanos_per_milli;
// A wake that was missed shows as this long a sleep; what is judged is that none ran out.
constexpr Nanos far_away = 60 * nanos_per_second;

class Parking : public ::testing::Test {
 protected:
  Parking()
      : layout_(files_.make()),
        writable_(files_.map(layout_, Access::read_write)),
        readable_(files_.map(layout_, Access::read_only)) {}

  void commit(std::uint64_t seq) {
    writer_.begin(seq, 0);
    const TensorLayout layout = TensorLayout::raw_bytes(0);
    writer_.commit(seq, 0, {0, 1, 0, &layout});
  }

  RegionFiles files_;
  RegionLayout layout_;
  std::unique_ptr<RegionSet> writable_;
  std::unique_ptr<RegionSet> readable_;
  SlotWriter writer_{*writable_};
  SlotReader reader_{*readable_};
};

TEST_F(Parking, EndsAtItsTimeWhenNobodyWakes) {
  EXPECT_EQ(reader_.park(3, reader_.commit_word_value(3), at_once), Parked::timed_out);
}

TEST_F(Parking, DoesNotSleepOnAWordThatHasChanged) {
  const std::uint64_t seen = reader_.commit_word_value(3);
  commit(3);
  EXPECT_EQ(reader_.park(3, seen, far_away), Parked::changed);
}

TEST_F(Parking, AChangeWithoutAWakeIsSeenAtTheEndOnly) {
  const std::uint64_t seen = reader_.commit_word_value(3);
  std::thread writer([&] { commit(3); });
  const Parked parked = reader_.park(3, seen, at_once);
  writer.join();
  EXPECT_TRUE(parked == Parked::timed_out || parked == Parked::changed);
  EXPECT_EQ(reader_.commit_word_value(3), protocol::committed_word(3));
}

// The writer changes and wakes, the reader looks and sleeps, in every order that two threads fall into: each frame
// comes when the reader is about to ask for it.
TEST_F(Parking, NoWakeIsMissed) {
  constexpr std::uint64_t frames = 20'000;
  std::atomic<std::uint64_t> asked_for{0};
  std::thread writer([&] {
    for (std::uint64_t seq = 0; seq < frames; ++seq) {
      while (asked_for.load(std::memory_order_relaxed) < seq) std::this_thread::yield();
      commit(seq);
      writer_.wake(seq);
    }
  });
  std::uint64_t slept = 0;
  std::uint64_t ran_out = 0;
  for (std::uint64_t seq = 0; seq < frames; ++seq) {
    asked_for.store(seq, std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t seen = reader_.commit_word_value(seq);
      if (seen >= protocol::committed_word(seq)) break;
      const Parked parked = reader_.park(seq, seen, far_away);
      slept += parked == Parked::woken;
      ran_out += parked == Parked::timed_out;
    }
  }
  writer.join();
  EXPECT_EQ(ran_out, 0u) << "after " << slept << " sleeps";
}

}  // namespace
}  // namespace tensorpool::shm
