// A producer that dies after any single instruction of what it does to a slot. Whatever is left of it, each frame that
// a reader accepts is whole: the one before in the slot, or the new one, or none.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>

#include "client/consumer_bench_test.hpp"
#include "shm/slot_reader.hpp"
#include "shm/slot_writer.hpp"
#include "support/killed_child.hpp"

namespace tensorpool::detail {
namespace {

constexpr std::size_t frame_bytes = 200;
constexpr int pool = 0;
constexpr std::size_t watched_bytes = 4096;  // of the payload slot, in which the frame ends long before

// Bytes of a region file, put back after each death.
class Snapshot {
 public:
  Snapshot(std::string path, std::uint64_t offset, std::size_t length)
      : path_(std::move(path)), offset_(static_cast<std::streamoff>(offset)), bytes_(length) {
    std::ifstream(path_, std::ios::binary).seekg(offset_).read(bytes_.data(), static_cast<std::streamsize>(length));
  }
  void restore() const {
    std::fstream(path_, std::ios::binary | std::ios::in | std::ios::out)
        .seekp(offset_)
        .write(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
  }

 private:
  std::string path_;
  std::streamoff offset_;
  std::vector<char> bytes_;
};

// What the slot is to a reader, over all the places where the producer died.
struct Tally {
  long instructions = 0;
  long before = 0;       // the frame before
  long in_progress = 0;  // none
  long complete = 0;     // the new frame
  long kills = 0;        // with kill -9: after each instruction that changed the slot
  long violations = 0;
  std::string first_violation{};
};

// A ring that was written all over twice, and its next sequence.
class PublishKill : public ConsumerBench {
 protected:
  explicit PublishKill(std::uint32_t nslots = 8, std::uint32_t stride_bytes = 4096)
      : ConsumerBench(with_pool(nslots, stride_bytes)) {
    attach({.progress_interval_ns = 0, .progress_bytes_delta = 0}, {.progress = ProgressHints{.interval_us = 0}});
    inject_descriptor(epoch() + 1, 0);  // makes the publication that the reader's copy speaks by
    for (std::uint64_t seq = 0; seq < 2 * nslots + 3; ++seq) {
      publish(seq, frame_bytes);
      consumer->poll([](const Frame&) {});
    }
    run(client, 5 * ms);
    next_ = producer->stats().next_seq;
    auto mapped = shm::RegionSet::map(driver->layout(5), shm::Access::read_only, {{dir.path()}});
    regions_ = *std::move(mapped);
    const auto& layout = driver->layout(5);
    const std::uint64_t index = next_ % nslots;
    const std::uint64_t stride = layout.pools[pool].stride_bytes;
    header_.emplace(layout.header_path, 64 + index * 256, 256);
    payload_.emplace(layout.pools[pool].path, 64 + index * stride, std::min<std::uint64_t>(stride, watched_bytes));
  }

  static ScriptedDriver::Settings with_pool(std::uint32_t nslots, std::uint32_t stride_bytes) {
    ScriptedDriver::Settings settings;
    settings.nslots = nslots;
    settings.pools = {{1, stride_bytes}};
    return settings;
  }
  [[nodiscard]] std::uint64_t epoch() const { return producer->stats().epoch; }
  [[nodiscard]] std::uint64_t next_seq() const { return next_; }

  // Looks at what is left after every instruction of `work`, which writes the frame next_seq(), and kills where that
  // changes. Most instructions leave the slot as it was, and what was found out about it.
  Tally kill_everywhere(const std::function<void()>& work) {
    Tally tally;
    std::vector<std::byte> slot = slot_bytes();
    std::vector<long> changes;
    long* verdict = &tally.before;
    const Killed walked = step_through(work, [&](long instructions) {
      tally.instructions = instructions;
      if (const auto now_there = slot_bytes(); now_there != slot) {
        slot = now_there;
        changes.push_back(instructions);
        verdict = judge(tally);
      }
      ++*verdict;
    });
    EXPECT_EQ(walked.failure, "");
    EXPECT_TRUE(walked.ended);
    judge(tally);
    for (const long change : changes) kill_after(change, work, tally);
    std::printf("seen: %ld instructions died at, %ld with the old frame, %ld in progress, %ld with the new frame\n",
                tally.instructions, tally.before, tally.in_progress, tally.complete);
    return tally;
  }

  void kill_after(long instructions, const std::function<void()>& work, Tally& tally) {
    header_->restore();
    payload_->restore();
    const Killed killed = run_and_kill(work, Step::instruction, instructions);
    EXPECT_EQ(killed.failure, "");
    EXPECT_FALSE(killed.ended);
    ++tally.kills;
    judge(tally);
  }

  // What is accepted must be whole, and all other slots untouched. The figure that this death counts for.
  long* judge(Tally& tally) {
    const std::uint64_t nslots = regions_->nslots();
    for (std::uint64_t seq = next_ - nslots + 1; seq < next_; ++seq) {
      if (look(seq) != Look::whole) return violated(tally, fmt::format("frame {} of another slot is gone", seq));
    }
    const Look fresh = look(next_);
    const Look old = look(next_ - nslots);
    if (fresh == Look::torn || old == Look::torn) {
      return violated(tally, fmt::format("a torn frame {}", fresh == Look::torn ? next_ : next_ - nslots));
    }
    if (const int delivered = poll_after_descriptor(); delivered != (fresh == Look::whole ? 1 : 0)) {
      return violated(tally, fmt::format("a consumer that is told of it answers {}", delivered));
    }
    return fresh == Look::whole ? &tally.complete : old == Look::whole ? &tally.before : &tally.in_progress;
  }

  enum class Look : unsigned char { none, whole, torn };
  [[nodiscard]] Look look(std::uint64_t seq) {
    shm::SlotReader reader(*regions_);
    shm::SlotView view;
    if (reader.open(seq, view) != shm::SlotFault::none) return Look::none;
    std::vector<std::byte> bytes(view.payload.size());
    if (!shm::copy_out(bytes, view.payload) || !shm::still_valid(view.commit_word, seq)) return Look::none;
    return bytes == pattern(frame_bytes, seq) ? Look::whole : Look::torn;
  }

  // 1 if a consumer that gets the descriptor delivers the frame, 0 if not, more if it delivers anything else.
  int poll_after_descriptor() {
    return run_in_copy([&] {
      inject_descriptor(epoch(), next_);
      int answer = 0;
      consumer->poll([&](const Frame& frame) {
        std::vector<std::byte> bytes(frame.size_bytes());
        const bool right =
            frame.seq() == next_ && frame.copy_to(bytes).has_value() && bytes == pattern(frame_bytes, next_);
        answer += right ? 1 : 2;
      });
      return answer;
    });
  }

  static long* violated(Tally& tally, std::string what) {
    if (tally.violations == 0) tally.first_violation = fmt::format("after {}: {}", tally.instructions, what);
    return &tally.violations;
  }
  // The slot of next_seq() as it is in shared memory.
  [[nodiscard]] std::vector<std::byte> slot_bytes() const {
    const auto header = std::as_bytes(std::span(regions_->header_words(next_), 32));
    const auto slot = regions_->payload_slot(next_, pool);
    const auto payload = slot.first(std::min(slot.size(), watched_bytes));
    std::vector<std::byte> bytes(header.begin(), header.end());
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
  }
  // Killed at each of its states, and none was wrong.
  static void expect_unbroken(const Tally& tally) {
    EXPECT_EQ(tally.violations, 0) << tally.first_violation;
    EXPECT_GT(tally.before, 0);
    EXPECT_GT(tally.in_progress, 0);
    EXPECT_GT(tally.complete, 0);
  }

  std::unique_ptr<shm::RegionSet> regions_;
  std::uint64_t next_ = 0;
  std::optional<Snapshot> header_, payload_;  // of the slot of next_
};

TensorLayout layout_of_frame() { return TensorLayout::raw_bytes(frame_bytes); }

TEST_F(PublishKill, LeavesNoTornFrameOfACopy) {
  const auto bytes = pattern(frame_bytes, next_seq());
  expect_unbroken(kill_everywhere([&] { producer->publish(layout_of_frame(), bytes); }));
}

TEST_F(PublishKill, LeavesNoTornFrameOfAClaim) {
  const auto bytes = pattern(frame_bytes, next_seq());
  expect_unbroken(kill_everywhere([&] {
    auto claimed = producer->claim(frame_bytes);
    std::copy(bytes.begin(), bytes.end(), claimed->payload().begin());
    std::move(*claimed).commit(layout_of_frame());
  }));
}

TEST_F(PublishKill, LeavesNoTornFrameOfAClaimThatTellsItsProgress) {
  const auto bytes = pattern(frame_bytes, next_seq());
  expect_unbroken(kill_everywhere([&] {
    auto claimed = producer->claim(frame_bytes, layout_of_frame());
    std::copy(bytes.begin(), bytes.begin() + frame_bytes / 2, claimed->payload().begin());
    claimed->progress(frame_bytes / 2);
    std::copy(bytes.begin() + frame_bytes / 2, bytes.end(), claimed->payload().begin() + frame_bytes / 2);
    std::move(*claimed).commit(layout_of_frame());
  }));
}

TEST_F(PublishKill, LeavesNothingToAcceptOfAClaimThatIsGivenUp) {
  const auto bytes = pattern(frame_bytes, next_seq());
  const Tally tally = kill_everywhere([&] {
    auto claimed = producer->claim(frame_bytes);
    std::copy(bytes.begin(), bytes.end(), claimed->payload().begin());
  });
  EXPECT_EQ(tally.violations, 0) << tally.first_violation;
  EXPECT_GT(tally.in_progress, 0);
  EXPECT_EQ(tally.complete, 0);
}

// Large slots of a pool that fits no cache are copied into by words.
class PublishKillInALargePool : public PublishKill {
 protected:
  PublishKillInALargePool() : PublishKill(16, 1 << 20) {}
};

TEST_F(PublishKillInALargePool, LeavesNoTornFrameOfACopyByWords) {
  ASSERT_EQ(regions_->pools()[pool].copy_mode, shm::CopyMode::words);
  const auto bytes = pattern(frame_bytes, next_seq());
  expect_unbroken(kill_everywhere([&] { producer->publish(layout_of_frame(), bytes); }));
}

// What the in-progress mark is for: without it this test finds torn frames.
TEST_F(PublishKill, FindsTheTornFramesOfAWriterThatMarksNothing) {
  const auto bytes = pattern(frame_bytes, next_seq());
  const auto writable = shm::RegionSet::map(driver->layout(5), shm::Access::read_write, {{dir.path()}}).value();
  const TensorLayout layout = layout_of_frame();
  const Tally tally = kill_everywhere([&] {
    shm::SlotWriter writer(*writable);
    writer.copy_in(pool, writable->payload_slot(next_seq(), pool), bytes);
    writer.commit(next_seq(), pool, {frame_bytes, 1, 0, &layout}, shm::FilledBy::copy_in);
  });
  EXPECT_GT(tally.violations, 0);
  EXPECT_EQ(tally.in_progress, 0);
  std::printf("seen: %d mutants %s\n", 1, tally.violations > 0 ? "caught" : "missed");
}

}  // namespace
}  // namespace tensorpool::detail
