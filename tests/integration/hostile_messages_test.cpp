// Garbage on every stream: each of the 29 messages cut at each length, and with 2^31 or 65535 wherever a length or a
// count may stand. Nobody crashes, the counters say what happened, and honest clients attach and read as before.
#include <atomic>
#include <thread>

#include "protocol/enums.hpp"
#include "support/forger.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

using namespace protocol;

constexpr std::uint32_t nobodys_stream = 4242;

template <class Message>
std::vector<std::byte> bytes_of(const Message& message) {
  std::vector<std::byte> bytes(encoded_length(message));
  EXPECT_EQ(encode(message, bytes), bytes.size()) << message_name(Message::schema_id, Message::template_id);
  return bytes;
}

template <class Message>
Message of_stream() {
  Message message;
  message.stream_id = nobodys_stream;
  return message;
}

// One of each, with an entry in each group and a text in each var-data; none of them means a stream or lease that
// exists.
std::vector<std::vector<std::byte>> every_message() {
  const Bytes blob(5, std::byte{7});
  std::vector<std::vector<std::byte>> all;
  const auto add = [&](auto message) { all.push_back(bytes_of(message)); };
  const std::vector<PayloadPool> pools{{1, 8, 4096, "shm:file?path=/dev/shm/x/1.pool"}};
  {
    auto m = of_stream<ShmPoolAnnounce>();
    m.payload_pools = pools, m.header_region_uri = "shm:file?path=/dev/shm/x/header.ring";
    add(m);
  }
  {
    auto m = of_stream<ConsumerHello>();
    m.descriptor_channel = "aeron:ipc", m.control_channel = "aeron:ipc";
    add(m);
  }
  {
    auto m = of_stream<ConsumerConfig>();
    m.payload_fallback_uri = "aeron:udp", m.descriptor_channel = "aeron:ipc", m.control_channel = "aeron:ipc";
    add(m);
  }
  add(of_stream<FrameDescriptor>());
  add(of_stream<QosConsumer>());
  add(of_stream<QosProducer>());
  {
    auto m = of_stream<DataSourceAnnounce>();
    m.name = "name", m.summary = "summary";
    add(m);
  }
  {
    auto m = of_stream<DataSourceMeta>();
    m.attributes = {{"key", "format", blob}};
    add(m);
  }
  add(ControlResponse{1, ResponseCode::rejected, "why"});
  add(of_stream<MetaBlobAnnounce>());
  add(of_stream<FrameProgress>());
  {
    auto m = of_stream<MetaBlobChunk>();
    m.bytes = blob;
    add(m);
  }
  add(of_stream<MetaBlobComplete>());
  {
    auto m = of_stream<ShmAttachRequest>();
    m.correlation_id = 5, m.client_id = 6;
    add(m);
  }
  {
    ShmAttachResponse m;
    m.payload_pools = pools, m.header_region_uri = "shm:file?path=/dev/shm/x/header.ring", m.error_message = "no";
    add(m);
  }
  add(of_stream<ShmDetachRequest>());
  add(ShmDetachResponse{1, ResponseCode::rejected, "why"});
  add(of_stream<ShmLeaseKeepalive>());
  add(ShmDriverShutdown{0, ShutdownReason::normal, "bye"});
  {
    auto m = of_stream<ShmLeaseRevoked>();
    m.error_message = "because";
    add(m);
  }
  add(ShmDriverShutdownRequest{1, ShutdownReason::normal, "a guess", "why"});
  {
    auto m = of_stream<BridgeFrameChunk>();
    m.header_bytes = blob, m.payload_bytes = blob;
    add(m);
  }
  add(SequenceMergeMapAnnounce{1, 2, 3, {{4, MergeRuleType::offset, 1, 2}}});
  add(SequenceMergeMapRequest{1, 2});
  add(TimestampMergeMapAnnounce{1, 2, 3, ClockDomain::monotonic, 4, {{}}});
  add(TimestampMergeMapRequest{1, 2});
  {
    auto m = of_stream<TraceLinkSet>();
    m.parents = {{1}, {2}};
    add(m);
  }
  {
    DiscoveryRequest m;
    m.tags = {"tag"}, m.response_channel = "aeron:ipc", m.data_source_name = "name";
    add(m);
  }
  {
    DiscoveryResponse m;
    DiscoveryResult result;
    result.payload_pools = pools, result.tags = {"tag"}, result.header_region_uri = "u", result.data_source_name = "n";
    m.results = {result}, m.error_message = "why";
    add(m);
  }
  return all;
}

// Every broken form of a message; values are broken from offset `first` on.
template <class Say>
void every_fault(const std::vector<std::byte>& message, std::size_t first, Say&& say) {
  for (std::size_t length = 0; length < message.size(); ++length) say(std::span(message).first(length));
  const auto with = [&](std::size_t at, std::uint32_t value, std::size_t bytes) {
    std::vector<std::byte> broken = message;
    for (std::size_t i = 0; i < bytes; ++i) broken[at + i] = static_cast<std::byte>(value >> (8 * i));
    say(std::span<const std::byte>(broken));
  };
  for (std::size_t at = first; at + 4 <= message.size(); ++at) with(at, 1U << 31, 4);
  for (std::size_t at = first; at + 2 <= message.size(); ++at) with(at, 0xFFFF, 2);
  for (std::size_t at = first; at + 2 <= message.size(); ++at) with(at, 1, 2);
}

class HostileMessages : public RigTest {};

TEST_F(HostileMessages, AreCountedAndHarmNobody) {
  rig().start();
  EventLog sender_events;
  EventLog receiver_events;
  Client sender = rig().connect("sender", &sender_events);
  Client receiver = rig().connect("receiver", &receiver_events);
  auto producer = sender.attach_producer({.stream_id = Rig::stream});
  auto consumer = receiver.attach_consumer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer && consumer);
  const std::uint64_t epoch = rig().epoch_of(Rig::stream);

  const ClientOptions where = rig().client_options("");
  Forger forger(where);
  std::atomic<bool> all_said{false};
  std::thread reader([&] {
    while (!all_said) {
      if (consumer->poll([](const Frame&) {}) == 0) std::this_thread::yield();
    }
  });
  std::uint64_t said = 0;
  const auto everywhere = [&](std::span<const std::byte> bytes) {
    for (const std::int32_t stream : {where.control.stream_id, where.qos.stream_id, where.descriptor.stream_id}) {
      if (forger.say_on(stream, bytes)) ++said;
    }
  };
  const auto messages = every_message();
  EXPECT_EQ(messages.size(), 29U);
  const auto goodbye = ShmDriverShutdown{};
  for (const auto& message : messages) {
    // A goodbye stamped with any time since the lease began is believed: who may write here is trusted. So its time
    // stays.
    const bool is_goodbye =
        peek(message)->template_id == goodbye.template_id && peek(message)->schema_id == goodbye.schema_id;
    every_fault(message, is_goodbye ? message_header_length + goodbye.block_length : 0, everywhere);
  }
  EXPECT_TRUE(eventually([&] { return consumer->stats().malformed > 1000; }));
  all_said = true;
  reader.join();
  EXPECT_GT(said, 15000U);

  // What follows travels behind the garbage on the same streams, so it has been read when this works.
  Client late = rig().connect("late");
  EXPECT_TRUE(late.attach_consumer({.stream_id = Rig::other_stream}));
  ASSERT_TRUE(eventually([&] { return producer->attached() && consumer->attached(); })) << sender_events.text();
  bool delivered = false;
  EXPECT_TRUE(eventually([&] {
    publish_pattern(*producer, 100);
    consumer->poll([&](const Frame&) { delivered = true; });
    return delivered;
  })) << receiver_events.text();

  const driver::DriverStatus status = rig().driver_status();
  EXPECT_EQ(status.state, driver::DriverState::running);
  EXPECT_GT(status.counts.malformed, 300U);
  EXPECT_GT(status.counts.malformed_descriptors, 40U);
  EXPECT_GT(status.counts.unknown_leases, 0U);
  EXPECT_GT(status.counts.bad_tokens, 0U);
  using Fault = DecodeFault;
  for (const Fault fault : {Fault::too_short, Fault::bad_length, Fault::short_block, Fault::newer_version}) {
    EXPECT_GT(status.malformed_by_fault[static_cast<std::size_t>(fault)], 0U) << to_string(fault);
  }
  EXPECT_TRUE(eventually([&] { return receiver_events.heard(EventKind::log, "malformed messages were ignored"); }))
      << receiver_events.text();
  EXPECT_EQ(rig().epoch_of(Rig::stream), epoch) << "garbage started an epoch" << sender_events.text();
}

}  // namespace
}  // namespace tensorpool
