#include "apps/flow/sending_end.hpp"

#include "client/scripted_driver_test.hpp"

namespace tensorpool::apps {
namespace {

class SendingSilence : public detail::StreamBench {
 protected:
  SendingSilence() { attach({.client_id = 7}); }

  void tick_for(SendingEnd& end, Nanos duration, bool frames) {
    for (const Nanos until = now + duration; now < until; now += nanos_per_second / 20) {
      if (frames) end.committed(publish(1), {.bytes = 100});
      end.tick(now);
    }
  }
  LogSink sink() {
    return [this](LogLevel level, std::string_view line) { lines.emplace_back(level, line); };
  }

  std::vector<std::pair<LogLevel, std::string>> lines;
};

TEST_F(SendingSilence, IsSaidOnceAndSoIsItsEnd) {
  testing::internal::CaptureStdout();
  SendingEnd end(*producer, true, std::nullopt, now);
  end.expect_frames("camera 10.0.0.5", 10 * nanos_per_second, sink());
  tick_for(end, 15 * nanos_per_second, true);
  EXPECT_TRUE(lines.empty());
  tick_for(end, 30 * nanos_per_second, false);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].first, LogLevel::warning);
  EXPECT_EQ(lines[0].second,
            "no frame from camera 10.0.0.5 for 10 s; stream 5 stands still. Check its trigger, power and network");
  EXPECT_EQ(end.extra()["no_frames"], 1);
  tick_for(end, 2 * nanos_per_second, true);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1], std::pair(LogLevel::info, std::string("frames from camera 10.0.0.5 again, after 30 s")));
  const std::string output = testing::internal::GetCapturedStdout();
  EXPECT_NE(output.find("{\"event\":\"no_frames\",\"role\":\"producer\",\"stream\":5,\"client_id\":7"),
            std::string::npos);
  EXPECT_NE(output.find("{\"event\":\"frames_resumed\""), std::string::npos);
}

TEST_F(SendingSilence, IsNotSaidWhereNobodyAskedForIt) {
  testing::internal::CaptureStdout();
  SendingEnd end(*producer, false, std::nullopt, now);
  tick_for(end, 30 * nanos_per_second, false);
  end.expect_frames("camera 10.0.0.5", 0, sink());
  tick_for(end, 30 * nanos_per_second, false);
  testing::internal::GetCapturedStdout();
  EXPECT_TRUE(lines.empty());
}

}  // namespace
}  // namespace tensorpool::apps
