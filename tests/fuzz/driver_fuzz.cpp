// A driver, and strangers who say to it whatever they like, in any order, while time passes: over the in-memory twin of
// transport, with real files. Whatever is said, a stream has one producer at most, epochs grow, every lease that was
// granted maps, and in the end an honest client is served.
#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "fuzz/fuzz_input.hpp"
#include "protocol/dispatch.hpp"
#include "protocol/region_uri.hpp"
#include "roles/driver/driver.hpp"
#include "shm/region_set.hpp"
#include "support/temp_dir.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::driver {
namespace {

using fuzzing::Input;
using fuzzing::require;

// The driver's own lock lies beside it.
const std::string& bus() {
  static const TempDir dir(fuzzing::scratch_prefix(), "/dev/shm");
  static const std::string name = dir.path() + "/bus";
  return name;
}
constexpr std::int32_t control_stream = 1000;
constexpr std::uint32_t honest_client = 4242;

struct Bus {
  Bus() { transport::loopback::start_media_driver(bus()); }
  ~Bus() { transport::loopback::remove_bus(bus()); }
};

transport::Connection connect() { return transport::Connection::open({.aeron_dir = bus()}).value(); }

// What every client of the driver hears, and what must be true of it.
class Listener {
 public:
  Listener()
      : connection_(connect()),
        control_(connection_.add_publication("aeron:ipc", control_stream).value()),
        heard_(connection_.add_subscription("aeron:ipc", control_stream).value()) {}

  void say(const std::vector<std::byte>& bytes) { static_cast<void>(control_.offer(bytes)); }
  void listen() {
    connection_.do_work();
    heard_.poll_assembled(
        [this](std::span<const std::byte> bytes) {
          protocol::dispatch<protocol::ShmPoolAnnounce, protocol::ShmAttachResponse>(bytes, *this);
        },
        1000);
  }
  // Strangers forge these two as well; what they forge is of their epochs and leases.
  void on(const protocol::ShmPoolAnnounce& announce) { announces.push_back(announce); }
  void on(const protocol::ShmAttachResponse& response) { responses[response.correlation_id] = response; }

  std::vector<protocol::ShmPoolAnnounce> announces;
  std::map<std::int64_t, protocol::ShmAttachResponse> responses;

 private:
  transport::Connection connection_;
  transport::Publication control_;
  transport::Subscription heard_;
};

class World {
 public:
  explicit World(Input& input) : input_(input), dir_(fuzzing::scratch_prefix(), "/dev/shm") {
    DriverConfig config;
    config.driver.aeron_dir = bus();
    config.driver.stream_id_range = StreamIdRange{100, 103};
    config.driver.descriptor_stream_id_range = StreamIdRange{2000, 2001};
    config.driver.control_stream_id_range = StreamIdRange{2100, 2101};
    config.shm.base_dir = dir_.path();
    config.policies.allow_dynamic_streams = input_.flag();
    config.policies.unique_client_ids = input_.flag();
    config.policies.shutdown_token = "token";
    config.policies.epoch_gc_min_age_ns = 0;
    config.policies.prefault_shm = false;
    config.profiles.push_back({"small", 4, 256, 8, {{1, 64}, {2, 128}}});
    config.streams.push_back({"one", 1, "small"});
    DriverDeps deps;
    deps.connect = [] { return transport::Connection::open({.aeron_dir = bus()}); };
    deps.realtime = [this] { return realtime_; };
    deps.space = [](const std::string&) -> Result<shm::Space> { return shm::Space{}; };
    deps.user = "fuzz";
    driver_ = Driver::create(std::move(config), std::move(deps)).value();
    pass(200 * nanos_per_milli);
  }

  void live() {
    for (int actions = 0; !input_.empty() && actions < 64; ++actions) {
      act();
      judge();
    }
    if (driver_->status().state != DriverState::running) return;  // somebody knew the token
    serve_an_honest_client();
  }

 private:
  void act() {
    switch (input_.choice(12)) {
      case 0:
        return say(attach());
      case 1:
        return say(keepalive());
      case 2:
        return say(protocol::ShmDetachRequest{input_.number<std::uint8_t>(), lease_id(), stream(), client(), role()});
      case 3:
        return say(hello());
      case 4:
        return say(protocol::ShmDriverShutdownRequest{input_.number<std::uint8_t>(), protocol::ShutdownReason::admin,
                                                      input_.flag() ? input_.text() : "", ""});
      case 5:
        return say(protocol::QosConsumer{stream(), client(), epoch(), input_.number<std::uint64_t>(), 0, 0, {}});
      case 6:
        return say(protocol::QosProducer{});
      case 7:
        return forge();
      case 8:
        return noise();
      case 9:
        realtime_ += input_.number<std::int8_t>() * nanos_per_second;
        return;
      case 10:
        return pass(input_.number<std::uint8_t>() * 20 * nanos_per_milli);
      default:
        return pass(0);
    }
  }

  template <class Message>
  void say(const Message& message) {
    listener_.say(fuzzing::spoiled(input_, message));
  }
  void forge() {
    switch (input_.choice(3)) {
      case 0:
        return say(protocol::ShmDriverShutdown{});
      case 1:
        return say(protocol::ShmLeaseRevoked{0, lease_id(), stream(), client(), role(), {}, {}});
      default:
        return say(protocol::ConsumerConfig{.stream_id = stream(), .consumer_id = client()});
    }
  }
  void noise() {
    const std::string text = input_.text();
    const auto bytes = std::as_bytes(std::span(text));
    listener_.say({bytes.begin(), bytes.end()});
  }
  protocol::ShmAttachRequest attach() {
    protocol::ShmAttachRequest request;
    request.correlation_id = input_.number<std::uint8_t>();
    request.stream_id = stream();
    request.client_id = client();
    request.role = role();
    request.expected_layout_version = static_cast<std::uint32_t>(input_.choice(3));
    if (input_.flag()) request.publish_mode = static_cast<protocol::PublishMode>(input_.choice(4));
    request.require_hugepages = static_cast<protocol::HugepagesPolicy>(input_.choice(4));
    if (input_.choice(4) == 0) request.desired_node_id = input_.number<std::uint16_t>();
    return request;
  }
  protocol::ShmLeaseKeepalive keepalive() {
    const auto leases = driver_->status().leases;
    if (!leases.empty() && input_.flag()) {
      const LeaseStatus& lease = leases[input_.choice(leases.size())];
      return {lease.lease_id, lease.stream_id, lease.client_id, lease.role, 0};
    }
    return {lease_id(), stream(), client(), role(), input_.number<std::uint64_t>()};
  }
  protocol::ConsumerHello hello() {
    protocol::ConsumerHello hello;
    hello.stream_id = stream();
    hello.consumer_id = client();
    hello.descriptor_stream_id = static_cast<std::uint32_t>(input_.choice(3));
    hello.control_stream_id = static_cast<std::uint32_t>(input_.choice(3));
    if (input_.flag()) hello.descriptor_channel = input_.flag() ? "aeron:ipc" : input_.text();
    if (input_.flag()) hello.control_channel = input_.flag() ? "aeron:ipc" : input_.text();
    return hello;
  }
  std::uint32_t stream() { return input_.flag() ? 1 : static_cast<std::uint32_t>(98 + input_.choice(8)); }
  std::uint32_t client() { return static_cast<std::uint32_t>(input_.choice(6)); }
  protocol::Role role() { return static_cast<protocol::Role>(input_.choice(4)); }
  std::uint64_t epoch() { return input_.number<std::uint64_t>(); }
  std::uint64_t lease_id() {
    const auto leases = driver_->status().leases;
    return leases.empty() || input_.flag() ? input_.number<std::uint64_t>()
                                           : leases[input_.choice(leases.size())].lease_id;
  }

  // Everything that can happen, now and in the time to come.
  void pass(Nanos duration) {
    const Nanos end = now_ + duration;
    do {
      now_ = std::min(now_ + 50 * nanos_per_milli, end);
      for (int quiet = 0, cycles = 0; quiet < 2 && cycles < 500; ++cycles) {
        quiet = driver_->do_work(now_) == 0 ? quiet + 1 : 0;
        listener_.listen();
      }
    } while (now_ < end);
  }

  void judge() {
    const DriverStatus status = driver_->status();
    require(!driver_->failure());
    std::set<std::uint32_t> produced;
    for (const LeaseStatus& lease : status.leases) {
      if (lease.role == protocol::Role::producer) require(produced.insert(lease.stream_id).second);
    }
    std::map<std::uint32_t, std::uint64_t> epochs;  // a dynamic stream that went begins anew
    for (const StreamStatus& stream : status.streams) {
      require(stream.epoch == 0 || stream.epoch >= epochs_[stream.stream_id]);
      epochs[stream.stream_id] = stream.epoch;
    }
    epochs_ = std::move(epochs);
  }

  void serve_an_honest_client() {
    for (const LeaseStatus& lease : driver_->status().leases) {
      if (lease.client_id == honest_client) return;  // somebody took its id
    }
    protocol::ShmAttachRequest request;
    request.correlation_id = 1'000'000;
    request.stream_id = 1;
    request.client_id = honest_client;
    listener_.responses.clear();
    listener_.say(encoded(request));
    pass(100 * nanos_per_milli);
    const auto answered = listener_.responses.find(request.correlation_id);
    require(answered != listener_.responses.end() && answered->second.code == protocol::ResponseCode::ok);
    const protocol::ShmAttachResponse& granted = answered->second;
    shm::RegionLayout layout;
    layout.stream_id = 1;
    layout.epoch = granted.epoch.value();
    layout.nslots = granted.header_nslots.value();
    layout.header_path = protocol::parse_region_uri(granted.header_region_uri).value().path;
    for (const protocol::PayloadPool& pool : granted.payload_pools) {
      layout.pools.push_back(
          {pool.pool_id, pool.stride_bytes, protocol::parse_region_uri(pool.region_uri).value().path});
    }
    require(shm::RegionSet::map(layout, shm::Access::read_only, {{dir_.path()}}).has_value());
  }

  template <class Message>
  static std::vector<std::byte> encoded(const Message& message) {
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    bytes.resize(protocol::encode(message, bytes));
    return bytes;
  }

  Input& input_;
  Bus bus_;
  TempDir dir_;
  Nanos now_ = 1000 * nanos_per_second;
  Nanos realtime_ = 1'700'000'000 * nanos_per_second;
  std::unique_ptr<Driver> driver_;
  Listener listener_;
  std::map<std::uint32_t, std::uint64_t> epochs_;  // of each stream
};

}  // namespace
}  // namespace tensorpool::driver

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tensorpool::fuzzing::Input input(data, size);
  tensorpool::driver::World(input).live();
  return 0;
}
