#include "apps/tp/shutdown_token.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "support/temp_dir.hpp"

namespace tensorpool::apps::tp {
namespace {

Environment with_variable(const std::string& token) {
  Environment environment;
  environment.get = [token](const std::string& name) {
    return name == token_variable ? std::optional(token) : std::nullopt;
  };
  return environment;
}

class ShutdownTokenTest : public testing::Test {
 protected:
  std::string file(const std::string& content, mode_t mode = 0600) {
    const std::string path = dir_.path() + "/token";
    std::ofstream(path) << content;
    ::chmod(path.c_str(), mode);
    return path;
  }
  TempDir dir_;
};

TEST_F(ShutdownTokenTest, ComesFromTheArgumentAFileOrTheEnvironment) {
  EXPECT_EQ(read_token({.argument = "a", .file = {}}, with_variable("v"))->text, "a");
  EXPECT_EQ(read_token({.argument = {}, .file = file("f\n")}, with_variable("v"))->text, "f");
  EXPECT_EQ(read_token({}, with_variable("v"))->text, "v");
}

TEST_F(ShutdownTokenTest, LosesOneLineEndAndNothingElse) {
  EXPECT_EQ(read_token({.argument = {}, .file = file(" a b \r\n")}, {})->text, " a b ");
  EXPECT_EQ(read_token({.argument = {}, .file = file("a\n\n")}, {})->text, "a\n");
}

TEST_F(ShutdownTokenTest, IsRefusedWithoutShowingIt) {
  const auto error = [](const TokenSource& source, const Environment& environment = {}) {
    const auto token = read_token(source, environment);
    EXPECT_FALSE(token);
    const std::string message = token ? "" : token.error().message;
    EXPECT_EQ(message.find("S3CRET"), std::string::npos) << message;
    return message;
  };
  EXPECT_NE(error({}).find("--token-file"), std::string::npos);
  EXPECT_NE(error({.argument = "S3CRET", .file = "S"}).find("exclude"), std::string::npos);
  EXPECT_NE(error({.argument = {}, .file = file("\n")}).find("empty"), std::string::npos);
  EXPECT_NE(error({}, with_variable("")).find("empty"), std::string::npos);
  EXPECT_NE(error({.argument = {}, .file = file("S3CRET" + std::string(5000, 'x'))}).find("longer"), std::string::npos);
  EXPECT_NE(error({.argument = {}, .file = dir_.path() + "/none"}).find("No such file"), std::string::npos);
  EXPECT_NE(error({.argument = {}, .file = "/dev/zero"}).find("longer"), std::string::npos);
  EXPECT_NE(error({.argument = {}, .file = dir_.path()}).find("directory"), std::string::npos);
}

TEST_F(ShutdownTokenTest, InAFileThatOthersMayReadIsTakenWithAWarning) {
  EXPECT_EQ(read_token({.argument = {}, .file = file("a", 0640)}, {})->warning, "");
  EXPECT_NE(read_token({.argument = {}, .file = file("a", 0644)}, {})->warning.find("chmod o-r"), std::string::npos);
}

}  // namespace
}  // namespace tensorpool::apps::tp
