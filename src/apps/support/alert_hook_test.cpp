#include "apps/support/alert_hook.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "support/temp_dir.hpp"
#include "support/wait.hpp"

namespace tensorpool::apps {
namespace {

class Hook : public testing::Test {
 protected:
  [[nodiscard]] std::string content(const std::string& name) const {
    std::ifstream file(dir.path() + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  [[nodiscard]] AlertHook hook_of(std::vector<std::string> command) {
    return AlertHook(std::move(command), [this](LogLevel, std::string_view line) { log += std::string(line) + "\n"; });
  }

  TempDir dir{"tp-hook"};
  std::string log;
  MonitorEvent event{.kind = MonitorEventKind::no_frames,
                     .stream_id = 1001,
                     .client_id = 7,
                     .message = "no frame; $(touch evil)",
                     .epoch = 3,
                     .last_seq = 99,
                     .silent_ns = 5};
};

TEST_F(Hook, GivesTheEventInTheEnvironmentAndTheArgumentsAsTheyAre) {
  const std::string out = dir.path() + "/out";
  AlertHook hook =
      hook_of({"sh", "-c",
               "printf '%s|' \"$1\" $TENSORPOOL_EVENT $TENSORPOOL_EVENT_ALERT $TENSORPOOL_EVENT_STREAM_ID "
               "$TENSORPOOL_EVENT_CLIENT_ID $TENSORPOOL_EVENT_EPOCH $TENSORPOOL_EVENT_LAST_SEQ "
               "$TENSORPOOL_EVENT_SILENT_NS $TENSORPOOL_EVENT_REASON \"$TENSORPOOL_EVENT_MESSAGE\" > \"$0.new\"; "
               "mv \"$0.new\" \"$0\"",
               out, "; exit 3"});
  hook.run(event);
  EXPECT_EQ(hook.started(), 1U);
  EXPECT_TRUE(eventually([&] { return !content("out").empty(); })) << log;
  EXPECT_EQ(content("out"), "; exit 3|no_frames|1|1001|7|3|99|5|unknown|no frame; $(touch evil)|");
}

TEST_F(Hook, LogsAProgramThatFails) {
  AlertHook hook = hook_of({"sh", "-c", "exit 9"});
  hook.run(event);
  EXPECT_TRUE(eventually([&] {
    hook.reap();
    return log.find("sh ended with status 9") != std::string::npos;
  })) << log;
}

TEST_F(Hook, LogsAProgramThatIsNotThere) {
  AlertHook hook = hook_of({"no-such-program-at-all"});
  hook.run(event);
  EXPECT_EQ(hook.started(), 0U);
  EXPECT_NE(log.find("cannot be started for no_frames: No such file or directory"), std::string::npos) << log;
  EXPECT_FALSE(AlertHook::check({dir.path() + "/none"}));
  EXPECT_FALSE(AlertHook::check({}));
  EXPECT_TRUE(AlertHook::check({"/bin/sh"}));
  EXPECT_TRUE(AlertHook::check({"sh"}));
}

TEST_F(Hook, StartsNoMoreThanEightAtATime) {
  const std::string gate = dir.path() + "/gate";
  AlertHook hook = hook_of({"sh", "-c", "while [ ! -e \"$0\" ]; do sleep 0.05; done", gate});
  for (int i = 0; i < 12; ++i) hook.run(event);
  EXPECT_EQ(hook.started(), 8U);
  EXPECT_NE(log.find("8 of it still run"), std::string::npos) << log;
  std::ofstream(gate).put('x');
  EXPECT_TRUE(eventually([&] {
    hook.run(event);
    return hook.started() > 8;
  }));
  log.clear();
  // All are gone before the directory is.
  EXPECT_TRUE(eventually([&] {
    hook.reap();
    return hook.idle();
  }));
}

}  // namespace
}  // namespace tensorpool::apps
