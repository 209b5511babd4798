// What a system leaves behind. After fifty lives of it, each ended by killing somebody at a random moment, one clean
// start and stop leaves nothing, and a process that lived through all of them has grown by nothing. A driver that is
// not told to clean up leaves what its configuration's documentation says, and the next one deals with it.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "support/rig.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

constexpr int runs = sanitized ? 10 : 50;

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

// The epochs of a stream that lie on disk, oldest first. What is no epoch fails the test, but for one that the driver
// is removing while it runs.
std::vector<std::uint64_t> epochs_on_disk(const Rig& rig, std::uint32_t stream_id, bool running = false) {
  std::vector<std::uint64_t> epochs;
  for (const auto& entry : fs::directory_iterator(rig.namespace_dir() + "/" + std::to_string(stream_id))) {
    const std::string name = entry.path().filename().string();
    if (running && name.rfind(".removed-", 0) == 0) continue;
    epochs.push_back(std::strtoull(name.c_str(), nullptr, 10));
    EXPECT_EQ(std::to_string(epochs.back()), name) << "no epoch";
  }
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

// Bytes that each file of a directory really takes.
std::map<std::string, std::int64_t> bytes_taken_in(const std::string& dir) {
  std::map<std::string, std::int64_t> taken;
  for (const auto& entry : fs::directory_iterator(dir)) {
    struct stat status {};
    EXPECT_EQ(::lstat(entry.path().c_str(), &status), 0);
    EXPECT_TRUE(S_ISREG(status.st_mode)) << entry.path();
    taken[entry.path().filename().string()] = std::int64_t{status.st_blocks} * 512;
  }
  return taken;
}

std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

class Leftovers : public RigTest {
 protected:
  std::unique_ptr<Child> start_driver(std::vector<std::string> environment = {}) {
    environment.emplace_back("DRIVER_MEDIA_DRIVER=embedded");
    return std::make_unique<Child>(std::vector<std::string>{TP_BINARY, "driver", "run", rig().config_path()},
                                   environment);
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

// spec: docs/configuration.md, cleanup_shm_on_exit = false, which is the default.
TEST_F(Leftovers, OfADriverThatIsNotToCleanUpAreEmptyLocksAndTheCurrentEpochs) {
  rig({.cleans_up = false});
  auto driver = start_driver();
  ASSERT_TRUE(driver->await("serves control stream")) << driver->output();
  const auto one_life = [&] {  // returns the producer's epoch
    auto consumer = rig().spawn_consumer();
    auto producer = rig().spawn_producer();
    EXPECT_TRUE(consumer->advances("delivered")) << consumer->output();
    const std::uint64_t epoch = consumer->value("epoch");
    for (Child* peer : {producer.get(), consumer.get()}) {
      peer->close_input();
      EXPECT_EQ(peer->wait(), 0) << peer->output();
    }
    return epoch;
  };
  const std::uint64_t written = one_life();
  const std::size_t keep = rig().config().driver.policies.epoch_gc_keep;
  // The producer's epoch is replaced by an idle one; those beyond the kept ones go when they are old enough.
  EXPECT_TRUE(eventually([&] {
    const auto epochs = epochs_on_disk(rig(), Rig::stream, true);
    return epochs.size() <= keep && epochs.back() > written;
  })) << files_below(rig().dir());
  const std::uint64_t idle = epochs_on_disk(rig(), Rig::stream, true).back();
  driver->signal(SIGTERM);
  EXPECT_EQ(driver->wait(), 0) << driver->output();

  EXPECT_FALSE(fs::exists(rig().aeron_dir())) << "the media driver's directory goes with it in any case";
  std::string expected;  // of files but empty locks
  for (const std::uint32_t stream : {Rig::stream, Rig::other_stream}) {
    const auto epochs = epochs_on_disk(rig(), stream);
    ASSERT_EQ(epochs.size(), 1U) << "what was replaced went with the driver\n" << files_below(rig().dir());
    for (const std::uint64_t epoch : epochs) {
      const auto taken = bytes_taken_in(rig().epoch_dir(epoch, stream));
      EXPECT_EQ(taken.size(), 3U);
      for (const char* name : {"header.ring", "1.pool", "2.pool"}) {
        EXPECT_EQ(taken.count(name), 1U) << name;
        expected += rig().epoch_dir(epoch, stream) + "/" + name + "\n";
      }
    }
    // Nobody is attached, so of the current epoch there is the ring, and a page of each pool.
    for (const auto& [name, bytes] : bytes_taken_in(rig().epoch_dir(epochs.back(), stream))) {
      EXPECT_LE(bytes, 4096) << name << " of the idle epoch of stream " << stream;
    }
  }
  EXPECT_EQ(epochs_on_disk(rig(), Rig::stream).back(), idle) << "the end of a driver starts no epoch";
  EXPECT_EQ(sorted_lines(files_below(rig().dir())), sorted_lines(expected));

  // Its successor goes on after it, and removes it all if told to.
  driver = start_driver({"POLICIES_CLEANUP_SHM_ON_EXIT=true"});
  ASSERT_TRUE(driver->await("serves control stream")) << driver->output();
  EXPECT_GT(one_life(), idle);
  driver->signal(SIGTERM);
  EXPECT_EQ(driver->wait(), 0) << driver->output();
  EXPECT_EQ(files_below(rig().dir()), "");
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

// tests/streams has the driver whose terminal closes.
TEST_F(Leftovers, OfALogRotationAreTheOldLogAndADriverThatWritesTheNewOne) {
  const std::string log = rig().dir() + "/driver.log";
  const auto holds = [&](const std::string& path, const std::string& text) {
    std::ifstream file(path);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    return content.find(text) != std::string::npos;
  };
  Child driver({"/usr/bin/setsid", TP_BINARY, "driver", "run", rig().config_path(), "--log-file", log},
               {"DRIVER_MEDIA_DRIVER=embedded"});
  ASSERT_TRUE(eventually([&] { return holds(log, "serves control stream"); })) << driver.output();
  fs::rename(log, log + ".1");
  driver.signal(SIGHUP);
  ASSERT_TRUE(eventually([&] { return fs::exists(log); })) << driver.output();
  auto producer = start_peer("producer");
  EXPECT_TRUE(producer->advances("published")) << producer->output();
  end(*producer);
  EXPECT_TRUE(eventually([&] { return holds(log, "PRODUCER"); })) << driver.output();
  EXPECT_FALSE(holds(log + ".1", "PRODUCER"));
  driver.signal(SIGTERM);
  EXPECT_EQ(driver.wait(), 0) << driver.output();
  EXPECT_TRUE(holds(log, "has shut down"));
  fs::remove(log);
  fs::remove(log + ".1");
}

TEST_F(Leftovers, AreNoneOfADriverThatOutlivesItsTerminal) {
  Child lasting({"/usr/bin/nohup", TP_BINARY, "driver", "run", rig().config_path()}, {"DRIVER_MEDIA_DRIVER=embedded"});
  ASSERT_TRUE(lasting.await("serves control stream")) << lasting.output();
  lasting.signal(SIGHUP);
  auto producer = start_peer("producer");
  EXPECT_TRUE(producer->advances("published")) << producer->output();
  end(*producer);
  EXPECT_TRUE(lasting.running()) << lasting.output();
  end_driver(lasting);
}

// Else the next file that is opened would have the number, and get what is printed: the media driver's, too.
TEST_F(Leftovers, OfClosedStandardStreamsAreNumbersThatNoFileGets) {
  Child driver({"/bin/sh", "-c", "exec \"$0\" driver run \"$1\" <&- >&- 2>&-", TP_BINARY, rig().config_path()},
               {"DRIVER_MEDIA_DRIVER=embedded"});
  std::string status;
  ASSERT_TRUE(eventually([&] {
    Child asking({TP_BINARY, "driver", "status", "--config", rig().config_path()});
    const bool serves = asking.wait() == 0;
    status = asking.output();
    return serves;
  })) << status
      << (driver.running() ? "the driver runs" : "the driver is dead");
  auto producer = start_peer("producer");
  EXPECT_TRUE(producer->advances("published")) << producer->output();
  for (const char* number : {"0", "1", "2"}) {
    EXPECT_EQ(fs::read_symlink(fmt::format("/proc/{}/fd/{}", driver.pid(), number)), "/dev/null") << number;
  }
  Child mute({"/bin/sh", "-c", "exec \"$0\" driver status --config \"$1\" >&-", TP_BINARY, rig().config_path()});
  EXPECT_EQ(mute.wait(), 1) << mute.output();
  EXPECT_TRUE(mute.said("lines are missing on standard output: Bad file descriptor")) << mute.output();
  end(*producer);
  end_driver(driver);
}

}  // namespace
}  // namespace tensorpool
