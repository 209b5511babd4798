// A writer that laps its readers all the time: whatever a reader accepts is whole, by any of the three ways to read it.
#include <atomic>
#include <random>
#include <thread>

#include "apps/flow/pattern.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t default_frames = 2'000;
#else
constexpr std::uint64_t default_frames = 20'000;
#endif

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Tally {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> torn{0};
  std::atomic<std::uint64_t> lost{0};  // rejected after they were handed out
};

// Now and then hands the processor to the writer, in the middle of a frame.
class Hesitation {
 public:
  explicit Hesitation(unsigned seed) : random_(seed) {}
  void perhaps() {
    if (random_() % 4 != 0) return;
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 600));
  }

 private:
  std::minstd_rand random_;
};

void note(Tally& tally, bool accepted, bool whole) {
  ++(accepted ? tally.accepted : tally.lost);
  if (accepted && !whole) ++tally.torn;
}

void read_by_copy(const Frame& frame, Hesitation& hesitation, Tally& tally, std::vector<std::byte>& copy) {
  copy.resize(frame.size_bytes());
  hesitation.perhaps();
  const bool accepted = frame.copy_to(copy).has_value();
  note(tally, accepted, accepted && !apps::find_pattern_fault(copy, frame.seq()));
}

// Both halves apart, so that the writer may come in between.
bool looks_whole(std::span<const std::byte> live, std::uint64_t seq, Hesitation& hesitation) {
  hesitation.perhaps();
  const bool whole = !apps::find_pattern_fault(live, seq);
  hesitation.perhaps();
  return whole;
}

void read_in_place(const Frame& frame, Hesitation& hesitation, Tally& tally) {
  const auto whole = frame.read<std::byte>(
      [&](TensorView<const std::byte> view) { return looks_whole(view.elements, frame.seq(), hesitation); });
  note(tally, whole.has_value(), whole && *whole);
}

void read_unchecked(const Frame& frame, Hesitation& hesitation, Tally& tally) {
  const bool whole = looks_whole(frame.unchecked(), frame.seq(), hesitation);
  note(tally, frame.still_valid(), whole);
}

class Overwrite : public RigTest {};

TEST_F(Overwrite, NoTornFrameIsEverAccepted) {
  const std::uint64_t wanted = number_from("TENSORPOOL_TORN_FRAMES", default_frames);
  const std::uint64_t smallest = number_from("TENSORPOOL_TORN_SMALLEST_BYTES", 256 << 10);
  const std::uint64_t largest = number_from("TENSORPOOL_TORN_LARGEST_BYTES", 1 << 20);
  rig({.nslots = 4, .pools = {{1, static_cast<std::uint32_t>(largest)}}, .period_ms = 1000, .lease_periods = 30})
      .start();
  Client sender = rig().connect("sender");
  auto producer = sender.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer);

  Tally tally;
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int way = 0; way < 3; ++way) {
    readers.emplace_back([&, way] {
      Client client = rig().connect("reader");
      // As near to the writer as it gets: no skipping ahead unless the ring has gone by.
      auto consumer = client.attach_consumer({.stream_id = Rig::stream, .skip_threshold = 4});
      if (!consumer) return;
      Hesitation hesitation(static_cast<unsigned>(way) + 1);
      std::vector<std::byte> copy;
      while (!done) {
        consumer->poll([&](const Frame& frame) {
          if (way == 0) read_by_copy(frame, hesitation, tally, copy);
          if (way == 1) read_in_place(frame, hesitation, tally);
          if (way == 2) read_unchecked(frame, hesitation, tally);
        });
      }
    });
  }
  std::minstd_rand random(7);
  std::vector<std::byte> frame(largest);
  const bool enough = eventually(
      [&] {
        for (int burst = 0; burst < 8; ++burst) {
          const std::size_t bytes = smallest + random() % (largest - smallest + 1);
          const auto seq = producer->stats().next_seq;
          if (burst % 2 == 0) {
            publish_pattern(*producer, bytes);
          } else {
            apps::fill_pattern(std::span(frame).first(bytes), seq, apps::Pattern::words);
            producer->publish(TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes)), std::span(frame).first(bytes));
          }
        }
        return tally.accepted >= wanted;
      },
      std::chrono::minutes(30));
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_TRUE(enough) << tally.accepted << " frames were accepted";
  EXPECT_EQ(tally.torn, 0U) << "of " << tally.accepted;
  EXPECT_GT(tally.lost, 0U) << "there was no pressure";
  RecordProperty("accepted", std::to_string(tally.accepted));
  std::printf("%llu frames accepted, %llu torn, %llu overwritten while they were read, %llu published\n",
              static_cast<unsigned long long>(tally.accepted), static_cast<unsigned long long>(tally.torn),
              static_cast<unsigned long long>(tally.lost),
              static_cast<unsigned long long>(producer->stats().published));
}

}  // namespace
}  // namespace tensorpool
