// Fifty lives of a whole system, each ended by killing somebody at a random moment: after one clean start and stop
// nothing is left, and a process that lived through all of them has grown by nothing.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "support/rig.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int runs = 10;
#else
constexpr int runs = 50;
#endif

std::size_t open_files() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}));
}

// Mappings of this rig's files: Aeron's and ours.
std::size_t mappings_below(const std::string& dir) {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find(dir) != std::string::npos ? 1U : 0U;
  return count;
}

class Leftovers : public RigTest {
 protected:
  std::unique_ptr<Child> start_driver() {
    return std::make_unique<Child>(std::vector<std::string>{TP_BINARY, "driver", "run", rig().config_path()},
                                   std::vector<std::string>{"DRIVER_MEDIA_DRIVER=embedded"});
  }
  std::unique_ptr<Child> start_peer(const std::string& role) {
    return std::make_unique<Child>(std::vector<std::string>{TEST_PEER, role, rig().config_path()});
  }
};

TEST_F(Leftovers, AreNoneAfterFiftyLivesThatEndedByKilling) {
  std::mt19937 random(20);
  SCOPED_TRACE("seed 20");
  for (int run = 0; run < runs; ++run) {
    auto driver = start_driver();
    ASSERT_TRUE(driver->await("serves control stream")) << "run " << run << driver->output();
    auto producer = start_peer("producer");
    auto consumer = start_peer("consumer");
    const auto stage = random() % 3;  // at once, when somebody is attached, when frames flow
    if (stage == 1) {
      ASSERT_TRUE(producer->await("peer is up")) << "run " << run << producer->output() << driver->output();
    } else if (stage == 2) {
      ASSERT_TRUE(consumer->advances("delivered"))
          << "run " << run << consumer->output() << producer->output() << driver->output();
    }
    Child* const members[] = {driver.get(), producer.get(), consumer.get()};
    Child* const victim = members[random() % 3];
    victim->kill();
    if (random() % 2 == 0) {  // the others end as they should
      producer->close_input();
      consumer->close_input();
      (void)producer->wait();
      (void)consumer->wait();
      driver->signal(SIGTERM);
      (void)driver->wait();
    }
  }
  auto driver = start_driver();
  auto clean = [&](const char* role) {
    ASSERT_TRUE(driver->await("serves control stream")) << driver->output();
    auto peer = start_peer(role);
    ASSERT_TRUE(peer->await("peer is up")) << peer->output() << driver->output();
    peer->close_input();
    EXPECT_EQ(peer->wait(), 0) << peer->output();
  };
  clean("producer");
  driver->signal(SIGTERM);
  EXPECT_EQ(driver->wait(), 0) << driver->output();
  EXPECT_EQ(files_below(rig().dir()), "");
  EXPECT_FALSE(fs::exists(rig().aeron_dir()));
}

TEST_F(Leftovers, DoNotGrowInAProcessThatOutlivesTheOthers) {
  rig().start();
  EventLog events;
  Client client = rig().connect("survivor", &events);
  auto consumer = client.attach_consumer({.stream_id = Rig::stream});
  ASSERT_TRUE(consumer);
  const auto life = [&] {  // a producer comes, is heard, and is killed; its lease runs out
    auto producer = rig().spawn_producer();
    std::uint64_t delivered = 0;
    ASSERT_TRUE(eventually([&] {
      consumer->poll([&](const Frame&) { ++delivered; });
      return delivered > 5;
    })) << events.text();
    producer->kill();
    ASSERT_TRUE(eventually([&] { return rig().driver_status().leases.size() == 1; }));
    const std::uint64_t idle = rig().epoch_of(Rig::stream);
    ASSERT_TRUE(eventually([&] {
      consumer->poll([](const Frame&) {});
      return consumer->stats().epoch >= idle;
    })) << events.text();
  };
  life();
  const auto settled = [&](std::size_t files, std::size_t maps) {
    return eventually([&] {
      consumer->poll([](const Frame&) {});
      return open_files() <= files && mappings_below(rig().dir()) <= maps;
    });
  };
  const std::size_t files = open_files();
  const std::size_t maps = mappings_below(rig().dir());
  for (int run = 0; run < runs / 5; ++run) life();
  EXPECT_TRUE(settled(files + 1, maps + 2))
      << files << " files became " << open_files() << ", " << maps << " mappings " << mappings_below(rig().dir());
}

}  // namespace
}  // namespace tensorpool
