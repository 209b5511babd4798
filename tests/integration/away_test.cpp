// A media driver that is away for a while, killed or stopped; and a wall clock that is set under everybody's feet.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/unique_fd.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

constexpr std::int64_t noticed_ms = 2200;         // Aeron's driver time-out, and a keepalive interval
constexpr std::int64_t reattach_ms = 500 + 2000;  // the longest pauses before a reconnect, and an attach

void end_peer(Child& child) {
  child.close_input();
  EXPECT_EQ(child.wait(), 0) << child.output();
}

void expect_no_wrong_frame(Child& consumer) {
  EXPECT_EQ(consumer.value("bad"), 0U) << consumer.output();
  EXPECT_EQ(consumer.value("disorder"), 0U) << consumer.output();
}

struct Absence {
  bool killed;
  std::int64_t ms;
};

class MediaDriverAway : public RigTest, public ::testing::WithParamInterface<Absence> {};

// Whatever is shorter than Aeron's time-outs goes by unnoticed; after a longer one everybody connects and attaches
// again by himself, and nobody's lease, which is a long one here, expires meanwhile.
TEST_P(MediaDriverAway, IsSurvivedByAll) {
  const auto [killed, away_ms] = GetParam();
  auto media = rig({.lease_periods = 100}).spawn_media();
  auto driver = rig().spawn_driver();
  auto producer = rig().spawn_producer();
  auto consumer = rig().spawn_consumer();
  ASSERT_TRUE(consumer->advances("delivered")) << consumer->output();
  const std::uint64_t epoch = consumer->value("epoch");
  killed ? media->kill() : media->signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(away_ms));  // the fault, not a wait for an effect
  if (killed) {
    media = rig().spawn_media();
  } else {
    media->signal(SIGCONT);
  }
  const Stopwatch back;
  const std::uint64_t published = producer->value("published");
  const bool lost = killed || away_ms > noticed_ms;
  if (lost) {
    EXPECT_TRUE(consumer->await("event media_driver_back")) << consumer->output();
    EXPECT_TRUE(producer->await("event media_driver_back")) << producer->output();
    EXPECT_TRUE(driver->await("reconnected to the media driver")) << driver->output();
  }
  EXPECT_TRUE(producer->advances("published", 50)) << producer->output();
  EXPECT_TRUE(consumer->advances("delivered", 50)) << consumer->output() << producer->output() << driver->output();
  EXPECT_LT(back.ms(), generous_ms(noticed_ms + reattach_ms)) << "frames came late";
  EXPECT_GT(producer->value("published"), published);
  if (!lost) {
    for (Child* client : {producer.get(), consumer.get()}) {
      EXPECT_FALSE(client->said("event media_driver_lost")) << client->output();
    }
    EXPECT_EQ(consumer->value("epoch"), epoch) << driver->output();
  }
  EXPECT_FALSE(driver->said("EXPIRED")) << driver->output();
  expect_no_wrong_frame(*consumer);
  end_peer(*producer);
  end_peer(*consumer);
  driver->signal(SIGTERM);
  EXPECT_EQ(driver->wait(), 0) << driver->output();
  end_peer(*media);
}

INSTANTIATE_TEST_SUITE_P(, MediaDriverAway,
                         ::testing::Values(Absence{true, 200}, Absence{true, 3000}, Absence{true, 13000},
                                           Absence{false, 200}, Absence{false, 3000}, Absence{false, 13000}),
                         [](const auto& test) {
                           return fmt::format("{}For{}ms", test.param.killed ? "Killed" : "Stopped", test.param.ms);
                         });

#ifdef WALL_CLOCK_SHIM

// What the wall clocks of the processes that are given environment() differ from the machine's.
class WallClock {
 public:
  explicit WallClock(std::string path) : path_(std::move(path)) { set(0); }
  ~WallClock() { ::unlink(path_.c_str()); }
  WallClock(const WallClock&) = delete;
  WallClock& operator=(const WallClock&) = delete;
  void set(std::int64_t seconds) {
    const std::int64_t offset = seconds * nanos_per_second;
    const UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::pwrite(file.get(), &offset, sizeof offset, 0), static_cast<ssize_t>(sizeof offset));
  }
  [[nodiscard]] std::vector<std::string> environment() const {
    return {"LD_PRELOAD=" WALL_CLOCK_SHIM, "WALL_CLOCK_OFFSET=" + path_};
  }

 private:
  std::string path_;
};

class WallClockStep : public RigTest, public ::testing::WithParamInterface<std::int64_t> {};

// Leases, periods and time-outs of ours are of the monotonic clock. Aeron's clients take a media driver for dead whose
// last heartbeat is old by the wall clock, so a step forward makes them connect again, once.
TEST_P(WallClockStep, EndsNoLeaseAndBringsNoEpochBack) {
  const std::int64_t seconds = GetParam();
  rig({.lease_periods = 15});
  WallClock clock(rig().dir() + "/clock");
  rig().set_environment(clock.environment());
  auto media = rig().spawn_media();
  auto driver = rig().spawn_driver();
  auto producer = rig().spawn_producer();
  auto consumer = rig().spawn_consumer();
  ASSERT_TRUE(consumer->advances("delivered")) << consumer->output();
  const std::uint64_t epoch = consumer->value("epoch");
  const auto wall_before = consumer->value("wall_s");
  clock.set(seconds);
  ASSERT_TRUE(eventually([&] {
    const auto moved = static_cast<std::int64_t>(consumer->value("wall_s") - wall_before);
    return seconds > 0 ? moved >= seconds : moved < seconds / 2;
  })) << "the clock was not set";
  // Ten periods by the driver's own clock: whoever would lose a lease by the step would have lost it.
  for (int periods = 0; periods < 10; ++periods) {
    EXPECT_TRUE(consumer->advances("delivered", 100)) << consumer->output() << producer->output() << driver->output();
  }
  if (seconds < 0) {
    EXPECT_EQ(consumer->value("epoch"), epoch) << driver->output() << producer->output();
  }
  EXPECT_FALSE(driver->said("EXPIRED")) << driver->output();
  for (Child* client : {producer.get(), consumer.get()}) {
    const std::string all = client->output();
    std::size_t losses = 0;
    for (std::size_t at = 0; (at = all.find("event media_driver_lost", at)) != std::string::npos; ++at) ++losses;
    EXPECT_LE(losses, seconds > 0 ? 1U : 0U) << all;
  }
  // Whoever comes later, by the new time, is served like everybody.
  auto late = rig().spawn_consumer();
  EXPECT_TRUE(late->advances("delivered", 50)) << late->output();
  end_peer(*late);
  expect_no_wrong_frame(*consumer);
  // A new driver by the new time goes on above all epochs before.
  const std::uint64_t before_restart = consumer->value("epoch");
  driver->kill();
  driver = rig().spawn_driver();
  ASSERT_TRUE(eventually([&] { return consumer->value("epoch") > before_restart; }))
      << consumer->output() << driver->output();
  EXPECT_TRUE(consumer->advances("delivered", 50)) << consumer->output() << producer->output();
  expect_no_wrong_frame(*consumer);
  end_peer(*producer);
  end_peer(*consumer);
  driver->signal(SIGTERM);
  EXPECT_EQ(driver->wait(), 0) << driver->output();
  end_peer(*media);
}

constexpr std::int64_t day_s = 86'400;
INSTANTIATE_TEST_SUITE_P(, WallClockStep, ::testing::Values(30, -30, day_s, -day_s), [](const auto& test) {
  return fmt::format("{}{}s", test.param < 0 ? "Back" : "Ahead", std::abs(test.param));
});

#endif

}  // namespace
}  // namespace tensorpool
