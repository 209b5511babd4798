#include "apps/tensorpoold/node.hpp"

#include <gtest/gtest.h>

#include "apps/config/test_environment.hpp"

namespace tensorpool::apps {
namespace {

using Roles = std::vector<std::string>;

NodeConfig load(const ConfigFile& file, std::map<std::string, std::string> variables = {}) {
  return load_node_config(file.path(), environment_of(std::move(variables))).value();
}

TEST(NodeRoles, FollowFromTheTablesOfTheFile) {
  EXPECT_EQ(*roles_of(load(ConfigFile("[driver]\ninstance_id = \"a\"\n")), {}), Roles{"driver"});
  EXPECT_EQ(*roles_of(load(ConfigFile("[profiles.a]\nheader_nslots = 8\n")), {}), Roles{"driver"});
  EXPECT_EQ(*roles_of(load(ConfigFile("[supervisor]\nstream_id = 5\n[driver]\ninstance_id = \"a\"\n")), {}),
            (Roles{"driver", "supervisor"}));
}

TEST(NodeRoles, AreThoseAskedForWhateverTheFileHas) {
  EXPECT_EQ(*roles_of(load(ConfigFile("[producer]\nstream_id = 7\n")), {"driver"}), Roles{"driver"});
}

TEST(NodeRoles, NeverFollowFromTheEnvironmentAlone) {
  const ConfigFile file("[producer]\nstream_id = 7\n");
  const auto none = roles_of(load(file, {{"DRIVER_AERON_DIR", "/dev/shm/aeron-x"}}), {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::invalid_config);
  EXPECT_NE(none.error().message.find("driver [driver], [shm], [policies], [profiles], [streams]"), std::string::npos)
      << none.error().message;
}

}  // namespace
}  // namespace tensorpool::apps
