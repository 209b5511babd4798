// Consumers of two streams that share a descriptor stream, on real Aeron: each comes to read its own producer's
// publication alone, and follows it when it is killed.
#include <array>
#include <thread>

#include "support/rig.hpp"
#include "transport/connection.hpp"

namespace tensorpool {
namespace {

class OnePublication : public RigTest {
 protected:
  // Sends nonsense to all who read the whole shared stream.
  void disturb() {
    if (!connection_) {
      connection_.emplace(std::move(transport::Connection::open({.aeron_dir = rig().aeron_dir()}).value()));
      stranger_ = std::move(connection_->add_publication("aeron:ipc", descriptor_stream).value());
    }
    connection_->do_work();
    const std::array<std::byte, 8> nonsense{};
    static_cast<void>(stranger_.offer(nonsense));
  }
  // A frame of each producer and a look by each consumer, until the condition holds.
  template <class Condition>
  bool flows_until(std::vector<Producer*> producers, std::vector<Consumer*> readers, Condition&& condition) {
    return eventually([&] {
      for (Producer* producer : producers) publish_pattern(*producer, 1000);
      for (Consumer* reader : readers) reader->poll([](const Frame&) {});
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return condition();
    });
  }
  static bool balances(const Consumer& consumer) {
    const ConsumerStats stats = consumer.stats();
    return stats.accounted == stats.delivered + stats.abandoned + stats.lost_total();
  }

  static constexpr std::int32_t descriptor_stream = 1100;

 private:
  std::optional<transport::Connection> connection_;
  transport::Publication stranger_;
};

TEST_F(OnePublication, IsAllThatAConsumerReadsAndNothingIsLostByTheChange) {
  rig({.nslots = 64}).start();
  Client client = rig().connect("client");
  Producer one = client.attach_producer({.stream_id = Rig::stream}).value();
  Producer other = client.attach_producer({.stream_id = Rig::other_stream}).value();
  Consumer of_one = client.attach_consumer({.stream_id = Rig::stream}).value();
  Consumer of_other = client.attach_consumer({.stream_id = Rig::other_stream}).value();
  // What disturbs the shared stream does not reach them in the end.
  std::uint64_t quiet_rounds = 0;
  std::uint64_t malformed = 0;
  EXPECT_TRUE(flows_until({&one, &other}, {&of_one, &of_other}, [&] {
    disturb();
    const std::uint64_t now = of_one.stats().malformed + of_other.stats().malformed;
    quiet_rounds = now == malformed ? quiet_rounds + 1 : 0;
    malformed = now;
    return quiet_rounds == 200;
  }));
  EXPECT_GE(of_one.stats().delivered, 200U);
  EXPECT_EQ(of_one.stats().lost_total(), 0U);
  EXPECT_EQ(of_other.stats().lost_total(), 0U);
  EXPECT_TRUE(balances(of_one) && balances(of_other));
}

TEST_F(OnePublication, IsFollowedWhenItsProducerIsKilledAndComesBack) {
  rig({.nslots = 64}).start();
  Client client = rig().connect("client");
  auto killed = rig().spawn_producer();
  Producer other = client.attach_producer({.stream_id = Rig::other_stream}).value();
  Consumer reader = client.attach_consumer({.stream_id = Rig::stream}).value();
  EXPECT_TRUE(flows_until({&other}, {&reader}, [&] { return reader.stats().delivered > 100; }));
  const std::uint64_t epoch = reader.stats().epoch;
  killed->kill();
  // Until its lease has expired nobody gets its stream.
  EXPECT_TRUE(flows_until({&other}, {&reader}, [&] { return rig().epoch_of(Rig::stream) > epoch; }));
  killed = rig().spawn_producer();
  EXPECT_TRUE(flows_until({&other}, {&reader}, [&] { return reader.stats().epoch > epoch; }));
  const std::uint64_t delivered = reader.stats().delivered;
  EXPECT_TRUE(flows_until({&other}, {&reader}, [&] { return reader.stats().delivered > delivered + 100; }));
  EXPECT_TRUE(balances(reader));
}

}  // namespace
}  // namespace tensorpool
