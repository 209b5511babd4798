// Proves that the hot path allocates nothing. The in-memory twin allocates for each message, Aeron does not, so what is
// measured is the difference to the same messages sent raw.
#include <gtest/gtest.h>

#include <array>

#include "client/scripted_driver_test.hpp"
#include "support/allocation_counter.hpp"

namespace tensorpool::detail {
namespace {

constexpr int frames = 2000;

class AllocationTest : public StreamBench {
 protected:
  // Allocations of `frames` rounds of `round`, after a few to warm up.
  template <class Round>
  static std::uint64_t measure(Round&& round) {
    for (int i = 0; i < 100; ++i) round();
    const auto rounds = [&] {
      for (int i = 0; i < frames; ++i) round();
    };
    return test::allocations_of(rounds).count;
  }
};

TEST_F(AllocationTest, PublishClaimCommitPollCopyAndReadAllocateNothing) {
  attach();
  auto connection = transport::Connection::open({.aeron_dir = bus_}).value();
  auto raw_out = connection.add_publication("aeron:ipc", 4711).value();
  auto raw_in = connection.add_subscription("aeron:ipc", 4711).value();
  connection.do_work();
  const auto ignore = [](std::span<const std::byte>) {};
  const std::uint64_t raw = measure([&] {
    raw_out.try_claim(48, [](std::span<std::byte>) {});
    raw_in.poll(ignore, 64);
  });

  const auto layout = TensorLayout::raw_bytes(100);
  const auto bytes = pattern(100, 0);
  std::array<std::byte, 100> copy;
  int copied = 0;
  int read = 0;
  const auto poll = [&] {
    consumer->poll([&](const Frame& frame) {
      copied += frame.copy_to(copy) ? 1 : 0;
      read += frame.read<std::byte>([](auto view) { return view.elements.size(); }) ? 1 : 0;
    });
  };
  const std::uint64_t published = measure([&] {
    EXPECT_TRUE(is_committed(producer->publish(layout, bytes)));
    poll();
  });
  const std::uint64_t claimed = measure([&] {
    auto claim = producer->claim(100);
    EXPECT_TRUE(is_committed(std::move(*claim).commit(layout)));
    poll();
  });
  EXPECT_EQ(copied, 2 * (frames + 100));
  EXPECT_EQ(read, copied);
  // A few more for the queues of the twin, which grow in blocks.
  EXPECT_LE(published, raw + frames / 20);
  EXPECT_LE(claimed, raw + frames / 20);
}

// Four messages a frame: its start, its progress, its end, and the descriptor.
TEST_F(AllocationTest, TellingProgressAllocatesNothing) {
  attach({.progress_interval_ns = 0, .progress_bytes_delta = 0});
  protocol::ConsumerHello hello;
  hello.stream_id = 5;
  hello.consumer_id = 77;
  hello.supports_progress = true;
  hello.mode = protocol::Mode::stream;
  driver->send(hello);
  run(client, 5 * nanos_per_milli);
  auto connection = transport::Connection::open({.aeron_dir = bus_}).value();
  auto raw_out = connection.add_publication("aeron:ipc", 4711).value();
  auto raw_in = connection.add_subscription("aeron:ipc", 4711).value();
  connection.do_work();
  const std::uint64_t raw = measure([&] { raw_out.try_claim(48, [](std::span<std::byte>) {}); });
  const auto layout = TensorLayout::raw_bytes(100);
  const std::uint64_t told = measure([&] {
    auto claim = producer->claim(100, layout);
    EXPECT_EQ(claim->progress(50), ProgressStatus::sent);
    EXPECT_TRUE(is_committed(std::move(*claim).commit(layout)));
  });
  EXPECT_EQ(producer->stats().progress_sent, 3u * (frames + 100));
  EXPECT_LE(told, 4 * raw + frames / 20);
}

// Half of the frames, by decimation, and each of them once on the shared stream and once on the consumer's own.
TEST_F(AllocationTest, StreamsOfAConsumersOwnDecimationAndRateLimitsAllocateNothing) {
  driver->own_stream = 31000;
  attach({}, {.max_rate_hz = 1'000'000'000, .decimation = 2, .own_streams = true});
  const auto layout = TensorLayout::raw_bytes(100);
  const auto bytes = pattern(100, 0);
  std::array<std::byte, 100> copy;
  const auto round = [&] {
    EXPECT_TRUE(is_committed(producer->publish(layout, bytes)));
    consumer->poll([&](const Frame& frame) { EXPECT_TRUE(frame.copy_to(copy)); });
  };
  for (int i = 0; i < 20; ++i) {
    run(client, 5 * nanos_per_milli);
    round();
  }
  ASSERT_NE(consumer->terms().descriptor_stream_id, 0u);
  transport::loopback::drop_next(bus_, 1100, 1'000'000);  // only its own stream is read

  auto connection = transport::Connection::open({.aeron_dir = bus_}).value();
  auto raw_out = connection.add_publication("aeron:ipc", 4711).value();
  auto raw_in = connection.add_subscription("aeron:ipc", 4711).value();
  connection.do_work();
  const std::uint64_t raw = measure([&] {
    for (int i = 0; i < 2; ++i) raw_out.try_claim(48, [](std::span<std::byte>) {});
    raw_in.poll([](std::span<const std::byte>) {}, 64);
  });
  const auto before = consumer->stats();
  const std::uint64_t published = measure(round);
  const auto after = consumer->stats();
  EXPECT_EQ(after.delivered - before.delivered, (frames + 100) / 2);
  EXPECT_EQ(after[LossCause::decimated] - before[LossCause::decimated], (frames + 100) / 2);
  EXPECT_LE(published, raw + frames / 20);
}

}  // namespace
}  // namespace tensorpool::detail
