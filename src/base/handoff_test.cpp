#include "base/handoff.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace tensorpool {
namespace {

std::atomic<int> alive{0};

struct Session {
  explicit Session(int number) : id(number) { ++alive; }
  ~Session() { --alive; }
  int id;
  Session* next_retired = nullptr;
};

TEST(Handoff, GivesTheNewestOfferAndReturnsTheOneNobodyTook) {
  Handoff<Session> handoff;
  EXPECT_EQ(handoff.take(), nullptr);
  EXPECT_EQ(handoff.offer(std::make_unique<Session>(1)), nullptr);
  const auto untaken = handoff.offer(std::make_unique<Session>(2));
  ASSERT_NE(untaken, nullptr);
  EXPECT_EQ(untaken->id, 1);
  Session* taken = handoff.take();
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(taken->id, 2);
  EXPECT_EQ(handoff.take(), nullptr);
  handoff.retire(taken);
  EXPECT_TRUE(handoff.reclaim());
  EXPECT_FALSE(handoff.reclaim());
}

TEST(Handoff, LosesNoObjectBetweenTwoThreads) {
  {
    Handoff<Session> handoff;
    std::atomic<bool> stop{false};
    std::thread application([&] {
      Session* current = nullptr;
      int last = 0;
      while (!stop.load()) {
        if (Session* next = handoff.take()) {
          EXPECT_GT(next->id, last);
          last = next->id;
          if (current != nullptr) handoff.retire(current);
          current = next;
        }
      }
      if (current != nullptr) handoff.retire(current);
    });
    for (int i = 1; i <= 20'000; ++i) {
      handoff.offer(std::make_unique<Session>(i));
      handoff.reclaim();
    }
    stop = true;
    application.join();
  }
  EXPECT_EQ(alive.load(), 0);
}

}  // namespace
}  // namespace tensorpool
