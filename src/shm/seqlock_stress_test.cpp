// spec: wire 8.3; invariant I1: a writer laps its readers all the time, and nothing torn is ever accepted.
// Two threads over one mapping, because the thread sanitizer goes by addresses; bounded by counts, never by time.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <limits>
#include <random>
#include <thread>

#include "shm/slot_reader.hpp"
#include "shm/slot_writer.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

constexpr std::uint64_t largest_frame = 1ULL << 20;
constexpr std::uint64_t smallest_frame = 64ULL << 10;
constexpr std::uint64_t enough_accepted = 150;
constexpr std::uint64_t most_published = 200'000;
// Made beforehand, so that the writer does nothing but overwrite. 7 is prime to the ring of 4: a slot gets another one
// each lap.
constexpr std::uint64_t patterns = 7;
constexpr std::uint64_t finished = std::numeric_limits<std::uint64_t>::max();

// Word i of frame seq; no two patterns share a word at any place.
std::uint64_t word_of(std::uint64_t seq, std::size_t i) { return ((seq % patterns + 1) << 32) + i; }

struct Outcome {
  std::uint64_t accepted = 0;
  std::uint64_t late = 0;
  std::uint64_t missed = 0;
  std::uint64_t torn = 0;
  std::uint64_t malformed = 0;
};

void write_until(RegionSet& regions, const std::atomic<bool>& stop, std::atomic<std::uint64_t>& next) {
  SlotWriter writer(regions);
  std::mt19937_64 random(1);
  std::vector<std::vector<std::uint64_t>> frames(patterns, std::vector<std::uint64_t>(largest_frame / 8));
  for (std::uint64_t p = 0; p < patterns; ++p) {
    for (std::size_t i = 0; i < frames[p].size(); ++i) frames[p][i] = word_of(p, i);
  }
  for (std::uint64_t seq = 0; seq < most_published && !stop.load(std::memory_order_relaxed); ++seq) {
    const std::uint64_t bytes = (smallest_frame + random() % (largest_frame - smallest_frame)) / 8 * 8;
    const TensorLayout layout = TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes));
    writer.copy_in(0, writer.begin(seq, 0, FilledBy::copy_in),
                   std::as_bytes(std::span(frames[seq % patterns]).first(bytes / 8)));
    writer.commit(seq, 0, {static_cast<std::uint32_t>(bytes), static_cast<Nanos>(seq), 0, &layout}, FilledBy::copy_in);
    next.store(seq + 1, std::memory_order_relaxed);
  }
  next.store(finished, std::memory_order_relaxed);
}

bool is_whole(std::uint64_t seq, const std::vector<std::uint64_t>& frame, std::size_t words) {
  for (std::size_t i = 0; i < words; ++i) {
    if (frame[i] != word_of(seq, i)) return false;
  }
  return true;
}

// Copies a payload in two halves. On demand it stalls between them until the writer has lapped it.
void copy_slowly(const SlotView& view, std::vector<std::uint64_t>& frame, const std::atomic<std::uint64_t>& next,
                 std::uint64_t stall_until) {
  const auto to = std::as_writable_bytes(std::span(frame));
  const std::size_t half = view.payload.size() / 16 * 8;
  copy_from_slot(to, view.payload.first(half), view.copy_mode);
  while (next.load(std::memory_order_relaxed) < stall_until) std::this_thread::yield();
  copy_from_slot(to.subspan(half), view.payload.subspan(half), view.copy_mode);
}

// Reads what is about to be overwritten as well as what is fresh; every fourth time it is certain to be lapped.
Outcome read_under_pressure(const RegionSet& regions, const std::atomic<std::uint64_t>& next) {
  SlotReader reader(regions);
  std::vector<std::uint64_t> frame(largest_frame / 8);
  Outcome outcome;
  for (std::uint64_t turn = 0; outcome.accepted < enough_accepted;) {
    const std::uint64_t published = next.load(std::memory_order_relaxed);
    if (published == finished) break;
    if (published == 0) {
      std::this_thread::yield();
      continue;
    }
    ++turn;
    const std::uint64_t seq = published - 1 - turn % std::min<std::uint64_t>(published, regions.nslots());
    SlotView view;
    const SlotFault fault = reader.open(seq, view);
    if (fault == SlotFault::newer || fault == SlotFault::overwritten) {
      ++outcome.missed;
    } else if (fault != SlotFault::none) {
      ++outcome.malformed;
    } else {
      const bool lapped = turn % 4 == 0;
      copy_slowly(view, frame, next, lapped ? seq + regions.nslots() + 1 : 0);
      if (!still_valid(view.commit_word, seq))
        ++outcome.late;
      else if (lapped || !is_whole(seq, frame, view.payload.size() / 8) || view.fields.timestamp_ns != seq)
        ++outcome.torn;
      else
        ++outcome.accepted;
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
  std::atomic<std::uint64_t> next{0};
  std::thread writer([&] { write_until(*regions, stop, next); });
  const Outcome outcome = read_under_pressure(*regions, next);
  stop.store(true);
  writer.join();
  EXPECT_EQ(outcome.torn, 0U);
  EXPECT_GT(outcome.accepted, 0U);
  EXPECT_GT(outcome.late, 0U);
  EXPECT_EQ(outcome.malformed, 0U);
  RecordProperty("accepted", std::to_string(outcome.accepted));
  RecordProperty("late", std::to_string(outcome.late));
  RecordProperty("missed", std::to_string(outcome.missed));
}

// 4 slots of 1 MiB fit the cache and are copied opaquely, 4 of 4 MiB go by words.
INSTANTIATE_TEST_SUITE_P(, Overwrite, ::testing::Values(1U << 20, 4U << 20));

}  // namespace
}  // namespace tensorpool::shm
