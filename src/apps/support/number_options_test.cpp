#include "apps/support/number_options.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tensorpool::apps {
namespace {

// What `text` becomes; -1 if it is refused.
Nanos seconds_of(const std::string& text) {
  const auto parsed = parse_seconds(text);
  return parsed ? *parsed : -1;
}
double rate_of(const std::string& text) {
  const auto parsed = parse_rate_hz(text);
  return parsed ? *parsed : -1;
}

TEST(NumberOptions, TakeSecondsAndTheirFractions) {
  EXPECT_EQ(seconds_of("0"), 0);
  EXPECT_EQ(seconds_of("2.5"), 2'500'000'000);
  EXPECT_EQ(seconds_of("1e9"), 1'000'000'000'000'000'000);
}

TEST(NumberOptions, NeverMakeAPositiveDurationZero) {
  for (const char* text : {"1e-9", "1e-300", "5e-324", "0.0000000001"}) EXPECT_EQ(seconds_of(text), 1) << text;
}

TEST(NumberOptions, RefuseWhatIsNoDuration) {
  for (const char* text : {"nan", "-nan", "NaN", "inf", "-inf", "infinity", "-1", "-1e-300", "1e300", "1e18", "1e-400",
                           "1e400", "", " 1", "1 ", "1s", "0x10", "1,5", "+1"}) {
    EXPECT_EQ(seconds_of(text), -1) << text;
  }
  EXPECT_EQ(parse_seconds("nan").error().message, "nan is not a number of seconds, 0 to 1000000000");
  EXPECT_EQ(parse_seconds("0.05", 0.1, 3600).error().message, "0.05 is not a number of seconds, 0.1 to 3600");
}

TEST(NumberOptions, TakeRatesOfLessThanOneASecond) {
  EXPECT_EQ(rate_of("0.1"), 0.1);
  EXPECT_EQ(rate_of("1e-9"), 1e-9);
  EXPECT_EQ(rate_of("0"), 0);
}

TEST(NumberOptions, RefuseRatesWhosePeriodIsNoTime) {
  for (const char* text : {"nan", "inf", "-0.1", "1e-300", "1e300", "1e10", "", "fast"}) {
    EXPECT_EQ(rate_of(text), -1) << text;
  }
  EXPECT_EQ(parse_rate_hz("1e-300").error().message, "1e-300 is not a rate in Hz, 0 or 1e-09 to 1000000000");
  EXPECT_FALSE(parse_rate_hz("0", {.or_zero = false}));
}

TEST(NumberOptions, RefuseCountsThatTheirTypeCannotHold) {
  EXPECT_EQ(*parse_count<std::uint64_t>("18446744073709551615"), 18446744073709551615U);
  EXPECT_EQ(parse_count<std::uint64_t>("18446744073709551616").error().message,
            "18446744073709551616 is not an integer from 0");
  EXPECT_EQ(parse_count<std::uint32_t>("4294967296").error().message,
            "4294967296 is not an integer from 0 to 4294967295");
  EXPECT_EQ(parse_count<std::int32_t>("0", 1, 4096).error().message, "0 is not an integer from 1 to 4096");
  for (const char* text : {"-1", "1.5", "1e3", "nan", "", " 1", "0x10"}) EXPECT_FALSE(parse_count<std::uint64_t>(text));
}

TEST(NumberOptions, CutAndEscapeWhatTheyRefuse) {
  const std::string message = parse_seconds(std::string(400, '9') + "\x1b[2J").error().message;
  EXPECT_LT(message.size(), 120U) << message;
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
}

TEST(NumberOptions, NameTheOptionThatIsWrong) {
  CLI::App app;
  Nanos seconds = nanos_per_second;
  std::optional<double> rate;
  add_seconds(app, "--seconds", seconds, "");
  add_rate_hz(app, "--rate", rate, "");
  app.parse("--seconds 3 --rate 0.5");
  EXPECT_EQ(seconds, 3 * nanos_per_second);
  EXPECT_EQ(rate, 0.5);
  try {
    app.parse("--seconds nan");
    ADD_FAILURE() << "nan was taken";
  } catch (const CLI::ValidationError& error) {
    EXPECT_EQ(std::string(error.what()), "--seconds: nan is not a number of seconds, 0 to 1000000000");
  }
}

}  // namespace
}  // namespace tensorpool::apps
