// test_peer: a process that a test starts, watches and kills.
//   test_peer media AERON_DIR                              a media driver
//   test_peer producer CONFIG [stream=N bytes=N rate=HZ burst=N wake=0|1]  publishes frames of known content
//   test_peer consumer CONFIG [stream=N own=0|1]           checks every byte, and the order of sequences and epochs
// Both take uid=N: what they do, they do as that user; and guard=1: they outlive region files that are truncated.
// It says "peer is up", then events as they happen and its figures every few milliseconds ("progress name=value ...").
// Commands on standard input: "pause", "resume"; its end is a clean end.
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "apps/config/client_setup.hpp"
#include "apps/flow/pattern.hpp"
#include "tensorpool/tensorpool.hpp"
#include "transport/media_driver.hpp"

namespace {

using namespace tensorpool;

constexpr Nanos progress_period_ns = 10 * nanos_per_milli;

void say(const std::string& line) {
  const std::string text = line + "\n";  // one write, so that lines of two threads do not mix
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) std::_Exit(9);
}

int fail(const Error& error) {
  say("failed: " + error.message);
  return 3;
}

using Arguments = std::map<std::string, std::uint64_t>;

Arguments arguments_of(const std::vector<std::string>& texts) {
  Arguments out{{"stream", 1001}, {"bytes", 4000}, {"rate", 500}, {"burst", 1},
                {"uid", 0},       {"own", 0},      {"wake", 0},   {"guard", 0}};
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    out[text.substr(0, equals)] = std::strtoull(text.c_str() + equals + 1, nullptr, 10);
  }
  return out;
}

// Waits for at most `milliseconds`; false at the end of standard input.
bool take_command(int milliseconds, bool& paused) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (::poll(&input, 1, milliseconds) <= 0) return true;
  char text[256];
  const ssize_t got = ::read(STDIN_FILENO, text, sizeof text);
  if (got <= 0) return false;
  const std::string command(text, static_cast<std::size_t>(got));
  paused = command.find("pause") != std::string::npos || (paused && command.find("resume") == std::string::npos);
  return true;
}

// Speaks every few milliseconds, the last time at its end.
template <class Describe>
class Progress {
 public:
  explicit Progress(Describe describe) : describe_(std::move(describe)) {}
  ~Progress() { say("progress " + describe_()); }
  void tick(Nanos now) {
    if (now < next_) return;
    next_ = now + progress_period_ns;
    say("progress " + describe_());
  }

 private:
  Describe describe_;
  Nanos next_ = 0;
};

Result<Client> connect(const std::string& config_path, const std::string& name) {
  auto config = apps::load_node_config(config_path, apps::process_environment());
  if (!config) return config.error();
  ClientOptions options = apps::consumer_client_options(*config, *config);
  options.name = name;
  options.qos_interval_ns = 100 * nanos_per_milli;
  options.on_event = [](const Event& event) { say(fmt::format("event {}: {}", to_string(event.kind), event.message)); };
  return Client::connect(std::move(options));
}

int serve_media(const std::string& dir) {
  transport::MediaDriverOptions options;
  options.aeron_dir = dir;
  options.wait_for_predecessor_ns = 15 * nanos_per_second;
  const auto driver = transport::EmbeddedMediaDriver::start(options);
  if (!driver) return fail(driver.error());
  say("ready");
  bool paused = false;
  while (take_command(-1, paused)) {
  }
  return 0;
}

PublishStatus publish(Producer& producer, std::size_t bytes) {
  auto claim = producer.claim(bytes);
  if (!claim) return claim.error();
  apps::fill_pattern(claim->payload().first(bytes), claim->seq(), apps::Pattern::words);
  return std::move(*claim).commit(TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes)));
}

int produce(Client& client, const Arguments& arguments) {
  auto producer = client.attach_producer(
      {.stream_id = static_cast<std::uint32_t>(arguments.at("stream")), .wake_consumers = arguments.at("wake") != 0});
  if (!producer) return fail(producer.error());
  say("peer is up");
  std::uint64_t not_committed = 0;  // while attached: what a stalled reader must never cause
  Nanos slowest = 0;
  Progress progress([&] {
    const ProducerStats stats = producer->stats();
    return fmt::format(
        "published={} epoch={} next={} not_attached={} not_committed={} descriptors_dropped={} slowest_us={}",
        stats.published, stats.epoch, stats.next_seq, stats.not_attached, not_committed, stats.descriptors_dropped,
        slowest / 1000);
  });
  const Nanos period = nanos_per_second / static_cast<Nanos>(arguments.at("rate"));
  bool paused = false;
  for (Nanos next = monotonic_now(); take_command(0, paused);) {
    const Nanos before = monotonic_now();
    for (std::uint64_t i = paused ? 0 : arguments.at("burst"); i > 0; --i) {
      const PublishStatus status = publish(*producer, arguments.at("bytes"));
      not_committed +=
          is_committed(status) || status == PublishStatus::not_attached || status == PublishStatus::stale_claim ? 0 : 1;
    }
    const Nanos now = monotonic_now();
    slowest = std::max(slowest, now - before);
    progress.tick(now);
    next = std::max(next + period, now);
    const timespec nap{0, static_cast<long>(std::min(next - now, nanos_per_second - 1))};
    ::nanosleep(&nap, nullptr);
  }
  return 0;
}

struct Seen {
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint64_t bad = 0;       // frames with a byte that is not theirs
  std::uint64_t disorder = 0;  // sequences or epochs that go back
  std::vector<std::byte> copy;
};

void check(const Frame& frame, Seen& seen) {
  seen.copy.resize(frame.size_bytes());
  if (!frame.copy_to(seen.copy)) return;  // overwritten; the statistics have it
  seen.bad += apps::find_pattern_fault(seen.copy, frame.seq()) ? 1 : 0;
  seen.disorder += frame.epoch() < seen.epoch || (frame.epoch() == seen.epoch && frame.seq() <= seen.seq) ? 1 : 0;
  seen.epoch = frame.epoch();
  seen.seq = frame.seq();
}

int consume(Client& client, const Arguments& arguments) {
  auto consumer = client.attach_consumer(
      {.stream_id = static_cast<std::uint32_t>(arguments.at("stream")), .own_streams = arguments.at("own") != 0});
  if (!consumer) return fail(consumer.error());
  say("peer is up");
  Seen seen;
  Progress progress([&] {
    const ConsumerStats stats = consumer->stats();
    std::string causes;
    for (std::size_t cause = 0; cause < loss_causes; ++cause) {
      causes += fmt::format(" {}={}", to_string(static_cast<LossCause>(cause)), stats.lost[cause]);
    }
    return fmt::format(
        "delivered={} bad={} disorder={} epoch={} seq={} remaps={} wrong_epoch={} accounted={} abandoned={} "
        "first={} last={} wall_s={} lost={}{}",
        stats.delivered, seen.bad, seen.disorder, seen.epoch, seen.seq, stats.remaps, stats.wrong_epoch,
        stats.accounted, stats.abandoned, stats.first_seq, stats.last_seq, realtime_now() / nanos_per_second,
        stats.lost_total(), causes);
  });
  bool paused = false;
  while (take_command(1, paused)) {
    if (!paused) consumer->poll([&](const Frame& frame) { check(frame, seen); });
    progress.tick(monotonic_now());
  }
  return 0;
}

bool become(std::uint64_t user) {
  const auto id = static_cast<uid_t>(user);
  return id == 0 || (::setgroups(0, nullptr) == 0 && ::setgid(id) == 0 && ::setuid(id) == 0);
}

int run(const std::vector<std::string>& words) {
  if (words.size() < 3) return 2;
  if (words[1] == "media") return serve_media(words[2]);
  const Arguments arguments = arguments_of({words.begin() + 3, words.end()});
  if (!become(arguments.at("uid"))) return 4;
  std::signal(SIGBUS, SIG_DFL);  // a sanitizer's would report, and exit
  if (arguments.at("guard") != 0) {
    if (const Status guarded = install_sigbus_guard(); !guarded) return fail(guarded.error());
  }
  auto client = connect(words[2], "test_peer " + words[1]);
  if (!client) return fail(client.error());
  return words[1] == "producer" ? produce(*client, arguments) : consume(*client, arguments);
}

}  // namespace

int main(int argc, char** argv) { return run({argv, argv + argc}); }
