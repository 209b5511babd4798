// A consumer among strangers: whatever they say on the control and descriptor streams, and whatever they write into the
// ring that it reads, it reads nothing outside its mapping, its books balance, and its epoch never goes back. Over the
// in-memory twin of transport, with real files.
#include <fcntl.h>
#include <sys/uio.h>

#include <memory>
#include <optional>

#include "client/scripted_driver_test.hpp"
#include "fuzz/fuzz_input.hpp"
#include "protocol/region_uri.hpp"

namespace tensorpool::detail {
namespace {

using fuzzing::Input;
using fuzzing::require;

constexpr const char* bus = "consumer-fuzz";
constexpr std::uint32_t stream = 5;
constexpr std::int32_t descriptor_stream = 1100;
constexpr std::uint32_t reader_id = 70;

struct Bus {
  Bus() { transport::loopback::start_media_driver(bus); }
  ~Bus() { transport::loopback::remove_bus(bus); }
};

ScriptedDriver::Settings small() {
  ScriptedDriver::Settings settings;
  settings.nslots = 4;
  settings.pools = {{1, 128}, {2, 256}};
  return settings;
}

class World {
 public:
  explicit World(Input& input)
      : input_(input), dir_(fuzzing::scratch_prefix(), "/dev/shm"), driver_(bus, dir_.path(), small()) {
    ClientOptions options;
    options.aeron_dir = bus;
    options.allowed_base_dirs = {dir_.path()};
    options.invoker = true;
    options.counters = false;
    options.wait = [this] { return tick(); };
    client_.emplace(Client::connect(std::move(options)).value());
    ConsumerOptions wants;
    wants.stream_id = stream;
    wants.client_id = reader_id;
    wants.start = static_cast<StartAt>(input_.choice(3));
    wants.latest_only = input_.choice(8) == 0;
    wants.decimation = input_.choice(4) == 0 ? 2 : 1;
    if (input_.choice(4) == 0) wants.max_rate_hz = 100;
    if (input_.flag()) wants.progress = ProgressHints{.interval_us = 0, .bytes_delta = 0};
    wants.own_streams = input_.flag();
    consumer_.emplace(client_->attach_consumer(wants).value());
    producer_.emplace(client_->attach_producer({.stream_id = stream, .progress_interval_ns = 0}).value());
    connection_.emplace(transport::Connection::open({.aeron_dir = bus}).value());
    descriptors_ = connection_->add_publication("aeron:ipc", descriptor_stream).value();
    pass(20);
  }

  void live() {
    for (int actions = 0; !input_.empty() && actions < 64; ++actions) {
      act();
      judge();
    }
  }

 private:
  void act() {
    switch (input_.choice(14)) {
      case 0:
      case 1:
        return publish();
      case 2:
      case 3:
        return poll();
      case 4:
        return describe();
      case 5:
        return scribble(driver_.layout(stream).header_path);
      case 6:
        return scribble(driver_.layout(stream).pools[0].path);
      case 7:
        return announce();
      case 8:
        return configure();
      case 9:
        return tell_progress();
      case 10:
        return revoke();
      case 11:
        return other_messages();
      case 12:
        return pass(input_.number<std::uint8_t>() * 20);
      default:
        return pass(2);
    }
  }

  void publish() {
    const std::size_t bytes = input_.choice(257);
    if (input_.flag()) {
      auto claimed = producer_->claim(bytes, TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes)));
      if (!claimed) return;
      claimed->progress(bytes / 2);
      if (input_.flag()) std::move(*claimed).commit(TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes)));
      return;
    }
    producer_->publish(TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes)), pattern(bytes, 1));
  }

  // Every byte that is said to be there is read.
  void poll() {
    const bool scribbles = input_.choice(4) == 0;  // during the use
    consumer_->poll([&](const Frame& frame) {
      require(frame.size_bytes() <= 256 && frame.layout().extent_bytes() <= frame.size_bytes());
      std::vector<std::byte> copy(frame.size_bytes());
      static_cast<void>(frame.copy_to(copy));
      if (scribbles) scribble(driver_.layout(stream).header_path);
      sum(frame.unchecked());
      static_cast<void>(frame.still_valid());
    });
    consumer_->poll_progress([&](const PartialFrame& frame) {
      require(frame.size_bytes() <= 256 && frame.bytes_filled() <= frame.size_bytes());
      std::vector<std::byte> copy(frame.bytes_filled());
      static_cast<void>(frame.copy_to(copy));
      sum(frame.unchecked());
      static_cast<void>(frame.rows_filled());
    });
  }
  void sum(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) sum_ = sum_ + std::to_integer<unsigned>(byte);
  }

  void describe() {
    protocol::FrameDescriptor descriptor;
    descriptor.stream_id = input_.choice(8) == 0 ? input_.number<std::uint32_t>() : stream;
    descriptor.epoch = epoch();
    descriptor.seq = seq();
    if (input_.flag()) descriptor.timestamp_ns = input_.number<std::uint64_t>();
    static_cast<void>(descriptors_.offer(fuzzing::spoiled(input_, descriptor)));
  }

  // A few bytes of a region, its superblock included, as anybody who may write it could.
  void scribble(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) return;
    const auto value = input_.number<std::uint64_t>();
    const std::size_t length = 1 + input_.choice(sizeof value);
    const auto offset = static_cast<off_t>(input_.number<std::uint16_t>() % (64 + 4 * 256 - sizeof value));
    const iovec bytes{const_cast<std::uint64_t*>(&value), length};
    require(::pwritev(file.get(), &bytes, 1, offset) == static_cast<ssize_t>(length));
  }

  void announce() {
    protocol::ShmPoolAnnounce announce = driver_.announce_of(driver_.layout(stream));
    if (input_.flag()) announce.epoch = epoch();
    if (input_.choice(4) == 0) announce.announce_timestamp_ns = input_.number<std::uint64_t>();
    if (input_.choice(4) == 0) announce.header_nslots = input_.number<std::uint32_t>();
    if (input_.choice(4) == 0) announce.layout_version = static_cast<std::uint32_t>(input_.choice(4));
    if (input_.choice(4) == 0) announce.header_slot_bytes = input_.number<std::uint16_t>();
    if (input_.choice(4) == 0) announce.header_region_uri = uri();
    if (input_.choice(4) == 0) announce.payload_pools[0].region_uri = uri();
    if (input_.choice(4) == 0) announce.payload_pools[0].stride_bytes = input_.number<std::uint32_t>();
    if (input_.choice(4) == 0) announce.payload_pools[1].pool_nslots = input_.number<std::uint32_t>();
    if (input_.choice(8) == 0) announce.payload_pools.resize(input_.choice(200), announce.payload_pools[0]);
    say(announce);
  }
  std::string uri() {
    const auto& layout = driver_.layout(stream);
    switch (input_.choice(4)) {
      case 0:
        return protocol::format_region_uri({layout.header_path, {}});
      case 1:
        return protocol::format_region_uri({layout.pools[0].path, input_.flag()});
      case 2:
        return "shm:file?path=" + dir_.path() + "/" + input_.text();
      default:
        return input_.text();
    }
  }

  void configure() {
    protocol::ConsumerConfig config;
    config.stream_id = stream;
    config.consumer_id = reader_id;
    config.use_shm = input_.choice(4) != 0;
    config.mode = static_cast<protocol::Mode>(input_.choice(4));
    config.descriptor_stream_id = input_.choice(4) == 0 ? input_.number<std::uint16_t>() : 0;
    config.control_stream_id = input_.choice(4) == 0 ? input_.number<std::uint16_t>() : 0;
    if (config.descriptor_stream_id != 0) config.descriptor_channel = input_.flag() ? "aeron:ipc" : input_.text();
    if (config.control_stream_id != 0) config.control_channel = input_.flag() ? "aeron:ipc" : input_.text();
    if (input_.choice(4) == 0) config.payload_fallback_uri = input_.text();
    say(config);
  }
  void tell_progress() {
    const auto state = static_cast<protocol::FrameProgressState>(input_.choice(5));
    say(protocol::FrameProgress{stream, epoch(), seq(), input_.number<std::uint16_t>(), state});
  }
  void revoke() {
    if (input_.flag()) {
      const auto role = input_.flag() ? protocol::Role::producer : protocol::Role::consumer;
      if (const std::uint64_t lease = driver_.lease_of(role); lease != 0) {
        driver_.revoke(lease, protocol::LeaseRevokeReason::revoked);
      }
      return pass(500);
    }
    say(protocol::ShmLeaseRevoked{input_.number<std::uint64_t>(), 101 + input_.choice(4), stream, reader_id,
                                  protocol::Role::consumer, protocol::LeaseRevokeReason::revoked, input_.text()});
  }
  void other_messages() {
    switch (input_.choice(5)) {
      case 0:
        return say(protocol::ShmDriverShutdown{static_cast<std::uint64_t>(now_), {}, input_.text()});
      case 1: {
        protocol::ShmAttachResponse response;
        response.correlation_id = input_.number<std::int64_t>();
        response.error_message = input_.text();
        return say(response);
      }
      case 2:
        return say(protocol::ShmDetachResponse{input_.number<std::int64_t>(), {}, input_.text()});
      case 3: {
        protocol::ConsumerHello hello;
        hello.stream_id = stream;
        hello.consumer_id = static_cast<std::uint32_t>(input_.choice(4));
        hello.supports_progress = input_.flag();
        hello.progress_interval_us = input_.number<std::uint32_t>();
        hello.max_rate_hz = input_.number<std::uint32_t>();
        return say(hello);
      }
      default:
        return say(protocol::QosProducer{});
    }
  }

  template <class Message>
  void say(const Message& message) {
    if (!forger_) {
      forger_.emplace(connection_->add_publication("aeron:ipc", 1000).value());
      pass(2);
    }
    static_cast<void>(forger_->offer(fuzzing::spoiled(input_, message)));
    pass(1);
  }
  std::uint64_t epoch() {
    const std::uint64_t current = driver_.layout(stream).epoch;
    const std::size_t way = input_.choice(8);
    return way == 0 ? input_.number<std::uint64_t>() : way == 1 ? current + 1 : way == 2 ? current - 1 : current;
  }
  std::uint64_t seq() {
    return input_.choice(8) == 0 ? input_.number<std::uint64_t>() : producer_->stats().next_seq + input_.choice(8) - 4;
  }

  Nanos tick(int milliseconds = 1) {
    now_ += milliseconds * nanos_per_milli;
    driver_.do_work(now_);
    return now_;
  }
  void pass(int milliseconds) {
    const int step = std::max(1, milliseconds / 20);
    for (int passed = 0; passed < milliseconds; passed += step) client_->do_work(tick(step));
  }

  void judge() {
    const ConsumerStats stats = consumer_->stats();
    require(stats.accounted == stats.delivered + stats.abandoned + stats.lost_total());
    require(stats.epoch == 0 || stats.epoch >= epoch_);
    epoch_ = std::max(epoch_, stats.epoch);
  }

  Input& input_;
  Bus bus_;
  TempDir dir_;
  Nanos now_ = 1000 * nanos_per_second;
  ScriptedDriver driver_;
  std::optional<Client> client_;
  std::optional<Consumer> consumer_;
  std::optional<Producer> producer_;
  std::optional<transport::Connection> connection_;
  transport::Publication descriptors_;
  std::optional<transport::Publication> forger_;
  std::uint64_t epoch_ = 0;
  volatile unsigned sum_ = 0;
};

}  // namespace
}  // namespace tensorpool::detail

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tensorpool::fuzzing::Input input(data, size);
  tensorpool::detail::World(input).live();
  return 0;
}
