// spec: behaviour, Producer: progress. What a producer tells of frames in flight, to whom, and how often.
#include <gtest/gtest.h>

#include "client/progress_wishes.hpp"
#include "client/scripted_driver_test.hpp"

namespace tensorpool::detail {
namespace {

constexpr std::int32_t control_stream = 1000;
using State = protocol::FrameProgressState;

protocol::ConsumerHello hello_of(std::uint32_t consumer_id) {
  protocol::ConsumerHello hello;
  hello.stream_id = 5;
  hello.consumer_id = consumer_id;
  hello.supports_shm = true;
  hello.supports_progress = true;
  hello.mode = protocol::Mode::stream;
  return hello;
}

class ProgressTest : public StreamBench {
 protected:
  // A producer without a floor, so that each call may tell.
  ProgressTest() {
    listener_ = std::make_unique<transport::Connection>(transport::Connection::open({.aeron_dir = bus_}).value());
    control_ = listener_->add_subscription("aeron:ipc", control_stream).value();
    attach({.progress_interval_ns = 0, .progress_bytes_delta = 0});
  }
  ~ProgressTest() override {
    control_ = {};
    listener_.reset();
  }
  void ask(const protocol::ConsumerHello& hello = hello_of(77)) {
    driver->send(hello);
    run(client, 5 * nanos_per_milli);
    listener_->do_work();
    static_cast<void>(heard());
  }
  SlotClaim claim_described(const TensorLayout& layout) {
    auto claimed = producer->claim(layout.extent_bytes(), layout);
    EXPECT_TRUE(claimed);
    return *std::move(claimed);
  }
  struct Told {
    std::uint64_t seq;
    std::uint64_t bytes;
    State state;
    bool operator==(const Told&) const = default;
  };
  // What came since the last look.
  std::vector<Told> heard() {
    std::vector<Told> told;
    listener_->do_work();
    control_.poll_assembled(
        [&](std::span<const std::byte> bytes) {
          const auto progress = protocol::decode<protocol::FrameProgress>(bytes);
          if (!progress) return;
          EXPECT_EQ(progress->stream_id, 5u);
          EXPECT_EQ(progress->epoch, producer->stats().epoch);
          told.push_back({progress->seq, progress->payload_bytes_filled, progress->state});
        },
        1000);
    return told;
  }

  static TensorLayout rows() {
    auto layout = TensorLayout::row_major(Dtype::uint8, {10, 100});
    layout.progress_unit = ProgressUnit::rows;
    layout.progress_stride_bytes = 100;
    return layout;
  }
  std::unique_ptr<transport::Connection> listener_;
  transport::Subscription control_;
};

TEST_F(ProgressTest, TellsStartProgressAndCompletion) {
  ask();
  auto claimed = claim_described(rows());
  EXPECT_EQ(claimed.progress(300), ProgressStatus::sent);
  EXPECT_EQ(claimed.progress(300), ProgressStatus::held_back);  // nothing new
  EXPECT_EQ(claimed.progress(1000), ProgressStatus::sent);
  EXPECT_EQ(std::move(claimed).commit(rows()), PublishStatus::ok);
  EXPECT_EQ(
      heard(),
      (std::vector<Told>{
          {0, 0, State::started}, {0, 300, State::progress}, {0, 1000, State::progress}, {0, 1000, State::complete}}));
  EXPECT_EQ(producer->stats().progress_sent, 4u);
}

TEST_F(ProgressTest, TellsNothingUntilAConsumerAsksAndNothingOfPlainClaims) {
  auto claimed = claim_described(rows());
  EXPECT_EQ(claimed.progress(300), ProgressStatus::no_consumer);
  EXPECT_TRUE(is_committed(std::move(claimed).commit(rows())));
  ask();
  EXPECT_TRUE(is_committed(commit(claim())));
  publish(2);
  EXPECT_TRUE(heard().empty());
  EXPECT_EQ(producer->stats().progress_sent, 0u);
}

TEST_F(ProgressTest, TellsTheStartLateToWhoeverAskedSinceTheClaim) {
  auto claimed = claim_described(rows());
  ask();
  EXPECT_EQ(claimed.progress(500), ProgressStatus::sent);
  EXPECT_EQ(heard(), (std::vector<Told>{{0, 0, State::started}, {0, 500, State::progress}}));
}

TEST_F(ProgressTest, FallsSilentWhenNobodyHasAskedForFivePeriods) {
  ask();
  run(client, 7 * nanos_per_second);
  auto claimed = claim_described(rows());
  EXPECT_EQ(claimed.progress(500), ProgressStatus::no_consumer);
  EXPECT_TRUE(heard().empty());
}

TEST_F(ProgressTest, RefusesWhatIsBeyondTheLengthOrGoesBackwards) {
  ask();
  auto claimed = claim_described(rows());
  EXPECT_EQ(claimed.progress(1001), ProgressStatus::refused);
  EXPECT_EQ(claimed.progress(500), ProgressStatus::sent);
  EXPECT_EQ(claimed.progress(499), ProgressStatus::refused);
  auto plain = claim(1000);
  EXPECT_EQ(plain.progress(10), ProgressStatus::refused);
  EXPECT_EQ(producer->stats().progress_refused, 3u);
  EXPECT_EQ(heard(), (std::vector<Told>{{0, 0, State::started}, {0, 500, State::progress}}));
}

TEST_F(ProgressTest, WaitsForAsManyBytesAndRowsAsTheTightestHintSays) {
  auto many_bytes = hello_of(77);
  many_bytes.progress_bytes_delta = 250;
  many_bytes.progress_major_delta_units = 9;
  auto few_rows = hello_of(78);
  few_rows.progress_bytes_delta = 1000;
  few_rows.progress_major_delta_units = 4;
  ask(many_bytes);
  ask(few_rows);
  auto claimed = claim_described(rows());
  EXPECT_EQ(claimed.progress(300), ProgressStatus::held_back);  // bytes enough, rows not
  EXPECT_EQ(claimed.progress(400), ProgressStatus::sent);
  EXPECT_EQ(claimed.progress(700), ProgressStatus::held_back);
  EXPECT_EQ(claimed.progress(800), ProgressStatus::sent);
}

TEST_F(ProgressTest, WaitsForTheIntervalOfTheHints) {
  auto slow = hello_of(77);
  slow.progress_interval_us = 3'600'000'000;  // no test runs for an hour
  ask(slow);
  auto claimed = claim_described(rows());
  EXPECT_EQ(claimed.progress(900), ProgressStatus::held_back);
  EXPECT_EQ(std::move(claimed).commit(rows()), PublishStatus::ok);
  EXPECT_EQ(heard(), (std::vector<Told>{{0, 0, State::started}, {0, 1000, State::complete}}));
}

TEST_F(ProgressTest, DropsAndCountsWhatTheControlStreamDoesNotTake) {
  ask();
  auto claimed = claim_described(rows());
  transport::loopback::force_offer_result(bus_, control_stream, transport::OfferResult::back_pressured, 1);
  EXPECT_EQ(claimed.progress(300), ProgressStatus::dropped);
  EXPECT_EQ(claimed.progress(400), ProgressStatus::sent);
  EXPECT_EQ(producer->stats().progress_dropped, 1u);
  EXPECT_EQ(std::move(claimed).commit(rows()), PublishStatus::ok);
}

TEST_F(ProgressTest, TellsNothingOfAFrameWhoseEpochIsOver) {
  ask();
  auto claimed = claim_described(rows());
  static_cast<void>(heard());
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
  run(client, 500 * nanos_per_milli);
  EXPECT_EQ(claimed.progress(500), ProgressStatus::stale_claim);
  EXPECT_EQ(std::move(claimed).commit(rows()), PublishStatus::stale_claim);
  EXPECT_TRUE(heard().empty());
  auto next = claim_described(rows());  // and goes on in the new one
  EXPECT_EQ(next.progress(500), ProgressStatus::sent);
}

TEST_F(ProgressTest, GoesOnAfterTheMediaDriverCameBack) {
  ask();
  transport::loopback::restart_media_driver(bus_);
  run(client, 20 * nanos_per_milli);
  driver->connect();
  control_ = {};
  listener_ = std::make_unique<transport::Connection>(transport::Connection::open({.aeron_dir = bus_}).value());
  control_ = listener_->add_subscription("aeron:ipc", control_stream).value();
  run(client, 5 * nanos_per_second);
  ASSERT_TRUE(producer->attached());
  ask();
  auto claimed = claim_described(rows());
  EXPECT_EQ(claimed.progress(500), ProgressStatus::sent);
  EXPECT_EQ(heard().size(), 2u);
}

// A reader of the frame in flight has copied the header; half of another one must not reach it.
TEST_F(ProgressTest, RefusesToCommitAnotherLayoutThanTheClaimWasMadeWith) {
  auto claimed = claim_described(rows());
  EXPECT_EQ(std::move(claimed).commit(TensorLayout::raw_bytes(1000)), PublishStatus::invalid_layout);
  EXPECT_EQ(producer->claim(999, rows()).error(), PublishStatus::invalid_layout);
  EXPECT_EQ(producer->stats().invalid_layout, 2u);
  EXPECT_EQ(producer->stats().abandoned, 1u);
  EXPECT_FALSE(producer->oldest_open_claim());
}

TEST_F(ProgressTest, RefusesToCommitLessThanWasSaidToBeFinal) {
  ask();
  auto claimed = producer->claim(1200, rows());  // 200 bytes more than the rows need
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->progress(1200), ProgressStatus::sent);
  EXPECT_EQ(std::move(*claimed).commit(rows()), PublishStatus::invalid_layout);
  auto again = producer->claim(1200, rows());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->progress(1200), ProgressStatus::sent);
  EXPECT_EQ(std::move(*again).commit(rows(), 1200, {}), PublishStatus::ok);
}

// --- ProgressWishes ---

constexpr ProgressLimits floor_limits{1000, 64, 0};

TEST(ProgressWishes, TakesTheTightestOfAllHintsButNothingBelowTheFloor) {
  ProgressWishes wishes(floor_limits);
  EXPECT_FALSE(wishes.tightest(0));
  auto hello = hello_of(1);
  hello.progress_interval_us = 5;
  hello.progress_bytes_delta = 10;
  hello.progress_major_delta_units = 7;
  EXPECT_TRUE(wishes.on_hello(hello, 1));
  EXPECT_EQ(wishes.tightest(0), (ProgressLimits{5000, 64, 7}));
  hello.consumer_id = 2;
  hello.progress_interval_us = 2;
  hello.progress_bytes_delta = 1000;
  hello.progress_major_delta_units = 9;
  EXPECT_TRUE(wishes.on_hello(hello, 1));
  EXPECT_EQ(wishes.tightest(0), (ProgressLimits{2000, 64, 7}));
}

TEST(ProgressWishes, LeavesToTheProducerWhatAHelloDoesNotSay) {
  ProgressWishes wishes(floor_limits);
  wishes.on_hello(hello_of(1), 1);
  EXPECT_EQ(wishes.tightest(0), floor_limits);
}

TEST(ProgressWishes, ForgetsWhoFellSilentOrNoLongerWants) {
  ProgressWishes wishes(floor_limits);
  wishes.on_hello(hello_of(1), 100);
  EXPECT_TRUE(wishes.tightest(100));
  EXPECT_FALSE(wishes.tightest(101));
  auto hello = hello_of(1);
  hello.supports_progress = false;
  EXPECT_TRUE(wishes.on_hello(hello, 102));
  EXPECT_FALSE(wishes.on_hello(hello, 102));
  EXPECT_FALSE(wishes.tightest(0));
}

TEST(ProgressWishes, RemembersTheLatestOfMoreConsumersThanItHasPlaces) {
  ProgressWishes wishes(floor_limits);
  auto hello = hello_of(0);
  for (std::uint32_t id = 0; id < 1000; ++id) {
    hello.consumer_id = id;
    hello.progress_major_delta_units = id == 0 ? 1 : 5;
    EXPECT_TRUE(wishes.on_hello(hello, id));
  }
  EXPECT_EQ(wishes.tightest(0)->rows_delta, 5u);
  EXPECT_TRUE(wishes.tightest(999));
}

}  // namespace
}  // namespace tensorpool::detail
