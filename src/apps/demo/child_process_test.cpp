#include "apps/demo/child_process.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include "support/temp_dir.hpp"

namespace tensorpool::apps {
namespace {

class Child : public testing::Test {
 protected:
  ChildProcess start(const std::string& script, std::vector<std::string> environment = {}) {
    auto child =
        ChildProcess::start({"child", {"/bin/sh", "-c", script}, std::move(environment), directory_.path() + "/log"});
    EXPECT_TRUE(child) << child.error().message;
    return std::move(*child);
  }

  // Until the child has closed its output, or ten seconds.
  static std::vector<std::string> all_lines(ChildProcess& child) {
    std::vector<std::string> lines;
    pollfd output{child.output(), POLLIN, 0};
    while (child.output() >= 0 && ::poll(&output, 1, 10'000) > 0) child.read_lines(lines);
    return lines;
  }
  static int status_of(ChildProcess& child) {
    while (!child.has_ended()) ::poll(nullptr, 0, 1);
    return *child.exit_status();
  }

  TempDir directory_{"tp_child"};
};

TEST_F(Child, GivesItsLinesAndItsStatus) {
  ChildProcess child = start("printf 'one\\ntwo\\nthr'; sleep 0; printf 'ee\\n'; exit 3");
  EXPECT_EQ(all_lines(child), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(status_of(child), 3);
}

TEST_F(Child, SeesTheVariablesThatItIsGivenAndOurs) {
  ASSERT_EQ(::setenv("TP_TEST_A", "ours", 1), 0);
  ASSERT_EQ(::setenv("TP_TEST_B", "ours", 1), 0);
  ChildProcess child = start("echo $TP_TEST_A $TP_TEST_B", {"TP_TEST_B=given"});
  EXPECT_EQ(all_lines(child), (std::vector<std::string>{"ours given"}));
}

TEST_F(Child, EndsByASignalAndKeepsItsLastWords) {
  ChildProcess child = start("echo 'what went wrong' >&2; echo up; exec sleep 1000");
  std::vector<std::string> lines;
  pollfd output{child.output(), POLLIN, 0};
  while (lines.empty() && ::poll(&output, 1, 10'000) > 0) child.read_lines(lines);
  child.signal(SIGTERM);
  EXPECT_EQ(status_of(child), 128 + SIGTERM);
  EXPECT_EQ(child.last_words(), "what went wrong");
}

TEST_F(Child, NoticesTheEndOfItsInput) {
  ChildProcess child = start("cat; echo over");
  child.close_input();
  EXPECT_EQ(all_lines(child), (std::vector<std::string>{"over"}));
}

TEST_F(Child, IsKilledWithWhatItStartedWhenItsOwnerGoes) {
  pid_t grandchild = 0;
  {
    ChildProcess child = start("sleep 1000 & echo $!; wait");
    std::vector<std::string> lines;
    pollfd output{child.output(), POLLIN, 0};
    while (lines.empty() && ::poll(&output, 1, 10'000) > 0) child.read_lines(lines);
    ASSERT_FALSE(lines.empty());
    grandchild = std::stoi(lines[0]);
    ASSERT_EQ(::kill(grandchild, 0), 0);
  }
  // Killed; init may need a moment to collect it.
  for (int i = 0; i < 10'000 && ::kill(grandchild, 0) == 0; ++i) {
    std::string state;
    if (std::FILE* stat = std::fopen(("/proc/" + std::to_string(grandchild) + "/stat").c_str(), "re")) {
      char letter = '?';
      if (std::fscanf(stat, "%*d %*s %c", &letter) == 1) state = letter;
      std::fclose(stat);
    }
    if (state.empty() || state == "Z") return;
    ::poll(nullptr, 0, 1);
  }
  EXPECT_NE(::kill(grandchild, 0), 0);
}

TEST_F(Child, ThatCannotBeRunIsAnErrorThatNamesIt) {
  const auto child = ChildProcess::start({"child", {"/nowhere/program"}, {}, directory_.path() + "/log"});
  ASSERT_FALSE(child);
  EXPECT_NE(child.error().message.find("/nowhere/program"), std::string::npos);
}

}  // namespace
}  // namespace tensorpool::apps
