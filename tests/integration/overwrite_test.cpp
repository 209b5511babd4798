// A writer that laps its readers all the time: whatever a reader accepts is whole, by any of the four ways to read it:
// three for frames, and one for frames in flight.
#include <algorithm>
#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "apps/flow/pattern.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

constexpr std::uint64_t default_frames = sanitized ? 2'000 : 20'000;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Tally {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> torn{0};
  std::atomic<std::uint64_t> lost{0};   // rejected after they were handed out
  std::atomic<std::uint64_t> saved{0};  // of these, torn ones: what the check after the use is for
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
  if (!whole) ++(accepted ? tally.torn : tally.saved);
}

void read_by_copy(const Frame& frame, Hesitation& hesitation, Tally& tally, std::vector<std::byte>& copy) {
  copy.resize(frame.size_bytes());
  hesitation.perhaps();
  const bool accepted = frame.copy_to(copy).has_value();
  note(tally, accepted, !accepted || !apps::find_pattern_fault(copy, frame.seq()));  // what was rejected is not there
}

// Both halves apart, so that the writer may come in between.
bool looks_whole(std::span<const std::byte> live, std::uint64_t seq, Hesitation& hesitation) {
  hesitation.perhaps();
  const bool whole = !apps::find_pattern_fault(live, seq);
  hesitation.perhaps();
  return whole;
}

void read_in_place(const Frame& frame, Hesitation& hesitation, Tally& tally) {
  bool whole = true;
  const auto read = frame.read<std::byte>([&](TensorView<const std::byte> view) {
    whole = looks_whole(view.elements, frame.seq(), hesitation);
    return whole;
  });
  note(tally, read.has_value(), whole && (!read || *read));
}

void read_unchecked(const Frame& frame, Hesitation& hesitation, Tally& tally) {
  const bool whole = looks_whole(frame.unchecked(), frame.seq(), hesitation);
  note(tally, frame.still_valid(), whole);
}

// What is said to be filled, copied and in place by turns.
void read_in_flight(const PartialFrame& frame, Hesitation& hesitation, Tally& tally, std::vector<std::byte>& copy) {
  if (frame.bytes_filled() == 0) return;
  if (frame.bytes_filled() < frame.size_bytes() / 2) {
    copy.resize(frame.bytes_filled());
    hesitation.perhaps();
    const bool accepted = frame.copy_to(copy).has_value();
    return note(tally, accepted, !accepted || !apps::find_pattern_fault(copy, frame.seq()));
  }
  const bool whole = looks_whole(frame.unchecked(), frame.seq(), hesitation);
  note(tally, frame.still_valid(), whole);
}

// The ways to read, each with a client, a thread and a tally of its own.
struct Way {
  const char* name;
  unsigned seed;
  Tally tally{};
  std::thread thread{};
};

constexpr unsigned in_flight = 4;

void read(Way& way, const Frame& frame, Hesitation& hesitation, std::vector<std::byte>& copy) {
  if (way.seed == 1) read_by_copy(frame, hesitation, way.tally, copy);
  if (way.seed == 2) read_in_place(frame, hesitation, way.tally);
  if (way.seed == 3) read_unchecked(frame, hesitation, way.tally);
}

// Fills a frame of `bytes` bytes in quarters, and says each time how far it is.
void publish_in_quarters(Producer& producer, std::size_t bytes) {
  const TensorLayout layout = TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes));
  auto claim = producer.claim(bytes, layout);
  if (!claim) return;
  const std::size_t quarter = bytes / 4 / 8 * 8;
  for (const std::size_t from : {0 * quarter, 1 * quarter, 2 * quarter}) {
    apps::fill_pattern(claim->payload().subspan(from, quarter), claim->seq(), apps::Pattern::words, from);
    claim->progress(from + quarter);
  }
  apps::fill_pattern(claim->payload().first(bytes).subspan(3 * quarter), claim->seq(), apps::Pattern::words,
                     3 * quarter);
  std::move(*claim).commit(layout);
}

class Overwrite : public RigTest {
 protected:
  void read_until(const std::atomic<bool>& done, Way& way) {
    Client client = rig().connect(way.name);
    // As near to the writer as it gets: no skipping ahead unless the ring has gone by.
    ConsumerOptions options{.stream_id = Rig::stream, .skip_threshold = 4};
    if (way.seed == in_flight) options.progress = ProgressHints{.interval_us = 0, .bytes_delta = 0};
    auto consumer = client.attach_consumer(options);
    ASSERT_TRUE(consumer) << consumer.error().message;
    Hesitation hesitation(way.seed + static_cast<unsigned>(number_from("TENSORPOOL_SEED", 0)));
    std::vector<std::byte> copy;
    while (!done) {
      if (way.seed == in_flight) {
        consumer->poll_progress([&](const PartialFrame& frame) { read_in_flight(frame, hesitation, way.tally, copy); });
      } else {
        consumer->poll([&](const Frame& frame) { read(way, frame, hesitation, copy); });
      }
    }
  }
};

// TENSORPOOL_TORN_FRAMES: so many frames accepted in all, a quarter by each way at least. It takes as long as it takes.
TEST_F(Overwrite, NoTornFrameIsEverAccepted) {
  const std::uint64_t wanted = number_from("TENSORPOOL_TORN_FRAMES", default_frames);
  const std::uint64_t smallest = number_from("TENSORPOOL_TORN_SMALLEST_BYTES", 256 << 10);
  const std::uint64_t largest = number_from("TENSORPOOL_TORN_LARGEST_BYTES", 1 << 20);
  rig({.nslots = 4, .pools = {{1, static_cast<std::uint32_t>(largest)}}, .period_ms = 1000, .lease_periods = 30})
      .start();
  Client sender = rig().connect("sender");
  auto producer =
      sender.attach_producer({.stream_id = Rig::stream, .progress_interval_ns = 0, .progress_bytes_delta = 0});
  ASSERT_TRUE(producer);

  std::array<Way, 4> ways{Way{"copy_to", 1}, Way{"read<T>", 2}, Way{"unchecked + still_valid", 3},
                          Way{"poll_progress", in_flight}};
  std::atomic<bool> done{false};
  for (Way& way : ways) way.thread = std::thread([&] { read_until(done, way); });
  const auto fewest_accepted = [&] {
    std::uint64_t fewest = ways[0].tally.accepted;
    for (const Way& way : ways) fewest = std::min(fewest, way.tally.accepted.load());
    return fewest;
  };
  std::minstd_rand random(7 + static_cast<unsigned>(number_from("TENSORPOOL_SEED", 0)));
  std::vector<std::byte> frame(largest);
  const auto publish_some = [&] {
    for (int burst = 0; burst < 8; ++burst) {
      const std::size_t bytes = smallest + random() % (largest - smallest + 1);
      const auto seq = producer->stats().next_seq;
      if (burst % 4 == 0) {
        publish_pattern(*producer, bytes);
      } else if (burst % 2 == 0) {
        publish_in_quarters(*producer, bytes);
      } else {
        apps::fill_pattern(std::span(frame).first(bytes), seq, apps::Pattern::words);
        producer->publish(TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes)), std::span(frame).first(bytes));
      }
    }
  };
  bool goes_on = true;
  while (goes_on && fewest_accepted() < (wanted + 3) / 4) {  // the watchdog is for the next frame, not for all
    const std::uint64_t so_far = fewest_accepted();
    goes_on = eventually([&] { return publish_some(), fewest_accepted() > so_far; });
  }
  done = true;
  for (Way& way : ways) way.thread.join();
  EXPECT_TRUE(goes_on) << "somebody reads no more";
  EXPECT_GT(ways[1].tally.saved + ways[2].tally.saved, 0U) << "no frame was torn, so nothing was there to be rejected";
  for (const Way& way : ways) {
    EXPECT_EQ(way.tally.torn, 0U) << way.name << ", of " << way.tally.accepted;
    EXPECT_GT(way.tally.lost, 0U) << "there was no pressure on " << way.name;
    const auto figure = [](const std::atomic<std::uint64_t>& of) { return static_cast<unsigned long long>(of); };
    std::printf(
        "seen: %llu frames accepted by %s, %llu overwritten ones rejected, %llu of them seen torn, %llu torn "
        "accepted\n",
        figure(way.tally.accepted), way.name, figure(way.tally.lost), figure(way.tally.saved), figure(way.tally.torn));
  }
  std::printf("seen: %llu frames published\n", static_cast<unsigned long long>(producer->stats().published));
}

}  // namespace
}  // namespace tensorpool
