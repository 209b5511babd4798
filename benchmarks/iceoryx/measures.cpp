#include "measures.hpp"

#include <chrono>
#include <stdexcept>
#include <vector>

#include "ports.hpp"
#include "report.hpp"

namespace tensorpool::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Durations = std::vector<std::uint64_t>;

std::uint64_t nanoseconds(Clock::duration duration) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(duration).count());
}

struct Bench {
  const Options& options;
  Peer& peer;
  Sender& sender;
  Receiver& answers;

  void await_answer(std::size_t bytes, bool touch) {
    for (std::uint32_t idle_polls = 1; !take(answers, bytes, touch); ++idle_polls) {
      if (idle_polls % (1U << 16) == 0 && peer.has_ended()) throw std::runtime_error("the second process ended");
    }
  }
  void await_answer() { await_answer(sizeof(std::uint64_t), false); }
};

std::string round_trip(Bench bench) {
  const Options& options = bench.options;
  const std::size_t warm_up = warm_up_rounds(options);
  const auto kind = options.touch ? Content::Kind::written : Content::Kind::untouched;
  Durations durations;
  durations.reserve(options.samples);
  for (std::size_t round = 0; round < warm_up + options.samples; ++round) {
    const auto begun = Clock::now();
    send(bench.sender, options.bytes, {.kind = kind, .word = round});
    bench.await_answer(options.bytes, options.touch);
    if (round >= warm_up) durations.push_back(nanoseconds(Clock::now() - begun));
  }
  return to_json(options, std::move(durations));
}

// The durations are those between two frames sent; the mean is of all of them until the last was taken.
std::string throughput(Bench bench) {
  const Options& options = bench.options;
  const std::vector<std::uint64_t> source(options.bytes / sizeof(std::uint64_t), 7);
  const auto kind = options.touch ? Content::Kind::copied : Content::Kind::untouched;
  const Content content{.kind = kind, .from = &source};
  Durations durations;
  durations.reserve(options.samples);
  for (std::size_t i = warm_up_frames(options); i > 0; --i) send(bench.sender, options.bytes, content);
  bench.await_answer();
  const auto begun = Clock::now();
  auto last = begun;
  for (std::size_t i = 0; i < options.samples; ++i) {
    send(bench.sender, options.bytes, content);
    const auto now = Clock::now();
    durations.push_back(nanoseconds(now - last));
    last = now;
  }
  bench.await_answer();
  const auto all = static_cast<double>(nanoseconds(Clock::now() - begun));
  return to_json(options, std::move(durations), all / static_cast<double>(options.samples));
}

// The durations are those of a publish, as the mean of a burst.
std::string fan_out(Bench bench) {
  const Options& options = bench.options;
  const std::size_t warm_up = warm_up_rounds(options);
  Durations durations;
  durations.reserve(options.samples);
  for (std::size_t round = 0; round < warm_up + options.samples; ++round) {
    const auto begun = Clock::now();
    for (std::size_t i = 0; i < burst; ++i) send(bench.sender, options.bytes, {});
    if (round >= warm_up) durations.push_back(nanoseconds(Clock::now() - begun) / burst);
    bench.await_answer();
  }
  return to_json(options, std::move(durations));
}

}  // namespace

std::string measure(const Options& options, Peer& peer) {
  const auto answers = make_receiver("back", 1);
  const auto sender = make_sender("there");
  Bench bench{options, peer, *sender, *answers};
  bench.await_answer();  // it is there
  switch (options.measure) {
    case Measure::round_trip:
      return round_trip(bench);
    case Measure::throughput:
      return throughput(bench);
    case Measure::fan_out:
      return fan_out(bench);
  }
  return {};
}

}  // namespace tensorpool::bench
