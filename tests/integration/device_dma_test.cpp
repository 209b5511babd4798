// A camera that fills claimed slots like DMA, in any order, losing some: what a consumer in another thread reads over a
// real media driver is whole, and every sequence has its fate.
#include <thread>

#include "apps/flow/pattern.hpp"
#include "support/rig.hpp"
#include "support/simulated_camera.hpp"
#include "tensorpool/inflight_queue.hpp"

namespace tensorpool {
namespace {

class DeviceDma : public RigTest {};

void fill(std::span<std::byte> part, std::size_t, std::uint64_t seed) {
  std::fill(part.begin(), part.end(), static_cast<std::byte>(seed));
}

// The sketch's loop in driver mode.
struct Host {
  Host(Producer& writes, SimulatedCamera& device) : producer(writes), camera(device), inflight(writes.slots()) {}
  ~Host() { camera.flush(); }  // before its claims go
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void queue_buffers() {
    while (!inflight.full()) {
      auto claim = producer.claim(layout.extent_bytes());
      if (!claim) return;
      const SimulatedCamera::Buffer buffer{next_id++, claim->payload().first(layout.extent_bytes()), claim->seq()};
      ASSERT_TRUE(inflight.push(buffer.id, std::move(*claim)));
      camera.queue(buffer);
    }
  }
  void turn() {
    for (const std::uint64_t id : camera.take_lost()) lost += inflight.take(id) ? 1 : 0;
    while (const auto done = camera.pop()) {
      auto claim = inflight.take(done->id);
      ASSERT_TRUE(claim);
      if (!done->whole) {
        ++incomplete;
        continue;
      }
      const PublishStatus status = std::move(*claim).commit(layout);
      ASSERT_TRUE(is_committed(status)) << to_string(status);
      ++committed;
    }
    queue_buffers();
  }

  Producer& producer;
  SimulatedCamera& camera;
  InflightQueue inflight;
  TensorLayout layout = TensorLayout::row_major(Dtype::uint8, {60, 1000});
  std::uint64_t next_id = 1;
  std::uint64_t committed = 0, lost = 0, incomplete = 0;
};

struct PatternReader {
  Consumer consumer;
  std::uint64_t wrong = 0;

  void poll() {
    consumer.poll([this](const Frame& frame) {
      const auto fault = frame.read<std::uint8_t>(
          [&](auto view) { return apps::find_pattern_fault(std::as_bytes(view.elements), frame.seq()).has_value(); });
      wrong += fault && *fault ? 1 : 0;
    });
  }
};

TEST_F(DeviceDma, EveryCompletedFrameIsWholeAndEveryOtherIsCounted) {
  rig({.nslots = 16}).start();
  Client sender = rig().connect("sender");
  Client receiver = rig().connect("receiver");
  auto consumer = receiver.attach_consumer({.stream_id = Rig::stream});
  ASSERT_TRUE(consumer) << consumer.error().message;
  auto producer = sender.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer) << producer.error().message;
  PatternReader reader{std::move(*consumer)};
  publish_pattern(*producer, 100);
  ASSERT_TRUE(eventually([&] { return reader.poll(), reader.consumer.stats().delivered > 0; }));

  std::atomic<bool> stop{false};
  std::thread reading([&] {
    while (!stop.load()) reader.poll();
  });
  SimulatedCamera camera(11, {.lost = 4, .incomplete = 8}, fill);
  Host host(*producer, camera);
  const bool enough =
      eventually([&] { return host.turn(), host.committed >= 1000 && host.lost >= 10 && host.incomplete >= 10; });
  camera.flush();
  host.inflight.clear();
  publish_pattern(*producer, 100);  // the end is a frame, which tells readers of all before it
  const ProducerStats wrote = producer->stats();
  const bool caught_up = eventually([&] { return reader.consumer.stats().last_seq + 1 == wrote.next_seq; });
  stop = true;
  reading.join();

  EXPECT_TRUE(enough);
  EXPECT_TRUE(caught_up);
  EXPECT_EQ(wrote.published, host.committed + 2);
  EXPECT_EQ(wrote.published + wrote.abandoned, wrote.next_seq);
  EXPECT_GE(wrote.abandoned, host.lost + host.incomplete);
  const ConsumerStats read = reader.consumer.stats();
  EXPECT_EQ(reader.wrong, 0U);
  EXPECT_EQ(read.accounted, wrote.next_seq - read.first_seq);
  EXPECT_EQ(read.accounted, read.delivered + read.abandoned + read.lost_total());
  EXPECT_EQ(read[LossCause::invalid_header], 0U);
  EXPECT_GT(read.delivered, 0U);
}

}  // namespace
}  // namespace tensorpool
