// For the client's tests: a small driver on the in-memory twin that does what a test tells it, and a bench that runs
// it, a client in invoker mode and a clock, all on one thread.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/client_core.hpp"
#include "protocol/dispatch.hpp"
#include "protocol/region_uri.hpp"
#include "shm/epoch_store.hpp"
#include "shm/region_creator.hpp"
#include "support/temp_dir.hpp"
#include "tensorpool/client.hpp"
#include "transport/connection.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::detail {

class ScriptedDriver {
 public:
  struct Settings {
    std::uint32_t nslots = 8;
    std::vector<shm::PoolSpec> pools{{1, 4096}, {2, 16384}};
    Nanos lease_ns = 3 * nanos_per_second;
    Nanos announce_period_ns = nanos_per_second;
  };
  struct Lease {
    std::uint64_t id = 0;
    std::uint32_t stream_id = 0;
    std::uint32_t client_id = 0;
    protocol::Role role{};
  };

  ScriptedDriver(std::string aeron_dir, std::string base_dir, Settings wanted)
      : settings(std::move(wanted)),
        aeron_dir_(std::move(aeron_dir)),
        store_(shm::EpochStore::open({.base_dir = std::move(base_dir), .user = "test"}).value()) {
    connect();
  }

  void connect() {
    control_in_ = {};
    control_out_ = {};
    connection_ =
        std::make_unique<transport::Connection>(transport::Connection::open({.aeron_dir = aeron_dir_}).value());
    control_in_ = connection_->add_subscription("aeron:ipc", 1000).value();
    control_out_ = connection_->add_publication("aeron:ipc", 1000).value();
    drain_ = connection_->add_subscription("aeron:ipc?tether=false", 1100).value();
    qos_in_ = connection_->add_subscription("aeron:ipc", 1200).value();
  }

  void do_work(Nanos time) {
    now = time;
    if (paused) return;
    connection_->do_work();
    control_in_.poll_assembled([this](std::span<const std::byte> bytes) { read(bytes); }, 1000);
    qos_in_.poll_assembled([this](std::span<const std::byte> bytes) { read(bytes); }, 1000);
    drain_.poll([](std::span<const std::byte>) {}, 100000);
    if (announcing && now - last_announce_ >= settings.announce_period_ns) announce_all();
  }

  // --- What a test may do to it ---
  Settings settings;
  Nanos now = 0;
  bool paused = false;
  bool announcing = true;
  std::string refuse_with;  // every attach
  std::string refuse_consumers_with;
  std::function<void(protocol::ShmAttachResponse&)> spoil;  // every OK
  std::function<void()> after_answer;                       // to an attach, before the client has read it
  bool answers_hellos = true;
  std::uint32_t own_stream = 0;   // granted to every consumer that asks; 0: declined
  std::uint32_t own_control = 0;  // likewise
  int answers = 1;                // how often each request is answered
  std::vector<protocol::ShmAttachRequest> attaches;
  std::vector<protocol::ShmDetachRequest> detaches;
  std::vector<protocol::ShmLeaseKeepalive> keepalives;
  std::vector<protocol::ConsumerHello> hellos;
  std::vector<protocol::QosConsumer> qos_consumers;
  std::vector<protocol::QosProducer> qos_producers;
  std::map<std::uint64_t, Lease> leases;

  template <class Message>
  void send(const Message& message) {
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    ASSERT_NE(protocol::encode(message, std::span(bytes)), 0u);
    static_cast<void>(control_out_.offer(bytes));
  }
  // As if the driver had been restarted: it knows of nobody.
  void forget() { leases.clear(); }
  void revoke(std::uint64_t lease_id, protocol::LeaseRevokeReason reason) {
    const Lease lease = leases.at(lease_id);
    leases.erase(lease_id);
    send(protocol::ShmLeaseRevoked{
        static_cast<std::uint64_t>(now), lease.id, lease.stream_id, lease.client_id, lease.role, reason, {}});
    if (lease.role == protocol::Role::producer) {
      bump(lease.stream_id);
      announce_all();
    }
  }
  std::uint64_t lease_of(protocol::Role role) const {
    for (const auto& [id, lease] : leases) {
      if (lease.role == role) return id;
    }
    return 0;
  }
  void announce_all() {
    last_announce_ = now;
    for (const auto& [stream, layout] : layouts_) send(announce_of(layout));
  }
  protocol::ShmPoolAnnounce announce_of(const shm::RegionLayout& layout) const {
    protocol::ShmPoolAnnounce announce;
    announce.stream_id = layout.stream_id;
    for (const auto& [id, lease] : leases) {
      if (lease.role == protocol::Role::producer && lease.stream_id == layout.stream_id)
        announce.producer_id = lease.client_id;
    }
    announce.epoch = layout.epoch;
    announce.announce_timestamp_ns = static_cast<std::uint64_t>(now);
    announce.layout_version = 1;
    announce.header_nslots = layout.nslots;
    announce.header_slot_bytes = 256;
    announce.payload_pools = pools_of(layout);
    announce.header_region_uri = protocol::format_region_uri({layout.header_path, {}});
    return announce;
  }
  const shm::RegionLayout& bump(std::uint32_t stream_id) {
    shm::RegionSpec spec{.stream_id = stream_id, .epoch = ++epoch_, .nslots = settings.nslots, .pools = settings.pools};
    spec.prefault = false;
    auto creator = shm::RegionCreator::begin(store_, spec).value();
    while (creator.step(1 << 20, now).value() == shm::RegionCreator::Progress::working) {
    }
    return layouts_[stream_id] = creator.layout();
  }
  const shm::RegionLayout& layout(std::uint32_t stream_id) const { return layouts_.at(stream_id); }

  void on(const protocol::ShmAttachRequest& request) {
    attaches.push_back(request);
    for (int i = 0; i < answers; ++i) send(answer(request));
    if (request.role == protocol::Role::producer && refuse_with.empty()) announce_all();
    if (after_answer) after_answer();
  }
  void on(const protocol::ShmDetachRequest& request) {
    detaches.push_back(request);
    send(protocol::ShmDetachResponse{request.correlation_id, protocol::ResponseCode::ok, {}});
    if (leases.contains(request.lease_id)) revoke(request.lease_id, protocol::LeaseRevokeReason::detached);
  }
  void on(const protocol::ShmLeaseKeepalive& keepalive) { keepalives.push_back(keepalive); }
  void on(const protocol::ConsumerHello& hello) {
    hellos.push_back(hello);
    if (!hello.descriptor_channel.empty() && answers_hellos) send(config_for(hello));
  }
  // As the driver answers who asks for a stream of his own.
  protocol::ConsumerConfig config_for(const protocol::ConsumerHello& hello) const {
    protocol::ConsumerConfig config;
    config.stream_id = hello.stream_id;
    config.consumer_id = hello.consumer_id;
    config.use_shm = hello.supports_shm;
    config.mode = hello.mode;
    config.descriptor_stream_id = own_stream;
    if (own_stream != 0) config.descriptor_channel = "aeron:ipc";
    if (own_control != 0 && !hello.control_channel.empty()) {
      config.control_stream_id = own_control;
      config.control_channel = "aeron:ipc";
    }
    return config;
  }
  void on(const protocol::QosConsumer& qos) { qos_consumers.push_back(qos); }
  void on(const protocol::QosProducer& qos) { qos_producers.push_back(qos); }

 private:
  void read(std::span<const std::byte> bytes) {
    static_cast<void>(
        protocol::dispatch<protocol::ShmAttachRequest, protocol::ShmDetachRequest, protocol::ShmLeaseKeepalive,
                           protocol::ConsumerHello, protocol::QosConsumer, protocol::QosProducer>(bytes, *this));
  }

  // The same answer to the same question.
  protocol::ShmAttachResponse answer(const protocol::ShmAttachRequest& request) {
    if (const auto known = answered_.find(request.correlation_id); known != answered_.end()) return known->second;
    protocol::ShmAttachResponse response;
    response.correlation_id = request.correlation_id;
    std::string refusal =
        request.role == protocol::Role::consumer && refuse_with.empty() ? refuse_consumers_with : refuse_with;
    for (const auto& [id, lease] : leases) {
      if (lease.client_id == request.client_id) refusal = "client_id already attached";
      if (lease.role == protocol::Role::producer && request.role == lease.role &&
          lease.stream_id == request.stream_id) {
        refusal = "producer already attached";
      }
    }
    if (!refusal.empty()) {
      response.code = protocol::ResponseCode::rejected;
      response.error_message = refusal;
      return answered_[request.correlation_id] = response;
    }
    const std::uint32_t stream = request.stream_id != 0 ? request.stream_id : 20000;
    if (request.role == protocol::Role::producer || !layouts_.contains(stream)) bump(stream);
    const auto& regions = layouts_.at(stream);
    ++lease_id_;
    leases[lease_id_] = {lease_id_, stream, request.client_id, request.role};
    response.lease_id = lease_id_;
    response.lease_expiry_timestamp_ns = static_cast<std::uint64_t>(now + settings.lease_ns);
    response.stream_id = stream;
    response.epoch = regions.epoch;
    response.layout_version = 1;
    response.header_nslots = regions.nslots;
    response.header_slot_bytes = 256;
    response.node_id = 1;
    response.payload_pools = pools_of(regions);
    response.header_region_uri = protocol::format_region_uri({regions.header_path, {}});
    if (spoil) spoil(response);
    return answered_[request.correlation_id] = response;
  }
  static std::vector<protocol::PayloadPool> pools_of(const shm::RegionLayout& layout) {
    std::vector<protocol::PayloadPool> pools;
    for (const auto& pool : layout.pools) {
      pools.push_back({pool.pool_id, layout.nslots, pool.stride_bytes, protocol::format_region_uri({pool.path, {}})});
    }
    return pools;
  }

  std::string aeron_dir_;
  shm::EpochStore store_;
  std::unique_ptr<transport::Connection> connection_;
  transport::Subscription control_in_, drain_, qos_in_;
  transport::Publication control_out_;
  std::map<std::uint32_t, shm::RegionLayout> layouts_;
  std::map<std::int64_t, protocol::ShmAttachResponse> answered_;
  std::uint64_t epoch_ = 0;
  std::uint64_t lease_id_ = 100;
  Nanos last_announce_ = 0;
};

class ClientBench : public testing::Test {
 protected:
  explicit ClientBench(ScriptedDriver::Settings settings = {}) : bus_(unique_name()) {
    transport::loopback::start_media_driver(bus_);
    driver = std::make_unique<ScriptedDriver>(bus_, dir.path(), std::move(settings));
  }
  ~ClientBench() override {
    driver.reset();
    transport::loopback::remove_bus(bus_);
  }

  ClientOptions options() {
    ClientOptions made;
    made.aeron_dir = bus_;
    made.allowed_base_dirs = {dir.path()};
    made.invoker = true;
    made.wait = [this] { return tick(); };
    made.on_event = [this](const Event& event) { events.push_back(event); };
    return made;
  }
  Client connect() { return Client::connect(options()).value(); }

  // A millisecond passes, and the driver works.
  Nanos tick() {
    now += nanos_per_milli;
    if (driver) driver->do_work(now);
    return now;
  }
  // Everybody works for so long.
  void run(Client& client, Nanos duration) {
    for (const Nanos end = now + duration; now < end;) client.do_work(tick());
  }
  void run(Client& a, Client& b, Nanos duration) {
    for (const Nanos end = now + duration; now < end;) {
      a.do_work(tick());
      b.do_work(now);
    }
  }
  int count(EventKind kind) const {
    int n = 0;
    for (const auto& event : events) n += event.kind == kind ? 1 : 0;
    return n;
  }
  const Event* last(EventKind kind) const {
    for (auto it = events.rbegin(); it != events.rend(); ++it) {
      if (it->kind == kind) return &*it;
    }
    return nullptr;
  }

  TempDir dir{"tp-client", "/dev/shm"};
  Nanos now = 1000 * nanos_per_second;
  std::unique_ptr<ScriptedDriver> driver;
  std::vector<Event> events;
  std::string bus_;

 private:
  static std::string unique_name() {
    static int number = 0;
    return "client-test-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  }
};

inline std::vector<std::byte> pattern(std::size_t size, std::uint64_t seed) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(seed * 31 + i);
  return bytes;
}

inline void expect_consecutive(const std::vector<std::uint64_t>& seqs) {
  for (std::size_t i = 1; i < seqs.size(); ++i) ASSERT_EQ(seqs[i], seqs[i - 1] + 1);
}

// One client with a producer and a consumer of stream 5, both at work.
class StreamBench : public ClientBench {
 protected:
  static constexpr std::uint32_t reader_id = 70;  // of a consumer that gives its id

  explicit StreamBench(ScriptedDriver::Settings settings = {}) : ClientBench(std::move(settings)), client(connect()) {}

  void attach(ProducerOptions producing = {}, ConsumerOptions consuming = {}) {
    consuming.stream_id = 5;
    producing.stream_id = 5;
    auto reading = client.attach_consumer(consuming);
    ASSERT_TRUE(reading) << reading.error().message;
    auto writing = client.attach_producer(producing);
    ASSERT_TRUE(writing) << writing.error().message;
    consumer.emplace(*std::move(reading));
    producer.emplace(*std::move(writing));
    run(client, 10 * nanos_per_milli);
    consumer->poll([](const Frame&) {});
  }
  // Another consumer of the stream.
  Consumer join(ConsumerOptions consuming = {}) {
    consuming.stream_id = 5;
    return client.attach_consumer(consuming).value();
  }
  PublishStatus publish(std::uint64_t seed, std::size_t size = 100) {
    return producer->publish(TensorLayout::raw_bytes(static_cast<std::int32_t>(size)), pattern(size, seed));
  }
  SlotClaim claim(std::size_t size = 100) {
    auto claimed = producer->claim(size);
    EXPECT_TRUE(claimed);
    return *std::move(claimed);
  }
  // Fills the claim as `publish(claim.seq())` would, and commits it.
  static PublishStatus commit(SlotClaim claim, std::size_t size = 100) {
    const auto bytes = pattern(size, claim.seq());
    std::copy(bytes.begin(), bytes.end(), claim.payload().begin());
    return std::move(claim).commit(TensorLayout::raw_bytes(static_cast<std::int32_t>(size)));
  }
  // The sequences that a poll delivers; every byte is checked.
  static std::vector<std::uint64_t> poll(Consumer& from, int limit = 100) {
    std::vector<std::uint64_t> seqs;
    from.poll(
        [&](const Frame& frame) {
          std::vector<std::byte> bytes(frame.size_bytes());
          ASSERT_TRUE(frame.copy_to(bytes));
          EXPECT_EQ(bytes, pattern(bytes.size(), frame.seq()));
          seqs.push_back(frame.seq());
        },
        limit);
    return seqs;
  }
  std::vector<std::uint64_t> poll() { return poll(*consumer); }

  using Seqs = std::vector<std::uint64_t>;
  Client client;
  std::optional<Producer> producer;
  std::optional<Consumer> consumer;
};

// The books of a consumer balance.
inline void expect_balance(const ConsumerStats& stats) {
  EXPECT_EQ(stats.accounted, stats.delivered + stats.abandoned + stats.lost_total());
}

}  // namespace tensorpool::detail
