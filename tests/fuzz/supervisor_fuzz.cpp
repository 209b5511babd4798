// A supervisor, which hears whatever strangers say on the control and QoS streams and in counters, in any order, while
// time passes: over the in-memory twin of transport. Whatever is said, its tables are bounded and sorted, nobody is
// told anything that is no message, and in the end an honest consumer is seen and told what its policy says.
#include <algorithm>
#include <memory>
#include <vector>

#include "client/attachment_counters.hpp"
#include "fuzz/fuzz_input.hpp"
#include "protocol/dispatch.hpp"
#include "protocol/lease_label.hpp"
#include "tensorpool/supervisor.hpp"
#include "transport/connection.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::supervisor {
namespace {

using fuzzing::Input;
using fuzzing::require;

constexpr const char* bus = "supervisor-fuzz";
constexpr std::int32_t control_stream = 1000;
constexpr std::int32_t qos_stream = 1200;
constexpr std::uint32_t honest_stream = 7777;
constexpr std::uint32_t honest_consumer = 4242;

struct Bus {
  Bus() { transport::loopback::start_media_driver(bus); }
  ~Bus() { transport::loopback::remove_bus(bus); }
};

class World {
 public:
  explicit World(Input& input)
      : input_(input),
        connection_(transport::Connection::open({.aeron_dir = bus}).value()),
        control_(connection_.add_publication("aeron:ipc", control_stream).value()),
        qos_(connection_.add_publication("aeron:ipc", qos_stream).value()),
        heard_(connection_.add_subscription("aeron:ipc", control_stream).value()) {
    SupervisorOptions options;
    options.where.aeron_dir = bus;
    options.where.invoker = true;
    options.policies = {{.stream_id = honest_stream, .consumer_id = honest_consumer, .rate_limited = true},
                        {.stream_id = 1, .rate_limited = input_.flag(), .use_shm = input_.flag()}};
    options.on_event = [](const MonitorEvent& event) {
      for (const char c : event.message) require(static_cast<unsigned char>(c) >= ' ');
    };
    supervisor_ = std::make_unique<Supervisor>(Supervisor::create(std::move(options)).value());
    pass(100 * nanos_per_milli);
  }

  void live() {
    for (int actions = 0; !input_.empty() && actions < 64; ++actions) {
      act();
      judge();
    }
    see_an_honest_consumer();
  }

  void on(const protocol::ConsumerConfig& config) {
    honest_was_told_ =
        honest_was_told_ || (config.stream_id == honest_stream && config.consumer_id == honest_consumer &&
                             config.mode == protocol::Mode::rate_limited);
  }

 private:
  void act() {
    switch (input_.choice(12)) {
      case 0:
        return say(control_, hello());
      case 1:
        return say(qos_, protocol::QosConsumer{stream(), client(), epoch(), number(), number(), number(), {}});
      case 2:
        return say(qos_, protocol::QosProducer{stream(), client(), epoch(), number(), {}});
      case 3:
        return say(control_, announce());
      case 4:
        return say(control_, protocol::ShmLeaseRevoked{number(), number(), stream(), client(), role(), {}, {}});
      case 5:
        return say(control_, protocol::ShmDriverShutdown{});
      case 6:
        return say(control_, protocol::ConsumerConfig{.stream_id = stream(), .consumer_id = client()});
      case 7:
        return say(control_, protocol::ShmLeaseKeepalive{number(), stream(), client(), role(), number()});
      case 8:
        return noise();
      case 9:
        return count();
      case 10:
        return pass(input_.number<std::uint8_t>() * 50 * nanos_per_milli);
      default:
        return pass(0);
    }
  }

  template <class Message>
  void say(transport::Publication& on_stream, const Message& message) {
    static_cast<void>(on_stream.offer(fuzzing::spoiled(input_, message)));
  }
  void noise() {
    const std::string text = input_.text();
    static_cast<void>((input_.flag() ? control_ : qos_).offer(std::as_bytes(std::span(text))));
  }
  // Somebody's counter, with the label of a lease or of a client's figure, or any.
  void count() {
    if (counters_.size() >= 16) counters_.clear();
    const std::int32_t types[] = {protocol::lease_keepalives_counter_type, protocol::lease_expiry_counter_type,
                                  detail::first_producer_counter_type, detail::first_consumer_counter_type};
    const std::int32_t type = types[input_.choice(std::size(types))] + static_cast<std::int32_t>(input_.choice(20));
    std::string label = input_.text();
    if (input_.flag()) {
      label = protocol::format_lease_label({control_stream, number(), stream(), client(), role(), number()}, types[0]);
    } else if (input_.flag()) {
      const auto figure = detail::consumer_figures[input_.choice(detail::consumer_figures.size())];
      label = detail::to_label({control_stream, role(), client(), stream()}, figure);
    }
    auto counter = connection_.add_counter(type, {}, label);
    if (!counter) return;
    counter->set(static_cast<std::int64_t>(number()));
    counters_.push_back(std::make_unique<transport::Counter>(*std::move(counter)));
  }
  protocol::ConsumerHello hello() {
    protocol::ConsumerHello made;
    made.stream_id = stream();
    made.consumer_id = client();
    made.supports_shm = input_.flag();
    made.mode = static_cast<protocol::Mode>(input_.choice(4));
    made.max_rate_hz = input_.number<std::uint16_t>();
    if (input_.flag()) made.descriptor_channel = input_.text();
    return made;
  }
  protocol::ShmPoolAnnounce announce() {
    protocol::ShmPoolAnnounce made;
    made.stream_id = stream();
    made.epoch = epoch();
    made.producer_id = client();
    made.announce_timestamp_ns = input_.flag() ? static_cast<std::uint64_t>(now_) : number();
    made.header_nslots = input_.number<std::uint32_t>();
    for (std::size_t pools = input_.choice(3); pools > 0; --pools) {
      made.payload_pools.push_back({input_.number<std::uint16_t>(), input_.number<std::uint32_t>(),
                                    input_.number<std::uint32_t>(), input_.text()});
    }
    return made;
  }
  std::uint32_t stream() { return input_.flag() ? 1 : input_.number<std::uint32_t>(); }
  std::uint32_t client() {
    return input_.flag() ? static_cast<std::uint32_t>(input_.choice(4)) : input_.number<std::uint32_t>();
  }
  protocol::Role role() { return input_.flag() ? protocol::Role::producer : protocol::Role::consumer; }
  std::uint64_t epoch() { return input_.flag() ? input_.choice(3) : number(); }
  std::uint64_t number() { return input_.flag() ? input_.choice(8) : input_.number<std::uint64_t>(); }

  void pass(Nanos duration) {
    const Nanos end = now_ + duration;
    do {
      now_ = std::min(now_ + 200 * nanos_per_milli, end);
      for (int quiet = 0, cycles = 0; quiet < 2 && cycles < 500; ++cycles) {
        quiet = supervisor_->do_work(now_) == 0 ? quiet + 1 : 0;
        connection_.do_work();
        heard_.poll_assembled(
            [this](std::span<const std::byte> bytes) { protocol::dispatch<protocol::ConsumerConfig>(bytes, *this); },
            1000);
      }
    } while (now_ < end);
  }

  void judge() {
    const MonitorSnapshot seen = supervisor_->snapshot();
    require(seen.connected);
    const auto sorted = [](const auto& table, auto key) {
      return std::is_sorted(table.begin(), table.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    };
    require(sorted(seen.streams, [](const StreamView& one) { return one.stream_id; }));
    require(sorted(seen.producers, [](const ProducerView& one) { return std::pair(one.stream_id, one.producer_id); }));
    require(sorted(seen.consumers, [](const ConsumerView& one) { return std::pair(one.stream_id, one.consumer_id); }));
    for (const ProducerView& one : seen.producers) require(one.silent_ns >= 0 && one.frames_per_s >= 0);
    for (const ConsumerView& one : seen.consumers) require(one.silent_ns >= 0 && one.frames_per_s >= 0);
  }

  void see_an_honest_consumer() {
    protocol::ConsumerHello hello;
    hello.stream_id = honest_stream;
    hello.consumer_id = honest_consumer;
    hello.supports_shm = true;
    hello.mode = protocol::Mode::stream;
    for (int seconds = 0; seconds < 130 && !honest_was_told_; ++seconds) {
      std::vector<std::byte> bytes(protocol::encoded_length(hello));
      bytes.resize(protocol::encode(hello, bytes));
      static_cast<void>(control_.offer(bytes));
      pass(nanos_per_second);
    }
    require(honest_was_told_);
  }

  Input& input_;
  Bus bus_;
  Nanos now_ = 1000 * nanos_per_second;
  transport::Connection connection_;
  transport::Publication control_;
  transport::Publication qos_;
  transport::Subscription heard_;
  std::vector<std::unique_ptr<transport::Counter>> counters_;
  std::unique_ptr<Supervisor> supervisor_;
  bool honest_was_told_ = false;
};

}  // namespace
}  // namespace tensorpool::supervisor

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tensorpool::fuzzing::Input input(data, size);
  tensorpool::supervisor::World(input).live();
  return 0;
}
