#include "apps/config/node_config.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/config/test_environment.hpp"
#include "support/expect_says.hpp"

namespace tensorpool::apps {
namespace {

NodeConfig parsed(const std::string& text, std::map<std::string, std::string> variables = {}) {
  const ConfigFile file(text);
  return loaded(file.path(), std::move(variables));
}

TEST(UsersFiles, IntegrationExampleLoadsAsItIs) {
  const NodeConfig config = loaded(TENSORPOOL_SOURCE_DIR "/docs/examples/driver_integration_example.toml");
  const driver::DriverConfig& d = config.driver;
  EXPECT_EQ(d.driver.instance_id, "driver-example");
  EXPECT_EQ(d.driver.aeron_dir, "/dev/shm/aeron-ada");
  EXPECT_EQ(d.driver.control_stream_id, 15000u);
  EXPECT_EQ(d.announce_stream_id(), 15001u);
  EXPECT_EQ(d.driver.qos_stream_id, 15002u);
  EXPECT_EQ(d.driver.descriptor_stream_id, 1100u);
  EXPECT_EQ(d.allowed_base_dirs(), std::vector<std::string>{"/dev/shm"});
  ASSERT_EQ(d.profiles.size(), 1u);
  EXPECT_EQ(d.profiles[0].name, "camera");
  EXPECT_EQ(d.profiles[0].header_nslots, 64u);
  EXPECT_EQ(d.profiles[0].payload_pools, (std::vector<driver::PoolConfig>{{1, 655360}}));
  ASSERT_EQ(d.streams.size(), 1u);
  EXPECT_EQ(d.streams[0], (driver::StaticStream{"cam1", 1, "camera"}));
  std::vector<std::string> warnings;
  EXPECT_TRUE(check_driver(config, warnings));
}

TEST(UsersFiles, CameraExampleLoadsAndWants18GiBAndThreeQuarters) {
  const NodeConfig config = loaded(TENSORPOOL_SOURCE_DIR "/docs/examples/driver_camera_example.toml");
  const driver::DriverConfig& d = config.driver;
  EXPECT_EQ(d.driver.aeron_dir, "/dev/shm/aeron");
  EXPECT_TRUE(d.policies.allow_dynamic_streams);
  ASSERT_EQ(d.streams.size(), 6u);
  EXPECT_EQ(d.streams[2], (driver::StaticStream{"cam3", 1003, "raw_profile"}));
  EXPECT_EQ(d.streams[3], (driver::StaticStream{"proc1", 2001, "processed_profile"}));
  ASSERT_EQ(d.profiles.size(), 2u);
  EXPECT_EQ(d.profiles[0].payload_pools, (std::vector<driver::PoolConfig>{{1, 1048576}, {2, 4194304}}));
  EXPECT_EQ(d.profiles[1].header_nslots, 512u);
  std::vector<std::string> warnings;
  EXPECT_TRUE(check_driver(config, warnings));
  EXPECT_EQ(driver::format_bytes(driver::footprint(d).total_bytes), "18.75 GiB");
}

TEST(UsersFiles, DefaultsFileStatesWhatTheProgramAssumes) {
  const NodeConfig stated = loaded(TENSORPOOL_SOURCE_DIR "/config/defaults.toml");
  const NodeConfig assumed = loaded("");
  EXPECT_EQ(stated.producer.qos_interval_ns, assumed.producer.qos_interval_ns);
  EXPECT_EQ(stated.consumer.mode, assumed.consumer.mode);
  EXPECT_EQ(stated.consumer.descriptor_stream_id, 1100);
  EXPECT_EQ(stated.supervisor.liveness_timeout_ns, 5 * nanos_per_second);
}

TEST(Loader, KeepsTheOrderOfTheFileAndTakesTheFirstProfileAsDefault) {
  const NodeConfig config = parsed(R"(
[profiles.zebra]
payload_pools = [{ pool_id = 1, stride_bytes = 64 }]
[profiles.ant]
payload_pools = [{ pool_id = 1, stride_bytes = 64 }]
)");
  ASSERT_NE(config.driver.default_profile(), nullptr);
  EXPECT_EQ(config.driver.default_profile()->name, "zebra");
}

TEST(Loader, TakesPoolsInlineAndAsTables) {
  const NodeConfig inlined =
      parsed("[profiles.a]\npayload_pools = [{pool_id=1,stride_bytes=64},{pool_id=2,stride_bytes=128}]\n");
  const NodeConfig tabled = parsed(
      "[[profiles.a.payload_pools]]\npool_id=1\nstride_bytes=64\n[[profiles.a.payload_pools]]\npool_id=2\nstride_bytes="
      "128\n");
  ASSERT_EQ(inlined.driver.profiles.size(), 1u);
  EXPECT_EQ(inlined.driver.profiles, tabled.driver.profiles);
}

TEST(Loader, TakesRangesAsTextAndAsList) {
  const NodeConfig config = parsed(R"(
[driver]
stream_id_range = "20000-29999"
descriptor_stream_id_range = [31000, 31999]
control_stream_id_range = ""
[policies]
profile_rules = [{ stream_id_range = [20000, 20999], profile = "raw" }]
)");
  EXPECT_EQ(config.driver.driver.stream_id_range, (driver::StreamIdRange{20000, 29999}));
  EXPECT_EQ(config.driver.driver.descriptor_stream_id_range, (driver::StreamIdRange{31000, 31999}));
  EXPECT_EQ(config.driver.driver.control_stream_id_range, std::nullopt);
  ASSERT_EQ(config.driver.policies.profile_rules.size(), 1u);
  EXPECT_EQ(config.driver.policies.profile_rules[0].profile, "raw");
}

TEST(Loader, TakesIntegersInScientificNotation) {
  EXPECT_EQ(parsed("[supervisor]\nliveness_timeout_ns = 7e9\n").supervisor.liveness_timeout_ns, 7 * nanos_per_second);
}

TEST(Loader, WarnsOfAKeyThatIsSetAndHasNoEffectYet) {
  const ConfigFile file("[consumer]\npayload_fallback_uri = \"bridge://1\"\nmode = \"STREAM\"\n");
  const NodeConfig config = loaded(file.path());
  EXPECT_EQ(config.warnings,
            (std::vector<std::string>{file.path() + ":2: consumer.payload_fallback_uri has no effect yet"}));
  EXPECT_TRUE(loaded(TENSORPOOL_SOURCE_DIR "/config/defaults.toml").warnings.empty());
}

TEST(Loader, NamesUnknownKeyAndTheNearestKnownOne) {
  EXPECT_EQ(load_error("[shm]\nbase_dir = \"/dev/shm\"\nbase_dri = \"/tmp\"\n"),
            "node.toml:3: shm.base_dri: unknown key, did you mean \"base_dir\"?; known: base_dir, namespace, user, "
            "require_hugepages, page_size_bytes, permissions_mode, allowed_base_dirs, reserve");
}

TEST(Loader, NamesUnknownKeyWithoutGuessingWhenNothingIsNear) {
  EXPECT_EQ(load_error("[streams.cam1]\nstream_id = 1\nprofile = \"a\"\nwavelength = 5\n"),
            "node.toml:4: streams.cam1.wavelength: unknown key; known: stream_id, profile");
}

TEST(Loader, NamesUnknownKeyOfARoleThatIsNotItsOwn) {
  EXPECT_EQ(load_error("[supervisor]\nliveness_timeout = 1\n").substr(0, 92),
            "node.toml:2: supervisor.liveness_timeout: unknown key, did you mean \"liveness_timeout_ns\"?; ");
}

TEST(Loader, NamesUnknownTable) {
  EXPECT_EQ(load_error("[polices]\n"),
            "node.toml:1: polices: unknown table, did you mean \"policies\"?; known: driver, shm, policies, producer, "
            "consumer, "
            "supervisor, profiles, streams");
}

TEST(Loader, NamesKeyOutsideOfATable) {
  EXPECT_EQ(load_error("shm = 1\n"), "node.toml:1: shm: expected a table, [shm], got an integer");
  EXPECT_EQ(load_error("verbose = 1\n").substr(0, 52), "node.toml:1: verbose: unknown key outside of a table");
}

TEST(Loader, NamesUnknownKeyOfAPool) {
  EXPECT_EQ(load_error("[profiles.a]\npayload_pools = [\n  { pool_id = 1, stride_byte = 64, stride_bytes = 64 }\n]\n"),
            "node.toml:3: profiles.a.payload_pools[0].stride_byte: unknown key, did you mean \"stride_bytes\"?; known: "
            "pool_id, "
            "stride_bytes");
}

TEST(Loader, SaysWhatIsMissing) {
  EXPECT_EQ(load_error("[streams.cam1]\nprofile = \"a\"\n"),
            "node.toml:1: streams.cam1: stream_id is missing; it takes an integer from 1 to 4294967294");
  EXPECT_EQ(
      load_error("[profiles.a]\npayload_pools = [{ pool_id = 1 }]\n"),
      "node.toml:2: profiles.a.payload_pools[0]: stride_bytes is missing; it takes an integer from 1 to 4294967294");
}

TEST(Loader, SaysWhichTypeIsExpected) {
  EXPECT_EQ(load_error("[driver]\ncontrol_stream_id = \"1000\"\n"),
            "node.toml:2: driver.control_stream_id: expected an integer from 1 to 2147483647, got \"1000\"");
  EXPECT_EQ(load_error("[driver]\nqos_stream_id = 1.5\n"),
            "node.toml:2: driver.qos_stream_id: expected an integer from 1 to 2147483647, got 1.5");
  EXPECT_EQ(load_error("[shm]\npermissions_mode = 660\n"),
            "node.toml:2: shm.permissions_mode: expected a text in quotes, got 660");
  EXPECT_EQ(load_error("[shm]\nrequire_hugepages = \"no\"\n"),
            "node.toml:2: shm.require_hugepages: expected true or false, got \"no\"");
  EXPECT_EQ(load_error("[shm]\nallowed_base_dirs = \"/dev/shm\"\n"),
            "node.toml:2: shm.allowed_base_dirs: expected a list of texts such as [\"a\", \"b\"], got \"/dev/shm\"");
  EXPECT_EQ(load_error("[profiles.a]\npayload_pools = 5\n"),
            "node.toml:2: profiles.a.payload_pools: expected a list of tables with pool_id, stride_bytes, got 5");
  EXPECT_EQ(load_error("[driver]\ninstance_id = 1979-05-27\n"),
            "node.toml:2: driver.instance_id: expected a text in quotes, got a date or time");
}

TEST(Loader, SaysWhichRangeIsExpected) {
  EXPECT_EQ(load_error("[driver]\ncontrol_stream_id = 0\n"),
            "node.toml:2: driver.control_stream_id: expected an integer from 1 to 2147483647, got 0");
  EXPECT_EQ(load_error("[streams.a]\nstream_id = 4294967295\nprofile = \"a\"\n"),
            "node.toml:2: streams.a.stream_id: expected an integer from 1 to 4294967294, got 4294967295");
  EXPECT_EQ(load_error("[profiles.a]\nmax_dims = 9\n"),
            "node.toml:2: profiles.a.max_dims: expected an integer from 1 to 8, got 9");
  EXPECT_EQ(load_error("[driver]\nstream_id_range = \"29999-20000\"\n"),
            "node.toml:2: driver.stream_id_range: expected a range such as \"20000-29999\" or [20000, 29999], or \"\" "
            "for none, "
            "got \"29999-20000\"");
  EXPECT_EQ(load_error("[driver]\nstream_id_range = [1, 2, 3]\n"),
            "node.toml:2: driver.stream_id_range: expected a range such as \"20000-29999\" or [20000, 29999], or \"\" "
            "for none, "
            "got [1, 2, 3]");
}

TEST(Loader, SaysWhichWordsAreAllowed) {
  EXPECT_EQ(load_error("[driver]\nmedia_driver = \"java\"\n"),
            "node.toml:2: driver.media_driver: expected \"auto\" or \"embedded\" or \"external\", got \"java\"");
  EXPECT_EQ(load_error("[consumer]\nmode = \"stream\"\n"),
            "node.toml:2: consumer.mode: expected \"STREAM\" or \"RATE_LIMITED\", got \"stream\"");
}

TEST(Loader, ReportsEveryProblemAtOnce) {
  EXPECT_EQ(load_error("[driver]\ncontrol_stream_id = -1\nmedia_driver = 3\n"),
            "node.toml:2: driver.control_stream_id: expected an integer from 1 to 2147483647, got -1\n"
            "node.toml:3: driver.media_driver: expected \"auto\" or \"embedded\" or \"external\", got 3");
}

TEST(Loader, SaysWhereTheTomlIsBroken) {
  EXPECT_EQ(load_error("[driver]\ncontrol_stream_id = \n").substr(0, 33), "node.toml:2:21: not valid TOML: E");
  EXPECT_EQ(load_error("[driver\n").substr(0, 31), "node.toml:1:8: not valid TOML: ");
  EXPECT_NE(load_error("[driver]\nqos_stream_id = 1\nqos_stream_id = 2\n"), "");
  EXPECT_NE(load_error(std::string("a = \"\xff\xfe\"\n")), "");
}

// These led the library into undefined behaviour, which builds with assertions and sanitizers see.
TEST(Loader, SaysThatACharacterStandsWhereItMeansNothing) {
  for (const char* const text :
       {"\uFE0F", "a\uFEF7 = 1", "a = 1\uFEFE", "a = [\uFB26]", "a = 1 \uFDFA\n", "[\x01", "[[[1]]]", "[="}) {
    expect_says(load_error(text), "node.toml:1:");
    expect_says(load_error(text), "not valid TOML");
  }
}

TEST(Loader, ShowsNoTokenInAnyMessage) {
  for (const char* text :
       {"[policies]\nshutdown_token = [\"S3CRET\"]\n", "[policies]\nshutdown_token = { a = \"S3CRET\" }\n",
        "[policies]\nshutdown_token = S3CRET\n", "[policies]\nshutdown_token = \"S3CRET\n",
        "[policies]\nshutdown_token = 'S3CRET\n", "[policies]\nshutdown_token = \"S3CRET\\q\"\n",
        "[policies]\nshutdown_token = \"S3CRET\" x\n", "[policies]\nshutdown_tokne = \"S3CRET\"\n",
        "[[policies]]\nshutdown_token = \"S3CRET\"\n", "policies = { shutdown_token = \"S3CRET\", x = 1 }\n",
        "shutdown_token = \"S3CRET\"\n", "[policies]\nshutdown_token = \"S3CRET${NONE}\"\n",
        "[policies]\nshutdown_token = \"S3CRET${\"\n", "policies = \"S3CRET\"\n",
        "[profiles]\nshutdown_token = \"S3CRET\"\n"}) {
    const std::string error = load_error(text);
    EXPECT_FALSE(error.empty()) << text;
    EXPECT_EQ(error.find("S3CRET"), std::string::npos) << error;
  }
}

TEST(Loader, SaysWhatIsWrongWithTheFileItself) {
  const TempDir dir("tp-config");
  const auto error_of = [&](const std::string& path) {
    const Result<NodeConfig> config = load_node_config(path, environment_of({}));
    return config ? std::string() : config.error().message;
  };
  EXPECT_EQ(error_of(dir.path() + "/none.toml"),
            dir.path() + "/none.toml: cannot open the configuration: No such file or directory");
  EXPECT_EQ(error_of(dir.path()), dir.path() + ": is a directory; name a TOML file");
}

TEST(Loader, ReadsNoFileThatIsNoConfiguration) {
  EXPECT_EQ(load_node_config("/dev/zero", environment_of({})).error().message,
            "/dev/zero: is no regular file; name a TOML file");
  EXPECT_EQ(load_error("# " + std::string(1 << 20, 'x')),
            "node.toml: longer than 1 MiB; this is no configuration file");
}

TEST(Loader, SaysHowManyProblemsItDoesNotList) {
  std::string text;
  for (int i = 0; i < 250; ++i) text += "x" + std::to_string(i) + " = 1\n";
  const std::string error = load_error(text);
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 100);
  EXPECT_TRUE(error.ends_with("node.toml: 150 more problems")) << error.substr(error.size() - 100);
}

TEST(Loader, RefusesAVariableThatNestsWithoutEnd) {
  std::string deep = "[";
  for (int i = 0; i < 20'000; ++i) deep += "{a.a.a.a.a=";
  EXPECT_NE(load_error("", {{"PRODUCER_PAYLOAD_POOLS", deep}}).find("environment variable PRODUCER_PAYLOAD_POOLS"),
            std::string::npos);
}

TEST(Loader, SaysThatAFileIsNotReadable) {
  const ConfigFile file("");
  ASSERT_EQ(chmod(file.path().c_str(), 0), 0);
  const bool is_root = geteuid() == 0;  // who reads every file
  ASSERT_TRUE(!is_root || seteuid(65534) == 0);
  const Result<NodeConfig> config = load_node_config(file.path(), environment_of({}));
  ASSERT_TRUE(!is_root || seteuid(0) == 0);
  ASSERT_FALSE(config);
  EXPECT_EQ(file.shorten(config.error().message), "node.toml: cannot open the configuration: Permission denied");
}

TEST(Loader, DoesNotWaitForTheWriterOfAFifo) {
  const TempDir dir("tp-config");
  const std::string path = dir.path() + "/fifo.toml";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const Result<NodeConfig> config = load_node_config(path, environment_of({}));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, path + ": is no regular file; name a TOML file");
}

TEST(Expansion, ReplacesVariablesAndTheUserEvenWhenUnset) {
  const std::string text = "[driver]\naeron_dir = \"/dev/shm/aeron-${USER}-${RUN}\"\n";
  EXPECT_EQ(parsed(text, {{"RUN", "7"}}).driver.driver.aeron_dir, "/dev/shm/aeron-ada-7");
  EXPECT_EQ(parsed(text, {{"RUN", ""}, {"USER", ""}}).driver.driver.aeron_dir, "/dev/shm/aeron-ada-");
  EXPECT_EQ(parsed(text, {{"RUN", "7"}, {"USER", "bob"}}).driver.driver.aeron_dir, "/dev/shm/aeron-bob-7");
}

TEST(Expansion, NamesTheVariableThatIsNotSet) {
  EXPECT_EQ(
      load_error("[shm]\nallowed_base_dirs = [\"/dev/shm\", \"${SCRATCH}\"]\n"),
      "node.toml:2: shm.allowed_base_dirs[1]: the environment variable SCRATCH is not set; set it, or write the value "
      "instead of ${SCRATCH}");
}

TEST(Expansion, RefusesAnUnfinishedVariable) {
  EXPECT_EQ(load_error("[driver]\naeron_dir = \"/tmp/${USER\"\n"),
            "node.toml:2: driver.aeron_dir: \"${\" must be followed by a variable's name and \"}\"");
}

TEST(EnvironmentOverride, WinsOverTheFile) {
  const NodeConfig config = parsed("[driver]\ncontrol_stream_id = 5\n[consumer]\nuse_shm = true\n",
                                   {{"DRIVER_CONTROL_STREAM_ID", "15000"},
                                    {"CONSUMER_USE_SHM", "false"},
                                    {"DRIVER_STREAM_ID_RANGE", "20000-29999"},
                                    {"DRIVER_CONTROL_STREAM_ID_RANGE", "[32000, 32999]"},
                                    {"SHM_ALLOWED_BASE_DIRS", "/dev/shm, /mnt/huge"},
                                    {"SHM_NAMESPACE", "lab-${USER}"},
                                    {"POLICIES_EPOCH_GC_MIN_AGE_NS", "5"}});
  EXPECT_EQ(config.driver.driver.control_stream_id, 15000u);
  EXPECT_FALSE(config.consumer.use_shm);
  EXPECT_EQ(config.driver.driver.stream_id_range, (driver::StreamIdRange{20000, 29999}));
  EXPECT_EQ(config.driver.driver.control_stream_id_range, (driver::StreamIdRange{32000, 32999}));
  EXPECT_EQ(config.driver.allowed_base_dirs(), (std::vector<std::string>{"/dev/shm", "/mnt/huge"}));
  EXPECT_EQ(config.driver.shm.name_space, "lab-ada");
  EXPECT_EQ(config.driver.epoch_gc_min_age_ns(), 5);
}

TEST(EnvironmentOverride, WorksWithoutAFile) {
  EXPECT_EQ(loaded("", {{"DRIVER_AERON_DIR", "/tmp/aeron"}}).driver.driver.aeron_dir, "/tmp/aeron");
}

TEST(EnvironmentOverride, ReachesListsOfFixedTablesButNoNamedTables) {
  const NodeConfig config =
      parsed("[profiles.a]\nheader_nslots = 8\n",
             {{"PRODUCER_PAYLOAD_POOLS", "[{ pool_id = 3, stride_bytes = 64 }]"}, {"PROFILES_A_HEADER_NSLOTS", "16"}});
  ASSERT_EQ(config.producer.payload_pools.size(), 1u);
  EXPECT_EQ(config.producer.payload_pools[0].pool_id, 3);
  EXPECT_EQ(config.driver.profiles[0].header_nslots, 8u);
}

TEST(EnvironmentOverride, NamesTheVariableOfABadValue) {
  EXPECT_EQ(load_error("", {{"DRIVER_CONTROL_STREAM_ID", "many"}}),
            "environment variable DRIVER_CONTROL_STREAM_ID: driver.control_stream_id: expected an integer from 1 to "
            "2147483647, "
            "got \"many\"");
  EXPECT_EQ(load_error("", {{"POLICIES_PREFAULT_SHM", "yes"}}),
            "environment variable POLICIES_PREFAULT_SHM: policies.prefault_shm: expected true or false, got \"yes\"");
}

TEST(Check, GivesTheFileAndLineOfTheKeyThatIsWrong) {
  const ConfigFile file("[profiles.a]\npayload_pools = [{ pool_id = 1, stride_bytes = 64 }]\nheader_nslots = 100\n");
  std::vector<std::string> warnings;
  const Status verdict = check_driver(loaded(file.path()), warnings);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(file.shorten(verdict.error().message),
            "node.toml:3: profiles.a.header_nslots is 100; it must be a power of two, for example 64");
}

TEST(Check, GivesEveryFaultItsOwnPlace) {
  const ConfigFile file(
      "[profiles.a]\npayload_pools = [{ pool_id = 1, stride_bytes = 64 }]\nheader_nslots = 100\n"
      "[policies]\ndefault_profile = \"b\"\n");
  std::vector<std::string> warnings;
  const Status verdict = check_driver(loaded(file.path()), warnings);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(file.shorten(verdict.error().message),
            "node.toml:3: profiles.a.header_nslots is 100; it must be a power of two, for example 64\n"
            "node.toml:5: policies.default_profile is \"b\", which is not among the profiles: a");
}

TEST(Check, NamesTheVariableOfAKeyThatIsWrong) {
  std::vector<std::string> warnings;
  const std::string path = TENSORPOOL_SOURCE_DIR "/docs/examples/driver_integration_example.toml";
  const Status verdict = check_driver(loaded(path, {{"POLICIES_REUSE_EXISTING_SHM", "true"}}), warnings);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().message.substr(0, 66),
            "environment variable POLICIES_REUSE_EXISTING_SHM: policies.reuse_e");
}

}  // namespace
}  // namespace tensorpool::apps
