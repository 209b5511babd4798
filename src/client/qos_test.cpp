// QoS goes out whatever the application does.
#include "client/scripted_driver_test.hpp"

namespace tensorpool::detail {
namespace {

using Qos = StreamBench;

TEST_F(Qos, ComesEachSecondFromAnApplicationThatDoesNothing) {
  Producer idle_producer = client.attach_producer({.stream_id = 5}).value();
  Consumer idle_consumer = client.attach_consumer({.stream_id = 5}).value();
  driver->qos_producers.clear();
  driver->qos_consumers.clear();
  run(client, 10 * nanos_per_second);
  EXPECT_GE(driver->qos_producers.size(), 10U);
  EXPECT_GE(driver->qos_consumers.size(), 10U);
  const std::uint64_t epoch = driver->layout(5).epoch;
  EXPECT_EQ(driver->qos_producers.back(), (protocol::QosProducer{5, idle_producer.client_id(), epoch, 0, {}}));
  EXPECT_EQ(driver->qos_consumers.back(),
            (protocol::QosConsumer{5, idle_consumer.client_id(), epoch, 0, 0, 0, protocol::Mode::stream}));
}

TEST_F(Qos, TellsTheNewEpochOfAProducerRightAway) {
  attach();
  for (std::uint64_t frame = 0; frame < 10; ++frame) publish(frame);
  run(client, 1100 * nanos_per_milli);
  EXPECT_EQ(driver->qos_producers.back().current_seq, 9U);
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
  const std::uint64_t before = driver->qos_producers.back().epoch;
  run(client, 3 * nanos_per_second);  // it attaches again by itself, and its application does nothing
  EXPECT_GT(driver->layout(5).epoch, before);
  EXPECT_EQ(driver->qos_producers.back().epoch, driver->layout(5).epoch);
  EXPECT_EQ(driver->qos_producers.back().current_seq, 0U) << "nothing was published in this epoch";
}

}  // namespace
}  // namespace tensorpool::detail
