#include "apps/support/hosted_role.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace tensorpool::apps {
namespace {

struct Script {
  std::string name;
  int ends_after = 0;  // cycles; 0: only when asked
  std::optional<Error> failure{};
  int cycles = 0;
  int asked = 0;
};

class ScriptedRole : public HostedRole {
 public:
  explicit ScriptedRole(Script& script) : script_(script) {}
  [[nodiscard]] std::string_view name() const noexcept override { return script_.name; }
  int do_work(Nanos) noexcept override { return ++script_.cycles, 1; }
  void request_stop() noexcept override { ++script_.asked; }
  [[nodiscard]] bool finished() const noexcept override {
    return script_.asked > 0 || (script_.ends_after > 0 && script_.cycles >= script_.ends_after);
  }
  [[nodiscard]] std::optional<Error> failure() const override { return script_.failure; }

 private:
  Script& script_;
};

Status run(std::vector<Script*> scripts, std::vector<std::string>* lines = nullptr) {
  std::vector<std::unique_ptr<HostedRole>> roles;
  for (Script* script : scripts) roles.push_back(std::make_unique<ScriptedRole>(*script));
  return run_roles(roles, [lines](LogLevel, std::string_view line) {
    if (lines != nullptr) lines->emplace_back(line);
  });
}

TEST(HostedRoles, RunSideBySideUntilOneEndsAndThenAllEnd) {
  Script first{.name = "driver", .ends_after = 5};
  Script second{.name = "supervisor"};
  std::vector<std::string> lines;
  EXPECT_TRUE(run({&first, &second}, &lines));
  EXPECT_EQ(first.cycles, second.cycles);
  EXPECT_EQ(second.asked, 1);
  EXPECT_EQ(lines, std::vector<std::string>{"role driver has ended, so all end"});
}

TEST(HostedRoles, ThatFailAreNamed) {
  Script first{.name = "driver"};
  Script second{.name = "supervisor", .ends_after = 3, .failure = Error{ErrorCode::unavailable, "no media driver"}};
  const Status ran = run({&first, &second});
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::unavailable);
  EXPECT_EQ(ran.error().message, "role supervisor: no media driver");
  EXPECT_EQ(first.asked, 1);
}

TEST(HostedRoles, ThatAreAloneFailInTheirOwnWords) {
  Script only{.name = "driver", .ends_after = 1, .failure = Error{ErrorCode::io_error, "the disk is gone"}};
  EXPECT_EQ(run({&only}).error().message, "the disk is gone");
}

}  // namespace
}  // namespace tensorpool::apps
