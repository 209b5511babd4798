// `tp configure` beside a driver and a consumer.
#include <memory>

#include "apps/tp/test_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

class Configuring : public RunningDriver {
 protected:
  void SetUp() override {
    ASSERT_EQ(await_status().status, 0);
    consumer_ =
        std::make_unique<Background>(std::vector<std::string>{"consume", "--client-id", "70", "--config", config_});
  }
  // The time-out is longer than any machine needs.
  Outcome configure(const std::string& arguments, const std::string& timeout_s = "50") const {
    return run(with_config("configure --stream 7 --timeout " + timeout_s + " " + arguments));
  }

  Background driver_{{"driver", "run", config_}};
  std::unique_ptr<Background> consumer_;  // once there is a media driver
};

TEST_F(Configuring, TellsAConsumerUntilItSaysThatItObeys) {
  const Outcome limited = configure("--client-id 70 --mode rate_limited");
  EXPECT_EQ(limited.status, 0);
  EXPECT_TRUE(has(limited, "consumer 70 of stream 7: mode RATE_LIMITED, shared memory read")) << limited.text;
  const Outcome blind = configure("--client-id 70 --use-shm false --format json");
  EXPECT_EQ(blind.status, 0);
  EXPECT_TRUE(has(blind, "\"mode\":\"STREAM\"") && has(blind, "\"use_shm\":false")) << blind.text;
}

TEST_F(Configuring, SaysWhenTheConsumerIsNotThere) {
  const Outcome nobody = configure("--client-id 71", "0.5");
  EXPECT_EQ(nobody.status, 3);
  EXPECT_TRUE(has(nobody, "consumer 71 of stream 7 was not heard of")) << nobody.text;
  EXPECT_EQ(configure("--client-id 0").status, 2);
}

}  // namespace
}  // namespace tensorpool::apps::tp
