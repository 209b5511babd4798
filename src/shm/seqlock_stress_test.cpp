// spec: wire 8.3; invariant I1: a writer laps its readers all the time, and nothing torn is ever accepted.
// Two threads over one mapping, because the thread sanitizer goes by addresses; bounded by counts, never by time.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "shm/slot_reader.hpp"
#include "shm/slot_writer.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

constexpr std::uint64_t largest_frame = 1ULL << 20;
constexpr std::uint64_t smallest_frame = 64ULL << 10;
constexpr std::uint64_t enough_accepted = 300;
constexpr std::uint64_t most_published = 50'000;

// Word i of frame seq; no two frames share a word at any place.
std::uint64_t word_of(std::uint64_t seq, std::size_t i) { return (seq << 24) + i; }

struct Outcome {
  std::uint64_t accepted = 0;
  std::uint64_t late = 0;
  std::uint64_t missed = 0;
  std::uint64_t torn = 0;
  std::uint64_t malformed = 0;
};

void write_until(RegionSet& regions, const std::atomic<bool>& stop, std::atomic<std::uint64_t>& newest) {
  SlotWriter writer(regions);
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> frame(largest_frame / 8);
  for (std::uint64_t seq = 0; seq < most_published && !stop.load(std::memory_order_relaxed); ++seq) {
    const std::uint64_t bytes = (smallest_frame + random() % (largest_frame - smallest_frame)) / 8 * 8;
    for (std::size_t i = 0; i < bytes / 8; ++i) frame[i] = word_of(seq, i);
    const TensorLayout layout = TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes));
    writer.copy_in(0, writer.begin(seq, 0, FilledBy::copy_in), std::as_bytes(std::span(frame).first(bytes / 8)));
    writer.commit(seq, 0, {static_cast<std::uint32_t>(bytes), static_cast<Nanos>(seq), 0, &layout}, FilledBy::copy_in);
    newest.store(seq + 1, std::memory_order_relaxed);
  }
  newest.store(~0ULL, std::memory_order_relaxed);
}

bool is_whole(std::uint64_t seq, const std::vector<std::uint64_t>& frame, std::size_t words) {
  for (std::size_t i = 0; i < words; ++i) {
    if (frame[i] != word_of(seq, i)) return false;
  }
  return true;
}

// Reads the oldest frames that may still be there, which are the ones about to be overwritten.
Outcome read_under_pressure(const RegionSet& regions, const std::atomic<std::uint64_t>& newest) {
  const SlotReader reader(regions);
  std::vector<std::uint64_t> frame(largest_frame / 8);
  Outcome outcome;
  for (std::uint64_t turn = 0; outcome.accepted < enough_accepted; ++turn) {
    const std::uint64_t published = newest.load(std::memory_order_relaxed);
    if (published == ~0ULL) break;
    if (published == 0) {
      std::this_thread::yield();
      continue;
    }
    const std::uint64_t back = 1 + turn % std::min<std::uint64_t>(published, regions.nslots());
    const std::uint64_t seq = published - back;
    SlotView view;
    const SlotFault fault = reader.open(seq, view);
    if (fault == SlotFault::none) {
      if (!copy_out(std::as_writable_bytes(std::span(frame)), view.payload, view.copy_mode)) ++outcome.malformed;
      const bool valid = still_valid(view.commit_word, seq);
      if (!valid) ++outcome.late;
      else if (!is_whole(seq, frame, view.payload.size() / 8) || view.header.timestamp_ns != seq) ++outcome.torn;
      else ++outcome.accepted;
    } else if (fault == SlotFault::newer || fault == SlotFault::overwritten) {
      ++outcome.missed;
    } else {
      ++outcome.malformed;
    }
  }
  return outcome;
}

class Overwrite : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(Overwrite, NeverLetsATornFrameThrough) {
  RegionFiles files;
  RegionSpec spec = small_spec();
  spec.pools = {{1, GetParam()}};
  const auto regions = files.map(files.make(spec), Access::read_write);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> newest{0};
  std::thread writer([&] { write_until(*regions, stop, newest); });
  const Outcome outcome = read_under_pressure(*regions, newest);
  stop.store(true);
  writer.join();
  EXPECT_EQ(outcome.torn, 0U);
  EXPECT_GT(outcome.accepted, 0U);
  EXPECT_EQ(outcome.malformed, 0U);
  RecordProperty("accepted", std::to_string(outcome.accepted));
  RecordProperty("late", std::to_string(outcome.late));
  RecordProperty("missed", std::to_string(outcome.missed));
}

// 4 slots of 1 MiB fit the cache and are copied opaquely, 4 of 4 MiB go by words.
INSTANTIATE_TEST_SUITE_P(, Overwrite, ::testing::Values(1U << 20, 4U << 20));

}  // namespace
}  // namespace tensorpool::shm
