// The loops of the user's documents: buffers claimed and queued at a camera in advance, completion in any order, what
// is lost or incomplete given up, requeue. The camera is a thread of its own that writes into the slots.
#include <gtest/gtest.h>

#include "client/scripted_driver_test.hpp"
#include "support/simulated_camera.hpp"
#include "support/time_units.hpp"
#include "support/wait.hpp"
#include "tensorpool/inflight_queue.hpp"

namespace tensorpool::detail {
namespace {

void fill(std::span<std::byte> part, std::size_t offset, std::uint64_t seed) {
  const auto whole = pattern(offset + part.size(), seed);
  std::copy(whole.begin() + static_cast<std::ptrdiff_t>(offset), whole.end(), part.begin());
}

// A host program: what it queues, and what became of it.
struct Host {
  Host(Producer& writes, SimulatedCamera& camera_, std::size_t frame_bytes)
      : producer(writes),
        camera(camera_),
        inflight(writes.slots()),
        layout(TensorLayout::row_major(Dtype::uint8, {10, static_cast<std::int32_t>(frame_bytes / 10)})) {}

  ~Host() { camera.flush(); }  // before its claims go
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // The sketch's reserve loop, word for word: as many as there are slots; it works with what it gets.
  PublishStatus reserve() {
    PublishStatus status = PublishStatus::ok;
    for (std::uint32_t i = 0; i < producer.slots(); ++i) {
      status = queue_one();
      if (status != PublishStatus::ok) ++refused;
    }
    return status;
  }
  PublishStatus queue_one() {
    auto claim = producer.claim(layout.extent_bytes());
    if (!claim) return claim.error();
    const SimulatedCamera::Buffer buffer{next_id++, claim->payload().first(layout.extent_bytes()), claim->seq()};
    EXPECT_TRUE(inflight.push(buffer.id, std::move(*claim)));
    camera.queue(buffer);
    return PublishStatus::ok;
  }
  // One turn of the sketch's loop; true if the camera had something to say.
  bool turn() {
    bool any = false;
    for (const std::uint64_t id : camera.take_lost()) {
      EXPECT_TRUE(inflight.take(id));  // the claim goes, its sequence is given up
      ++lost;
      any = true;
    }
    if (const auto done = camera.pop()) {
      auto claim = inflight.take(done->id);
      EXPECT_TRUE(claim);
      if (!done->whole) {
        ++incomplete;
      } else if (claim) {
        last = std::move(*claim).commit(layout);
        committed += is_committed(last) ? 1 : 0;
        stale += last == PublishStatus::stale_claim ? 1 : 0;
      }
      any = true;
    }
    while (!inflight.full() && queue_one() == PublishStatus::ok) {
    }
    return any;
  }

  Producer& producer;
  SimulatedCamera& camera;
  InflightQueue inflight;
  TensorLayout layout;  // set once, for every frame
  std::uint64_t next_id = 1;
  std::uint64_t refused = 0, committed = 0, lost = 0, incomplete = 0, stale = 0;
  PublishStatus last = PublishStatus::ok;
};

class DeviceDmaTest : public StreamBench {};

TEST_F(DeviceDmaTest, ReservesAsManySlotsAsMayBeClaimedAndExplainsTheRest) {
  attach();
  SimulatedCamera camera(1, {}, fill);
  camera.pause();
  Host host(*producer, camera, 100);
  EXPECT_EQ(host.reserve(), PublishStatus::claims_exhausted);
  EXPECT_EQ(host.inflight.size(), producer->max_claims());
  EXPECT_EQ(host.refused, producer->slots() - producer->max_claims());
  run(client, 2 * ms);  // at once, not with the next period
  ASSERT_EQ(count(EventKind::log), 1);
  const std::string& why = last(EventKind::log)->message;
  EXPECT_NE(why.find("4 claims or frames were refused"), std::string::npos) << why;
  EXPECT_NE(why.find("At most 4 claims are possible"), std::string::npos) << why;
  EXPECT_NE(why.find("4 of the 8 slots stay readable"), std::string::npos) << why;
  camera.resume();
  ASSERT_TRUE(eventually([&] { return host.turn(), host.committed >= 20; }));
  EXPECT_FALSE(poll().empty());
}

TEST_F(DeviceDmaTest, TellsOfRefusalsThatGoOnEverMoreRarely) {
  attach();
  std::vector<SlotClaim> held;
  while (auto claimed = producer->claim(100)) held.push_back(*std::move(claimed));
  const auto refuse_for = [&](Nanos duration) {
    for (Nanos passed = 0; passed < duration; passed += 100 * ms) {
      static_cast<void>(producer->claim(100));
      run(client, 100 * ms);
    }
    return count(EventKind::log);
  };
  EXPECT_EQ(refuse_for(30 * second), 5) << "at once, and after 1, 3, 7 and 15 s";
  run(client, 20 * second);  // none meanwhile
  EXPECT_EQ(refuse_for(500 * ms), 6);
}

TEST_F(DeviceDmaTest, DeliversEveryCompletedFrameAndCountsEveryOther) {
  attach();
  SimulatedCamera camera(7, {.lost = 5, .incomplete = 10}, fill);
  std::uint64_t delivered = 0;
  Host host(*producer, camera, 4000);
  EXPECT_EQ(host.reserve(), PublishStatus::claims_exhausted);
  ASSERT_TRUE(eventually([&] {
    host.turn();
    delivered += poll().size();  // looks at every byte
    return host.committed >= 500 && host.lost > 0 && host.incomplete > 0;
  }));
  camera.flush();
  host.inflight.clear();
  publish(producer->stats().next_seq);  // the end is a frame, which tells readers of all before it
  delivered += poll().size();
  const ProducerStats wrote = producer->stats();
  EXPECT_EQ(wrote.published, host.committed + 1);
  EXPECT_EQ(wrote.published + wrote.abandoned, wrote.next_seq);
  EXPECT_GE(wrote.abandoned, host.lost + host.incomplete);
  const ConsumerStats read = consumer->stats();
  EXPECT_EQ(read.delivered, delivered);
  EXPECT_EQ(read.delivered, wrote.published);
  EXPECT_EQ(read.last_seq + 1, wrote.next_seq);
  // What was given up before its first frame is not in its books. A slot that was given up and claimed again before
  // the next descriptor tells its reader no more than that a sequence is missing.
  EXPECT_EQ(read.lost_total(), read[LossCause::gap]);
  EXPECT_EQ(read.abandoned + read[LossCause::gap], wrote.abandoned - read.first_seq);
  expect_balance(read);
}

// spec: behaviour, Producer: a region set is never unmapped while a claim on it is open; a remapped event comes first.
TEST_F(DeviceDmaTest, GoesOnInTheNewEpochWhenItsLeaseIsRevokedWhileTheDeviceWrites) {
  attach();
  SimulatedCamera camera(3, {}, fill);
  camera.pause();
  Host host(*producer, camera, 4000);
  host.reserve();
  const std::size_t held = host.inflight.size();
  ASSERT_EQ(held, 4u);
  const auto old_epoch = producer->stats().epoch;
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
  const int remapped = count(EventKind::remapped);
  run(client, 500 * ms);
  ASSERT_TRUE(producer->attached());
  EXPECT_GT(count(EventKind::remapped), remapped);
  EXPECT_EQ(producer->stats().epoch, old_epoch + 2);  // the idle one came between
  camera.resume();                                    // and writes on, into the files of the epoch that is over
  ASSERT_TRUE(eventually([&] { return host.turn(), host.stale == held && host.committed >= 20; }));
  EXPECT_EQ(producer->stats().abandoned, held);
  std::vector<std::uint64_t> seqs = poll();
  EXPECT_FALSE(seqs.empty());
  EXPECT_EQ(consumer->stats().epoch, old_epoch + 2);
  expect_balance(consumer->stats());
}

TEST_F(DeviceDmaTest, TakesFramesWhoseShapeChangesWhileItRuns) {
  attach();
  std::uint64_t frames = 0;
  for (const std::int32_t height : {10, 40, 8, 160, 10}) {
    const auto layout = height == 8 ? TensorLayout::row_major(Dtype::uint16, {height, 50})
                                    : TensorLayout::row_major(Dtype::uint8, {height, 100});
    auto claimed = producer->claim(layout.extent_bytes());
    ASSERT_TRUE(claimed);
    EXPECT_EQ(claimed->pool_id(), layout.extent_bytes() <= 4096 ? 1u : 2u);
    fill(claimed->payload().first(layout.extent_bytes()), 0, claimed->seq());
    EXPECT_EQ(std::move(*claimed).commit(layout), PublishStatus::ok);
    consumer->poll([&](const Frame& frame) {
      EXPECT_EQ(frame.layout(), layout) << frame.layout().describe();
      ++frames;
    });
  }
  EXPECT_EQ(frames, 5u);
}

TEST_F(DeviceDmaTest, SaysThatAFrameIsTooLargeAndGoesOn) {
  attach();
  auto open = claim(4000);
  EXPECT_EQ(producer->claim(producer->max_payload_bytes() + 1).error(), PublishStatus::too_large);
  EXPECT_EQ(producer->stats().too_large, 1u);
  EXPECT_EQ(commit(std::move(open), 4000), PublishStatus::ok);
  EXPECT_EQ(publish(1), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{0, 1}));
}

}  // namespace
}  // namespace tensorpool::detail
