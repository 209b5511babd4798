// Every numeric option of every command, with numbers that are none.
#include <gtest/gtest.h>

#include <functional>

#include "apps/tp/commands.hpp"
#include "apps/tp/test_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

using Visit = std::function<void(const std::vector<std::string>& command, const CLI::Option& option)>;

void walk(const CLI::App& app, const std::vector<std::string>& path, const Visit& visit) {
  for (const CLI::Option* option : app.get_options()) visit(path, *option);
  for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) {
    std::vector<std::string> longer = path;
    longer.push_back(below->get_name());
    walk(*below, longer, visit);
  }
}

bool is_numeric(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type == "SECONDS" || type == "HZ" || type == "N" || type == "ID";
}

// What parsing says; "" if it takes the value.
std::string refusal(Registry& registry, const std::vector<std::string>& command, const std::string& option,
                    const std::string& value) {
  std::vector<std::string> reversed = command;  // CLI11 takes the last one first
  reversed.push_back(option + "=" + value);
  std::reverse(reversed.begin(), reversed.end());
  try {
    registry.top().parse(reversed);
  } catch (const CLI::ValidationError& error) {
    return error.what();
  } catch (const CLI::ParseError&) {  // a required option is missing, which is judged after the values
  }
  return "";
}

TEST(Numbers, ThatAreNoneAreRefusedByEveryNumericOption) {
  Registry registry;
  register_commands(registry);
  int options = 0;
  walk(registry.top(), {}, [&](const std::vector<std::string>& command, const CLI::Option& option) {
    const std::string type = option.get_type_name();
    EXPECT_TRUE(type != "INT" && type != "UINT" && type != "FLOAT")
        << option.get_name() << " is declared without apps/support/number_options.hpp";
    if (!is_numeric(option)) return;
    ++options;
    for (const char* value : {"nan", "-nan", "inf", "-inf", "-1", "1e300", "1e18", "-1e-300", "x", "1x"}) {
      EXPECT_NE(refusal(registry, command, option.get_name(), value).find(" is not a"), std::string::npos)
          << command.back() << " takes " << option.get_name() << "=" << value;
    }
  });
  EXPECT_GT(options, 100);
}

TEST(Numbers, OfSecondsThatAreNextToNothingEndACommandAtOnce) {
  const TempDir dir;
  EXPECT_EQ(run("top --interval nan --aeron-dir " + dir.path()).status, 2);
  EXPECT_EQ(run("top --interval inf --aeron-dir " + dir.path()).status, 2);
}

class Limits : public RunningDriver {
 protected:
  void SetUp() override { ASSERT_EQ(await_status().status, 0); }
  Background driver_{{"driver", "run", config_}};
};

TEST_F(Limits, NextToZeroSecondsIsNoInfinity) {
  EXPECT_EQ(run(with_config("consume --seconds 1e-300")).status, 0);
  EXPECT_EQ(run(with_config("top --seconds 1e-300")).status, 0);
  EXPECT_EQ(run(with_config("listen qos --seconds 1e-300")).status, 0);
}

TEST_F(Limits, OfLessThanAFrameASecondAreKept) {
  const Background producer({"publish", "pattern", "--size", "32x16", "--rate", "300", "--config", config_});
  const Outcome outcome = run(with_config("consume --max-rate 0.1 --seconds 2 --each --create"));
  EXPECT_EQ(outcome.status, 0) << outcome.text;
  EXPECT_TRUE(has(outcome, "1 frames") && has(outcome, "rate_limited")) << outcome.text;
}

TEST_F(Limits, OfPoolsAreNamedWhateverTheSizeOfTheFrame) {
  for (const char* bands : {"", " --bands 4"}) {
    const Outcome outcome = run(with_config("publish pattern --size 65536x65536 --dtype uint8 --count 1") + bands);
    EXPECT_EQ(outcome.status, 2) << outcome.text;
    EXPECT_TRUE(has(outcome, "a frame of 4294967296 bytes fits no pool, the largest takes 262144")) << outcome.text;
  }
  const Outcome wide = run(with_config("publish pattern --size 2147483647x1 --dtype float64 --bands 4 --count 1"));
  EXPECT_TRUE(has(wide, "a frame of 17179869176 bytes fits no pool")) << wide.text;
  const Outcome endless = run(with_config("publish pattern --size 2147483647x2147483647 --dtype float64"));
  EXPECT_EQ(endless.status, 2) << endless.text;
  EXPECT_TRUE(has(endless, "more bytes than a frame can have")) << endless.text;
}

}  // namespace
}  // namespace tensorpool::apps::tp
