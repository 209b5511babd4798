// kill -9 of a driver before every single system call of its life: it starts, provisions its streams, serves producers,
// collects old epochs, and ends. Whatever is left of it, an epoch that has a name is whole, what was announced is
// there, and its successor clears up, serves a higher epoch, and leaves nothing.
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "roles/driver/driver_fixture.hpp"
#include "shm/epoch_store.hpp"
#include "shm/region_set.hpp"
#include "support/killed_child.hpp"

namespace tensorpool::driver {
namespace {

namespace fs = std::filesystem;
using protocol::Role;

class DriverKill : public DriverFixture {
 protected:
  DriverKill() : DriverFixture("/dev/shm") {
    config.policies.epoch_gc_min_age_ns = 0;
    config.policies.cleanup_shm_on_exit = true;
  }

  // A whole life, which writes down what was announced before anything else happens.
  void live() {
    start();
    Peer& client = peer();
    write_down(client);
    for (std::uint32_t life = 10; life < 12; ++life) {
      const auto granted = attach(client, 1, life, Role::producer);
      write_down(client);
      client.say(detach(granted, life, Role::producer));
      settle();
      write_down(client);
      advance(1000 * ms);
      write_down(client);
    }
    attach(client, 2, 20, Role::consumer);
    note("ends");
    shut_down();
  }

  // 0 if everything is as it must be where a driver was killed; forked, so that a failure is told, and leaves nothing.
  int judge() {
    auto [announced, ended] = heard();
    std::uint64_t highest = 0;
    for (const std::uint32_t stream : {1U, 2U}) {
      for (const std::string& name : entries(stream_dir(stream))) {
        if (name.front() == '.') continue;
        EXPECT_TRUE(can_map(stream, std::stoull(name))) << "half of an epoch has a name";
        if (stream == 1) highest = std::max<std::uint64_t>(highest, std::stoull(name));
      }
      if (announced[stream] != 0 && !ended) {
        EXPECT_TRUE(can_map(stream, announced[stream])) << "the announced epoch is not there";
      }
    }
    highest = std::max(highest, announced[1]);
    // A clock that was set back must not bring an epoch back, as long as one has left a trace.
    realtime += ended ? nanos_per_second : -3600 * nanos_per_second;
    start();
    for (const std::uint32_t stream : {1U, 2U}) {
      for (const std::string& name : entries(stream_dir(stream))) EXPECT_NE(name.front(), '.') << "not cleared up";
    }
    const auto granted = attach(peer(), 1, 30, Role::producer);
    EXPECT_EQ(granted.code, protocol::ResponseCode::ok) << granted.error_message;
    EXPECT_GT(granted.epoch.value_or(0), highest) << "an epoch came back";
    EXPECT_TRUE(can_map(1, granted.epoch.value_or(0)));
    shut_down();
    driver.reset();
    for (const auto& entry : fs::recursive_directory_iterator(dir.path() + "/tensorpool-tester")) {
      EXPECT_TRUE(entry.is_directory() || entry.path().extension() == ".lock") << entry.path() << " is left";
    }
    return HasFailure() ? 1 : 0;
  }

  [[nodiscard]] bool can_map(std::uint32_t stream, std::uint64_t epoch) const {
    const std::string at = stream_dir(stream) + "/" + std::to_string(epoch) + "/";
    shm::RegionLayout layout;
    layout.stream_id = stream;
    layout.epoch = epoch;
    layout.nslots = 8;
    layout.header_path = at + "header.ring";
    for (const PoolConfig& pool : config.profiles[0].payload_pools) {
      layout.pools.push_back({pool.pool_id, pool.stride_bytes, at + std::to_string(pool.pool_id) + ".pool"});
    }
    return shm::RegionSet::map(layout, shm::Access::read_only, {{dir.path()}}).has_value();
  }

  void shut_down() {
    driver->request_shutdown(protocol::ShutdownReason::normal);
    for (int i = 0; i < 100 && !driver->finished(); ++i) advance(100 * ms);
    EXPECT_TRUE(driver->finished());
  }

  void clear() {
    fs::remove_all(dir.path() + "/tensorpool-tester");
    fs::remove(dir.path() + "/heard");
  }

 private:
  void note(const std::string& line) { std::ofstream(dir.path() + "/heard", std::ios::app) << line << "\n"; }
  void write_down(Peer& client) {
    client.pump();
    for (const auto& announce : client.every<protocol::ShmPoolAnnounce>()) {
      note(std::to_string(announce.stream_id) + " " + std::to_string(announce.epoch));
    }
    client.all.clear();
  }
  // The last epoch of each stream that was written down, and whether the driver was about to end.
  [[nodiscard]] std::pair<std::map<std::uint32_t, std::uint64_t>, bool> heard() const {
    std::ifstream notes(dir.path() + "/heard");
    std::map<std::uint32_t, std::uint64_t> announced;
    for (std::string first; notes >> first;) {
      if (first == "ends") return {announced, true};
      std::uint64_t epoch = 0;
      notes >> epoch;
      announced[static_cast<std::uint32_t>(std::stoul(first))] = epoch;
    }
    return {announced, false};
  }
};

TEST_F(DriverKill, LeavesNothingHalfMadeThatAnybodyMayUse) {
  const char* const given = std::getenv("TENSORPOOL_EVERY_NTH");
  const long every = given != nullptr ? std::max(1L, std::strtol(given, nullptr, 10)) : 7;
  long kills = 0;
  long calls = 0;
  for (bool ended = false; !ended && !HasFailure(); calls += every, ++kills) {
    clear();
    const Killed killed = run_and_kill([this] { live(); }, Step::system_call, calls);
    ASSERT_EQ(killed.failure, "");
    ended = killed.ended;
    EXPECT_EQ(run_in_copy([this] { return judge(); }), 0) << "killed after " << calls << " system calls";
  }
  std::printf("seen: %ld kills at system calls\n", kills);
  EXPECT_GT(kills, 20);
}

// Gives an epoch its name from the start, and not when it is whole.
class NamesAtOnce : public shm::SystemCalls {
 public:
  int make_directory_at(int directory, const char* path, mode_t mode) override {
    return SystemCalls::make_directory_at(directory, final_name(path), mode);
  }
  int open_at(int directory, const char* path, int flags, mode_t mode) override {
    return SystemCalls::open_at(directory, final_name(path), flags, mode);
  }
  int rename_at(int directory, const char* from, const char* to) override {
    return final_name(from) != from ? 0 : SystemCalls::rename_at(directory, from, to);
  }

 private:
  static const char* final_name(const char* path) {
    const std::string_view name(path);
    return name.starts_with(shm::making_prefix) ? path + shm::making_prefix.size() : path;
  }
};

class DriverKillOfAMutant : public DriverKill {
 protected:
  shm::SystemCalls& calls() override { return calls_; }

 private:
  NamesAtOnce calls_;
};

TEST_F(DriverKillOfAMutant, FindsTheHalfMadeEpochOfADriverThatNamesItAtOnce) {
  bool found = false;
  for (long calls = 0; !found && calls < 200; ++calls) {
    clear();
    const Killed killed = run_and_kill([this] { live(); }, Step::system_call, calls);
    ASSERT_EQ(killed.failure, "");
    found = run_in_copy([this] {
              static_cast<void>(std::freopen("/dev/null", "w", stdout));  // it is to fail
              return judge();
            }) == 1;
  }
  EXPECT_TRUE(found);
  std::printf("seen: 1 mutants %s\n", found ? "caught" : "missed");
}

}  // namespace
}  // namespace tensorpool::driver
