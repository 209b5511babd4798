// Does the operations of the frame path, and raw Aeron's of the same size, in marked regions, for callgrind to count
// their instructions (instructions_test.py). Outside of valgrind the marks do nothing.
//
//   hot_path DIRECTORY       DIRECTORY: for Aeron's files and the regions; made, and removed, by the caller
//
// Prints one line for each case: its name, and how many regions and operations it had. The case `nothing` has empty
// regions: what the marks themselves cost.
//
// What makes the counts repeatable: one thread does it all, the client's conductor included, and no duty cycle falls
// into a region; frames are few enough for no log to be rotated; time stamps are given, as the clock is a system call
// under valgrind and none elsewhere.
#include <valgrind/callgrind.h>

#include <array>
#include <cstdio>
#include <stdexcept>

#include "gates/raw_aeron.hpp"
#include "support/need.hpp"
#include "support/wait.hpp"
#include "tensorpool/media_driver.hpp"
#include "tensorpool/tensorpool.hpp"

namespace tensorpool::test {
namespace {

constexpr std::uint32_t stream_id = 7;
constexpr std::size_t payload_bytes = 4096;
constexpr std::size_t descriptor_bytes = 48;  // a FrameDescriptor with its message header
constexpr int batch = 64;
constexpr int regions = 16;
constexpr int warm_up = 4;  // more regions before those, uncounted: a lap of the ring, so that its slots are alike

constexpr auto nothing = [] {};

// Runs `work`, of `operations` operations, in `regions` regions; `before` and `after` each of them, uncounted.
template <class Before, class Work, class After>
void measure(const char* name, int operations, Before&& before, Work&& work, After&& after) {
  for (int region = -warm_up; region < regions; ++region) {
    before();
    if (region >= 0) CALLGRIND_TOGGLE_COLLECT;
    work();
    if (region >= 0) CALLGRIND_TOGGLE_COLLECT;
    after();
  }
  CALLGRIND_DUMP_STATS_AT(name);
  std::printf("%s %d %d\n", name, regions, regions * operations);
}

void require(bool right, const char* what) {
  if (!right) throw std::runtime_error(what);
}

template <class Work>
auto times(int count, Work&& work) {
  return [count, work] {
    for (int i = 0; i < count; ++i) work();
  };
}

// A standalone producer and its consumer on one client.
class Stream {
 public:
  Stream(const std::string& directory, const std::string& aeron_dir)
      : client_(need(Client::connect({.aeron_dir = aeron_dir, .allowed_base_dirs = {directory}, .invoker = true}))),
        producer_(need(client_.attach_producer(producing(directory)))),
        consumer_(need(client_.attach_consumer({.stream_id = stream_id, .standalone = true}))) {
    require(eventually([this] {
              client_.do_work(monotonic_now());
              const bool seen = producer_.publish(no_layout_, {}) == PublishStatus::ok;
              return poll() > 0 && seen;
            }),
            "no frame comes");
    drain();
    frames_ = 0;
  }

  void measure_all() {
    const auto drained = [this] { drain(); };
    measure("publish_empty", batch, nothing, times(batch, [this] { publish_empty(); }), drained);
    measure("publish_4096", batch, nothing, times(batch, [this] { publish_copy(); }), drained);
    measure("claim_commit", batch, nothing, times(batch, [this] { claim_commit(); }), drained);
    measure(
        "poll_one", 1, [this] { publish_empty(); }, [this] { poll(); }, drained);
    measure(
        "poll_64", batch, times(batch, [this] { publish_empty(); }), [this] { poll(); }, drained);
    measure("poll_empty", batch, nothing, times(batch, [this] { poll(); }), nothing);
    require(failures_ == 0, "not every frame was sent");
    require(frames_ == (4 * batch + 1) * (warm_up + regions), "not every frame came");
  }

 private:
  static ProducerOptions producing(const std::string& directory) {
    ProducerOptions options{.stream_id = stream_id};
    options.standalone =
        StandaloneOptions{.pools = {{1, payload_bytes}}, .nslots = warm_up * batch, .base_dir = directory};
    return options;
  }

  void publish_empty() { failures_ += producer_.publish(no_layout_, {}, info_) != PublishStatus::ok; }
  void publish_copy() { failures_ += producer_.publish(layout_, payload_, info_) != PublishStatus::ok; }
  void claim_commit() {
    auto claim = producer_.claim(payload_bytes);
    failures_ += !claim || std::move(*claim).commit(layout_, info_) != PublishStatus::ok;
  }
  int poll() {
    return consumer_.poll([this](const Frame&) { ++frames_; }, batch);
  }
  void drain() {
    while (poll() > 0) {
    }
  }

  Client client_;
  Producer producer_;
  Consumer consumer_;
  const std::array<std::byte, payload_bytes> payload_{};
  const TensorLayout no_layout_ = TensorLayout::raw_bytes(0);
  const TensorLayout layout_ = TensorLayout::raw_bytes(payload_bytes);
  const FrameInfo info_{.timestamp_ns = 1};
  int failures_ = 0;
  int frames_ = 0;
};

void measure_aeron(RawAeron& aeron) {
  const std::array<std::byte, descriptor_bytes> message{};
  int failures = 0;
  const auto offer = [&] { failures += !aeron.offer(message.data(), message.size()); };
  const auto drained = [&] {
    while (aeron.poll(batch) > 0) {
    }
  };
  measure("aeron_offer", batch, nothing, times(batch, offer), drained);
  measure("aeron_try_claim", batch, nothing, times(batch, [&] { failures += !aeron.try_claim(message.size()); }),
          drained);
  measure(
      "aeron_poll_one", 1, offer, [&] { aeron.poll(batch); }, drained);
  measure(
      "aeron_poll_64", batch, times(batch, offer), [&] { aeron.poll(batch); }, drained);
  measure("aeron_poll_empty", batch, nothing, times(batch, [&] { aeron.poll(batch); }), nothing);
  require(failures == 0, "not every message was sent");
}

void run(const std::string& directory) {
  const MediaDriver media = need(MediaDriver::start({.aeron_dir = directory + "/aeron"}));
  measure("nothing", 1, nothing, nothing, nothing);
  {
    RawAeron aeron(media.aeron_dir());
    measure_aeron(aeron);
  }
  Stream stream(directory, media.aeron_dir());
  stream.measure_all();
}

}  // namespace
}  // namespace tensorpool::test

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: hot_path DIRECTORY\n", stderr), 2;
  try {
    tensorpool::test::run(argv[1]);
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "hot_path: %s\n", error.what()), 1;
  }
}
