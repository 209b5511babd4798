#include "apps/tp/published_tool.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "apps/config/test_environment.hpp"
#include "apps/tp/test_program.hpp"

namespace tensorpool::apps::tp {
namespace {

using Words = std::vector<std::string>;

Words translated(const Words& given, std::map<std::string, std::string> variables = {}) {
  const auto words = translate_published(given, environment_of(std::move(variables)));
  return words ? *words : Words{words.error().message};
}

TEST(PublishedTool, TakesItsArgumentsByPlace) {
  EXPECT_EQ(translated({"driver-detach", "/dev/shm/aeron", "aeron:ipc", "1000", "7", "producer", "42", "123", "1500"}),
            (Words{"tp", "driver", "detach", "--aeron-dir", "/dev/shm/aeron", "--control-channel", "aeron:ipc",
                   "--control-stream-id", "1000", "--client-id", "7", "--role", "producer", "--stream", "42",
                   "--lease-id", "123", "--timeout", "1.5"}));
}

TEST(PublishedTool, TakesWhatIsLeftOutFromItsVariables) {
  EXPECT_EQ(translated({"driver-keepalive", ""}, {{"TP_CLIENT_ID", "7"}, {"TP_LEASE_ID", "9"}, {"TP_ROLE", ""}}),
            (Words{"tp", "driver", "keepalive", "--client-id", "7", "--lease-id", "9"}));
  EXPECT_EQ(translated({"shm-summary"}, {{"TP_SHM_URI", "shm:file?path=/a/b"}}),
            (Words{"tp", "shm", "inspect", "shm:file?path=/a/b"}));
}

TEST(PublishedTool, EndsAndChoosesAsThePublishedOneDoesWhenNothingIsSaid) {
  EXPECT_EQ(translated({"qos-listen"}), (Words{"tp", "listen", "qos", "--seconds", "5"}));
  EXPECT_EQ(translated({"metadata-dump"}), (Words{"tp", "listen", "metadata", "--seconds", "5"}));
  EXPECT_EQ(translated({"driver-counters", "/d"}),
            (Words{"tp", "counters", "--aeron-dir", "/d", "--match", ", driver "}));
  EXPECT_EQ(translated({"driver-counters", "/d", "leases"}),
            (Words{"tp", "counters", "--aeron-dir", "/d", "--match", "leases"}));
  EXPECT_EQ(translated({"stats", "/d"}), (Words{"tp", "counters", "--aeron-dir", "/d"}));
}

TEST(PublishedTool, HoldsARegionAgainstValuesGivenByPlace) {
  EXPECT_EQ(translated({"shm-validate", "shm:file?path=/a", "1", "7", "", "8", "256", "header_ring", "0"}),
            (Words{"tp", "shm", "inspect", "shm:file?path=/a", "--expect", "layout_version=1", "--expect", "epoch=7",
                   "--expect", "nslots=8", "--expect", "slot_bytes=256", "--expect", "region_type=header_ring",
                   "--expect", "pool_id=0"}));
  EXPECT_EQ(translated({"read-header", "/a/header.ring", "3"}),
            (Words{"tp", "shm", "inspect", "/a/header.ring", "--slot", "3"}));
}

TEST(PublishedTool, TellsConsumersWhatToDo) {
  EXPECT_EQ(translated({"send-consumer-config", "/d", "aeron:ipc", "1000", "1001", "7", "true", "RATE_LIMITED"}),
            (Words{"tp", "configure", "--aeron-dir", "/d", "--control-channel", "aeron:ipc", "--control-stream-id",
                   "1000", "--stream", "1001", "--client-id", "7", "--use-shm", "true", "--mode", "RATE_LIMITED"}));
}

TEST(PublishedTool, PassesOptionsOn) {
  EXPECT_EQ(translated({"driver-attach", "--config", "a.toml", "--stream", "7"}),
            (Words{"tp", "driver", "attach", "--config", "a.toml", "--stream", "7"}));
}

TEST(PublishedTool, SaysWhatItDoesNotTake) {
  EXPECT_EQ(translated({"driver-atach"}).front().substr(0, 55),
            "unknown command driver-atach, did you mean driver-attac");
  EXPECT_EQ(translated({"driver-config-validate", "a.toml", "b.toml"}).front(),
            "driver-config-validate takes at most 1 arguments; b.toml is one too many");
  EXPECT_EQ(translated({"driver-attach", "", "", "", "", "", "", "", "", "", "soon"}).front(),
            "timeout_ms: soon is not a number of milliseconds");
  for (const char* none : {"nan", "inf", "-1"}) {
    EXPECT_EQ(translated({"driver-attach", "", "", "", "", "", "", "", "", "", none}).front(),
              std::string("timeout_ms: ") + none + " is not a number of milliseconds");
  }
  EXPECT_EQ(translated({"discovery-list"}).front(), "discovery-list: tp cannot ask a discovery service");
}

TEST(PublishedTool, IsDocumentedCommandByCommand) {
  std::ifstream file(std::string(TENSORPOOL_SOURCE_DIR) + "/docs/tp.md");
  const std::string doc((std::istreambuf_iterator<char>(file)), {});
  for (const std::string& command : published_commands()) {
    EXPECT_NE(doc.find("| `" + command + "` |"), std::string::npos) << command;
  }
}

TEST(PublishedTool, ListsItsCommands) {
  const Outcome help = run_shell(TP_TOOL_BINARY " --help");
  EXPECT_EQ(help.status, 0);
  for (const std::string& command : published_commands()) {
    EXPECT_NE(help.text.find("  " + command), std::string::npos) << command;
  }
  EXPECT_EQ(run_shell(TP_TOOL_BINARY " frobnicate 2>/dev/null").status, 2);
}

}  // namespace
}  // namespace tensorpool::apps::tp
