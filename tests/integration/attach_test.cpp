// Attaching over real Aeron: what works, and what a user reads when it does not.
#include <sys/stat.h>
#include <unistd.h>

#include "apps/flow/pattern.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

class Attach : public RigTest {};

// Polls until `count` whole frames came; the bytes of each are compared with what its sequence number says.
struct Received {
  std::vector<std::size_t> sizes;
  std::vector<std::uint64_t> seqs;
  std::size_t wrong = 0;
};

Received receive(Consumer& consumer, std::size_t count) {
  Received received;
  const bool came = eventually([&] {
    consumer.poll([&](const Frame& frame) {
      std::vector<std::byte> copy(frame.size_bytes());
      if (!frame.copy_to(copy)) return;
      received.sizes.push_back(copy.size());
      received.seqs.push_back(frame.seq());
      received.wrong += apps::find_pattern_fault(copy, frame.seq()) ? 1U : 0U;
    });
    return received.sizes.size() >= count;
  });
  EXPECT_TRUE(came) << received.sizes.size() << " of " << count << " frames came";
  return received;
}

std::string refusal(Client& client, const ProducerOptions& options) {
  const auto producer = client.attach_producer(options);
  return producer ? "attached" : producer.error().message;
}

std::string refusal(Client& client, const ConsumerOptions& options) {
  const auto consumer = client.attach_consumer(options);
  return consumer ? "attached" : consumer.error().message;
}

TEST_F(Attach, CarriesFramesThroughThreePoolsByteForByte) {
  rig({.nslots = 32, .pools = {{1, 1024}, {2, 65536}, {3, 1 << 20}}}).start();
  Client sender = rig().connect("sender");
  Client receiver = rig().connect("receiver");
  auto producer = sender.attach_producer({.stream_id = Rig::stream});
  auto consumer = receiver.attach_consumer({.stream_id = Rig::stream, .start = StartAt::oldest});
  ASSERT_TRUE(producer && consumer);
  const std::vector<std::size_t> sizes{1, 1024, 1025, 65536, 65537, 1 << 20, 8, 4096, 512};
  for (const std::size_t size : sizes) EXPECT_TRUE(is_committed(publish_pattern(*producer, size)));
  EXPECT_EQ(publish_pattern(*producer, (1 << 20) + 1), PublishStatus::too_large);
  const Received received = receive(*consumer, sizes.size());
  EXPECT_EQ(received.sizes, sizes);
  EXPECT_EQ(received.wrong, 0U);
  EXPECT_EQ(consumer->stats().lost_total(), 0U);
}

TEST_F(Attach, GivesALateJoinerTheLatestFrameAtOnce) {
  rig().start();
  Client client = rig().connect("sender");
  auto producer = client.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer);
  for (int frame = 0; frame < 20; ++frame) publish_pattern(*producer, 4000);
  Client late = rig().connect("late");
  auto consumer = late.attach_consumer({.stream_id = Rig::stream});
  ASSERT_TRUE(consumer);
  EXPECT_EQ(receive(*consumer, 1).seqs.front(), 19U);
}

TEST_F(Attach, GivesEachProducerALaterEpoch) {
  rig().start();
  Client client = rig().connect("sender");
  std::uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    auto producer = client.attach_producer({.stream_id = Rig::stream});
    ASSERT_TRUE(producer) << producer.error().message;
    publish_pattern(*producer, 100);
    const ProducerStats stats = producer->stats();
    EXPECT_GT(stats.epoch, last);
    EXPECT_EQ(stats.epoch, rig().epoch_of(Rig::stream));
    EXPECT_EQ(stats.next_seq, 1U) << "each epoch starts at sequence 0";
    last = stats.epoch;
    { auto gone = std::move(*producer); }
    ASSERT_TRUE(eventually([&] { return rig().epoch_of(Rig::stream) > last; })) << "no idle epoch after the detach";
    last = rig().epoch_of(Rig::stream);
  }
}

TEST_F(Attach, RefusesByTheTextsOfTheProtocol) {
  rig().start();
  Client client = rig().connect("first");
  Client other = rig().connect("second");
  const auto producer = client.attach_producer({.stream_id = Rig::stream, .client_id = 7});
  ASSERT_TRUE(producer);
  using P = ProducerOptions;
  using C = ConsumerOptions;
  const auto ends_with = [](const std::string& message, const std::string& end) {
    EXPECT_NE(message.find(": " + end + " ("), std::string::npos) << message;
  };
  ends_with(refusal(other, P{.stream_id = Rig::stream}), "producer already attached");
  ends_with(refusal(other, C{.stream_id = Rig::stream, .client_id = 7}), "client_id already attached");
  ends_with(refusal(other, C{.stream_id = 4242}), "stream not provisioned");
  ends_with(refusal(other, C{.stream_id = Rig::stream, .expected_layout_version = 2}), "layout_version mismatch");
  EXPECT_EQ(rig().driver_status().counts.refusals, 4U);
  EXPECT_EQ(rig().driver_status().leases.size(), 1U) << "a refused attach left a lease";
}

TEST_F(Attach, SaysAtOnceThatThereIsNoMediaDriver) {
  const auto begun = std::chrono::steady_clock::now();
  const auto client = Client::connect(rig().client_options("alone"));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::unavailable) << client.error().message;
  EXPECT_NE(client.error().message.find(rig().aeron_dir()), std::string::npos) << client.error().message;
  EXPECT_NE(client.error().message.find("media driver"), std::string::npos) << client.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - begun, watchdog);
}

TEST_F(Attach, SaysWhatItTriedWhenNobodyAnswers) {
  rig().start();
  ClientOptions wrong = rig().client_options("lost");
  wrong.control.stream_id = 4711;
  wrong.announce = wrong.control;
  wrong.attach_timeout_ns = 300 * nanos_per_milli;
  auto client = Client::connect(wrong);
  ASSERT_TRUE(client);
  const auto producer = client->attach_producer({.stream_id = Rig::stream});
  ASSERT_FALSE(producer);
  EXPECT_EQ(producer.error().code, ErrorCode::timed_out);
  const std::string& message = producer.error().message;
  for (const std::string& part :
       {rig().aeron_dir(), std::string("aeron:ipc"), std::string("4711"), std::string("300 ms")}) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks " << part;
  }
}

// Root passes every mode, so root's client becomes another user; anybody else's meets a directory that is closed to
// him.
TEST_F(Attach, TellsAnUnprivilegedUserAboutPermissions) {
  rig().start();
  const bool root = ::geteuid() == 0;
  ASSERT_EQ(::chmod((root ? rig().dir() : rig().aeron_dir()).c_str(), root ? 0755 : 0), 0);
  Child client({TEST_PEER, "consumer", rig().config_path(), root ? "uid=65534" : "uid=0"});
  EXPECT_EQ(client.wait(), 3) << client.output();
  EXPECT_TRUE(client.said("may not use the media driver in " + rig().aeron_dir())) << client.output();
  ASSERT_EQ(::chmod(rig().aeron_dir().c_str(), 0700), 0);
}

TEST_F(Attach, LetsOneDriverServeANamespace) {
  rig().start();
  Child second({TP_BINARY, "driver", "run", rig().config_path()},
               {"DRIVER_CONTROL_STREAM_ID=2000", "DRIVER_AERON_DIR=" + rig().aeron_dir()});
  EXPECT_NE(second.wait(), 0);
  EXPECT_TRUE(second.said("another driver") || second.said("namespace")) << second.output();
  Client client = rig().connect("still served");
  EXPECT_TRUE(client.attach_consumer({.stream_id = Rig::stream}));
}

TEST_F(Attach, LetsOneDriverAnswerOnAControlStream) {
  rig().start();
  Child second({TP_BINARY, "driver", "run", rig().config_path()}, {"SHM_NAMESPACE=another"});
  EXPECT_NE(second.wait(), 0);
  EXPECT_TRUE(second.said("another driver answers on control stream 1000 of " + rig().aeron_dir())) << second.output();
  Client client = rig().connect("still served");
  EXPECT_TRUE(client.attach_consumer({.stream_id = Rig::stream}));
}

}  // namespace
}  // namespace tensorpool
