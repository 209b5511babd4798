#include "tensorpool/agent_runner.hpp"

#include <gtest/gtest.h>

#include <semaphore>
#include <vector>

namespace tensorpool {
namespace {

// Tells when it has run a number of cycles.
class Counting {
 public:
  explicit Counting(int goal) : goal_(goal) {}
  [[nodiscard]] std::string_view name() const noexcept { return "counting"; }
  int do_work(Nanos now) noexcept {
    last_now = now;
    if (++cycles == goal_) done.release();
    return cycles % 2;
  }
  std::binary_semaphore done{0};
  int cycles = 0;
  Nanos last_now = 0;

 private:
  int goal_;
};
static_assert(Agent<Counting>);
static_assert(Agent<CompositeAgent<Counting, Counting>>);

TEST(CompositeAgent, GivesEachAgentACycleAtTheSameTime) {
  Counting one(100);
  Counting other(100);
  CompositeAgent both(one, other);
  EXPECT_EQ(both.do_work(5), 2);
  EXPECT_EQ(both.do_work(6), 0);
  EXPECT_EQ(one.cycles, 2);
  EXPECT_EQ(other.last_now, 6);
}

TEST(CompositeAgent, RunsThemInTheOrderGiven) {
  struct Noting {
    [[nodiscard]] std::string_view name() const noexcept { return "noting"; }
    int do_work(Nanos) noexcept { return notes->push_back(number), 0; }
    int number;
    std::vector<int>* notes;
  };
  std::vector<int> notes;
  Noting first{1, &notes};
  Noting second{2, &notes};
  Noting third{3, &notes};
  CompositeAgent(first, second, third).do_work(5);
  EXPECT_EQ(notes, (std::vector<int>{1, 2, 3}));
}

TEST(AgentRunner, RunsSeveralAgentsOnOneThreadInEveryIdleMode) {
  for (const IdleMode mode : {IdleMode::spin, IdleMode::yield, IdleMode::backoff, IdleMode::sleep}) {
    Counting one(50);
    Counting other(50);
    AgentRunner runner({.name = "test", .idle = mode, .nap_ns = 1000}, one, other);
    one.done.acquire();
    other.done.acquire();
    runner.stop();
    EXPECT_EQ(one.cycles, other.cycles);
    EXPECT_EQ(one.last_now, other.last_now);
    EXPECT_GT(runner.stalls().longest_ns, 0);
  }
}

TEST(StallMeter, CountsTheCyclesThatCameLateAndKnowsTheLongest) {
  StallMeter meter(100);
  for (const Nanos now : {1000, 1050, 1150, 1251, 2000}) meter.cycle(now);
  EXPECT_EQ(meter.read().count, 2u);
  EXPECT_EQ(meter.read().longest_ns, 749);
}

}  // namespace
}  // namespace tensorpool
