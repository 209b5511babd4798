// kill -9 of a standalone producer before every single system call of its life: it makes the regions of its stream,
// announces, publishes, and removes them. Whatever is left of it, an epoch that has a name is whole, and its successor
// clears up, writes a higher one, and leaves nothing.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "client/scripted_driver_test.hpp"
#include "shm/region_set.hpp"
#include "support/killed_child.hpp"

namespace tensorpool::detail {
namespace {

namespace fs = std::filesystem;

class StandaloneKill : public ClientBench {
 protected:
  StandaloneKill() { driver.reset(); }

  void live() {
    Client client = connect();
    auto producer = attach(client);
    for (int i = 0; i < 3; ++i) publish(producer);
    run(client, nanos_per_second);
  }

  // 0 if everything is as it must be where a producer was killed; forked, so that a failure leaves nothing.
  int judge() {
    std::uint64_t highest = 0;
    for (const std::string& name : names()) {
      if (name.front() == '.') continue;
      const std::uint64_t epoch = std::stoull(name);
      EXPECT_TRUE(can_map(epoch)) << "half of an epoch has a name";
      highest = std::max(highest, epoch);
    }
    now += 10 * nanos_per_second;  // what was active is silent since
    {
      Client client = connect();
      Producer producer = attach(client);
      EXPECT_GT(producer.stats().epoch, highest) << "an epoch came back";
      EXPECT_TRUE(can_map(producer.stats().epoch));
      EXPECT_EQ(names(), std::vector<std::string>{std::to_string(producer.stats().epoch)}) << "not cleared up";
      EXPECT_TRUE(is_committed(publish(producer)));
    }
    for (const auto& entry : fs::recursive_directory_iterator(dir.path())) {
      EXPECT_TRUE(entry.is_directory() || entry.path().extension() == ".lock") << entry.path() << " is left";
    }
    return HasFailure() ? 1 : 0;
  }

  void clear() {
    for (const auto& entry : fs::directory_iterator(dir.path())) fs::remove_all(entry);
  }

 private:
  Producer attach(Client& client) {
    ProducerOptions wanted;
    wanted.stream_id = 5;
    wanted.standalone = StandaloneOptions{
        .pools = {{1, 4096}, {2, 16384}}, .nslots = 8, .base_dir = dir.path(), .user = "test", .prefault = false};
    return client.attach_producer(wanted).value();
  }
  static PublishStatus publish(Producer& producer) {
    return producer.publish(TensorLayout::raw_bytes(100), pattern(100, producer.stats().next_seq));
  }
  [[nodiscard]] std::string stream_dir() const { return dir.path() + "/tensorpool-test/default/5"; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> found;
    if (!fs::exists(stream_dir())) return found;
    for (const auto& entry : fs::directory_iterator(stream_dir())) found.push_back(entry.path().filename());
    return found;
  }
  [[nodiscard]] bool can_map(std::uint64_t epoch) const {
    const std::string at = stream_dir() + "/" + std::to_string(epoch) + "/";
    const shm::RegionLayout layout{.stream_id = 5,
                                   .epoch = epoch,
                                   .nslots = 8,
                                   .header_path = at + "header.ring",
                                   .pools = {{1, 4096, at + "1.pool"}, {2, 16384, at + "2.pool"}}};
    return shm::RegionSet::map(layout, shm::Access::read_only, {{dir.path()}}).has_value();
  }
};

TEST_F(StandaloneKill, LeavesNothingThatHindersTheNextOne) {
  long calls = 0;
  for (bool ended = false; !ended && !HasFailure(); ++calls) {
    clear();
    const Killed killed = run_and_kill([this] { live(); }, Step::system_call, calls);
    ASSERT_EQ(killed.failure, "");
    ended = killed.ended;
    EXPECT_EQ(run_in_copy([this] { return judge(); }), 0) << "killed after " << calls << " system calls";
  }
  std::printf("seen: %ld kills at system calls\n", calls);
  EXPECT_GT(calls, 40);
}

}  // namespace
}  // namespace tensorpool::detail
