// Region files that are truncated while they are mapped, in a process that asked for the guard.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "client/scripted_driver_test.hpp"
#include "support/expect_says.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

namespace fs = std::filesystem;

class LostRegions : public StreamBench {
 protected:
  void SetUp() override {
    const Status guarded = install_sigbus_guard();
    ASSERT_TRUE(guarded) << guarded.error().message;
    attach();
    EXPECT_EQ(publish(0), PublishStatus::ok);
    EXPECT_EQ(poll(), (Seqs{0}));
  }
  const shm::RegionLayout& layout() { return driver->layout(5); }
  // The events that say so of `path`.
  int told_of(const std::string& path) const {
    int told = 0;
    for (const Event& event : events) {
      const bool tells = event.kind == EventKind::mapping_failed &&
                         event.message.find("region " + path + " has lost its memory") != std::string::npos;
      told += tells ? 1 : 0;
    }
    return told;
  }
};

TEST_F(LostRegions, OfTheRingAreGivenUpByBothAndANewEpochFollows) {
  const shm::RegionLayout lost = layout();
  fs::resize_file(lost.header_path, 0);
  EXPECT_EQ(publish(1), PublishStatus::ok) << "nobody looked yet";
  EXPECT_EQ(poll(), (Seqs{}));
  client.do_work(now);
  EXPECT_EQ(told_of(lost.header_path), 2);
  EXPECT_EQ(publish(1), PublishStatus::not_attached);
  EXPECT_FALSE(producer->attached());
  const Event* const told = last(EventKind::mapping_failed);
  ASSERT_NE(told, nullptr);
  expect_says(told->message, fmt::format("stream 5 epoch {} is given up and attached anew", lost.epoch));
  EXPECT_EQ(told->stream_id, 5U);

  run(client, second);
  EXPECT_EQ(producer->stats().regions_lost, 1U);
  EXPECT_EQ(consumer->stats().regions_lost, 1U);
  EXPECT_EQ(publish(0), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{0}));
  EXPECT_GT(producer->stats().epoch, lost.epoch);
  EXPECT_EQ(consumer->stats().epoch, producer->stats().epoch);
  expect_balance(consumer->stats());
  EXPECT_EQ(driver->leases.size(), 2U) << "what was given up was given back";
}

TEST_F(LostRegions, OfAPoolLoseTheFramesInItAndNoneIsDeliveredAsZeros) {
  const shm::RegionLayout lost = layout();
  EXPECT_EQ(publish(1), PublishStatus::ok);
  EXPECT_EQ(publish(2), PublishStatus::ok);
  fs::resize_file(lost.pools[0].path, 0);
  int believed = 0;
  const auto read = [&](const Frame& frame) {
    std::vector<std::byte> bytes(frame.size_bytes());
    believed += frame.copy_to(bytes) ? 1 : 0;
  };
  consumer->poll(read);
  EXPECT_EQ(believed, 0);
  EXPECT_EQ(consumer->stats()[LossCause::late], 1U) << "the one that found out";
  EXPECT_EQ(consumer->stats()[LossCause::not_committed], 1U);
  client.do_work(now);
  EXPECT_EQ(told_of(lost.pools[0].path), 1);
  EXPECT_EQ(producer->stats().regions_lost, 0U) << "it touched nothing yet";

  // The consumer asks for the same epoch until the producer has noticed too.
  run(client, 50 * ms);
  EXPECT_EQ(publish(3), PublishStatus::ok);
  run(client, 5 * second);
  EXPECT_EQ(producer->stats().regions_lost, 1U);
  EXPECT_EQ(publish(0), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{0}));
  EXPECT_EQ(consumer->stats().epoch, producer->stats().epoch);
  expect_balance(consumer->stats());
}

// The producer is of a process that stands still, and so does not notice.
TEST_F(LostRegions, AreTriedAgainWithBackOffUntilTheFileIsWhole) {
  producer.reset();
  Client other = connect();
  run(client, other, 100 * ms);
  producer = other.attach_producer({.stream_id = 5, .attach_timeout_ns = second}).value();
  run(client, other, 100 * ms);
  const std::string path = layout().pools[0].path;
  const std::uint64_t epoch = layout().epoch;
  std::string whole(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(whole.data(), static_cast<std::streamsize>(whole.size()));
  EXPECT_TRUE(is_committed(publish(0)));
  fs::resize_file(path, 0);
  consumer->poll([](const Frame& frame) {
    std::vector<std::byte> bytes(frame.size_bytes());
    EXPECT_FALSE(frame.copy_to(bytes));
  });
  const std::size_t asked = driver->attaches.size();
  run(client, 20 * second);
  EXPECT_EQ(consumer->stats().regions_lost, 1U);
  EXPECT_GE(driver->attaches.size() - asked, 10U);
  EXPECT_LE(driver->attaches.size() - asked, 25U);
  expect_says(last(EventKind::mapping_failed)->message, path + ": the file has 0 bytes");

  std::ofstream(path, std::ios::binary | std::ios::in).write(whole.data(), static_cast<std::streamsize>(whole.size()));
  run(client, 3 * second);
  EXPECT_TRUE(is_committed(publish(1)));
  EXPECT_EQ(poll(), (Seqs{1})) << last(EventKind::mapping_failed)->message;
  EXPECT_EQ(consumer->stats().epoch, epoch) << "nothing better was announced";
  EXPECT_EQ(producer->stats().regions_lost, 0U);
  expect_balance(consumer->stats());
}

}  // namespace
}  // namespace tensorpool::detail
