#include "tensorpool/driver_config.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace tensorpool::driver {
namespace {

DriverConfig good() {
  DriverConfig config;
  config.profiles.push_back({"camera", 64, 256, 8, {{1, 655360}}});
  config.streams.push_back({"cam1", 1, "camera"});
  return config;
}

std::string refusal_of(const std::function<void(DriverConfig&)>& change) {
  DriverConfig config = good();
  change(config);
  std::vector<std::string> warnings;
  const Status status = check(config, warnings);
  return status ? "accepted" : status.error().message;
}

std::vector<std::string> warnings_of(const DriverConfig& config) {
  std::vector<std::string> warnings;
  EXPECT_TRUE(check(config, warnings));
  return warnings;
}

void expect_has(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in: " << text;
  }
}

TEST(DriverConfigCheck, AcceptsTheUsersIntegrationExample) {
  EXPECT_EQ(refusal_of([](DriverConfig&) {}), "accepted");
}

TEST(DriverConfigCheck, AnnouncesOnTheControlStreamUnlessToldOtherwise) {
  DriverConfig config = good();
  config.driver.control_channel = "aeron:ipc?term-length=1m";
  EXPECT_EQ(config.announce_channel(), "aeron:ipc?term-length=1m");
  EXPECT_EQ(config.announce_stream_id(), 1000U);
  config.driver.announce_stream_id = 1001;
  EXPECT_EQ(config.announce_stream_id(), 1001U);
  EXPECT_EQ(config.epoch_gc_min_age_ns(), 3 * nanos_per_second);
  EXPECT_EQ(config.lease_duration_ns(), 3 * nanos_per_second);
  EXPECT_EQ(config.allowed_base_dirs(), std::vector<std::string>{"/dev/shm"});
}

// spec: driver §11
TEST(DriverConfigCheck, RefusesRangesThatOverlap) {
  expect_has(refusal_of([](DriverConfig& c) {
               c.driver.stream_id_range = StreamIdRange{20000, 29999};
               c.driver.control_stream_id_range = StreamIdRange{29999, 30000};
             }),
             {"driver.stream_id_range 20000-29999", "driver.control_stream_id_range 29999-30000", "separate"});
  expect_has(refusal_of([](DriverConfig& c) {
               c.driver.stream_id_range = StreamIdRange{1000, 2000};
             }),
             {"driver.stream_id_range", "driver.control_stream_id = 1000"});
  expect_has(refusal_of([](DriverConfig& c) {
               c.driver.descriptor_stream_id_range = StreamIdRange{1, 5};
             }),
             {"driver.descriptor_stream_id_range", "streams.cam1.stream_id = 1"});
  expect_has(refusal_of([](DriverConfig& c) { c.driver.stream_id_range = StreamIdRange{9, 2}; }), {"9-2", "above"});
}

TEST(DriverConfigCheck, LetsAPoolStreamShareItsNumberWithAnAeronStream) {
  EXPECT_EQ(refusal_of([](DriverConfig& c) {
              c.streams[0].stream_id = 1001;
              c.driver.announce_stream_id = 1001;
            }),
            "accepted");
}

TEST(DriverConfigCheck, NamesTheKeyAndTheRemedyOfEveryBadValue) {
  const struct {
    std::function<void(DriverConfig&)> change;
    std::vector<const char*> words;
  } cases[] = {
      {[](DriverConfig& c) { c.profiles[0].header_nslots = 1000; },
       {"profiles.camera.header_nslots", "power of two", "512"}},
      {[](DriverConfig& c) { c.profiles[0].header_slot_bytes = 128; }, {"header_slot_bytes", "256"}},
      {[](DriverConfig& c) { c.profiles[0].max_dims = 9; }, {"max_dims", "1 to 8"}},
      {[](DriverConfig& c) { c.profiles[0].payload_pools[0].stride_bytes = 100; },
       {"stride_bytes", "multiple of 64", "128"}},
      {[](DriverConfig& c) { c.profiles[0].payload_pools[0].stride_bytes = 0; }, {"stride_bytes", "multiple of 64"}},
      {[](DriverConfig& c) {
         c.profiles[0].payload_pools.push_back({1, 64});
       },
       {"pool_id 1 twice"}},
      {[](DriverConfig& c) { c.profiles[0].payload_pools.clear(); }, {"at least one pool"}},
      {[](DriverConfig& c) { c.profiles.clear(); }, {"[profiles.<name>]"}},
      {[](DriverConfig& c) { c.streams[0].profile = "nope"; }, {"streams.cam1.profile", "nope", "camera"}},
      {[](DriverConfig& c) {
         c.streams.push_back({"cam2", 1, "camera"});
       },
       {"streams.cam2.stream_id 1", "unique"}},
      {[](DriverConfig& c) { c.streams[0].stream_id = 0; }, {"streams.cam1.stream_id", "1 to"}},
      {[](DriverConfig& c) { c.policies.default_profile = "x"; }, {"policies.default_profile", "camera"}},
      {[](DriverConfig& c) {
         c.policies.profile_rules.push_back({{1, 2}, "x"});
       },
       {"policies.profile_rules", "camera"}},
      {[](DriverConfig& c) { c.policies.announce_period_ms = 0; }, {"policies.announce_period_ms", "at least 1"}},
      {[](DriverConfig& c) { c.policies.lease_keepalive_interval_ms = 0; }, {"lease_keepalive_interval_ms"}},
      {[](DriverConfig& c) { c.policies.lease_expiry_grace_intervals = 0; }, {"lease_expiry_grace_intervals"}},
      {[](DriverConfig& c) { c.policies.epoch_gc_keep = 0; }, {"epoch_gc_keep"}},
      {[](DriverConfig& c) { c.policies.reuse_existing_shm = true; },
       {"reuse_existing_shm", "false", "stalled writer"}},
      {[](DriverConfig& c) { c.shm.name_space = "a/b"; }, {"shm.namespace", "A-Z"}},
      {[](DriverConfig& c) { c.shm.name_space = ""; }, {"shm.namespace"}},
      {[](DriverConfig& c) { c.shm.permissions_mode = "rw"; }, {"shm.permissions_mode", "octal"}},
      {[](DriverConfig& c) { c.shm.permissions_mode = "666"; }, {"shm.permissions_mode", "others may not"}},
      {[](DriverConfig& c) { c.shm.page_size_bytes = 5000; }, {"shm.page_size_bytes", "power of two"}},
      {[](DriverConfig& c) { c.shm.reserve = "no"; }, {"shm.reserve", "on_touch"}},
      {[](DriverConfig& c) { c.shm.base_dir = "relative"; }, {"shm.base_dir", "absolute"}},
      {[](DriverConfig& c) { c.shm.base_dir = "/dev/../shm"; }, {"shm.base_dir"}},
      {[](DriverConfig& c) { c.shm.allowed_base_dirs = {"/srv"}; }, {"shm.allowed_base_dirs", "/dev/shm"}},
      {[](DriverConfig& c) { c.shm.allowed_base_dirs.emplace(); }, {"shm.allowed_base_dirs"}},
      {[](DriverConfig& c) { c.driver.media_driver = "x"; }, {"driver.media_driver", "embedded"}},
      {[](DriverConfig& c) { c.driver.control_channel = "ipc"; }, {"driver.control_channel", "aeron:ipc"}},
      {[](DriverConfig& c) { c.driver.qos_stream_id = 0; }, {"driver.qos_stream_id"}},
      {[](DriverConfig& c) { c.driver.instance_id = ""; }, {"driver.instance_id"}},
  };
  for (const auto& one : cases) {
    const std::string text = refusal_of(one.change);
    for (const char* word : one.words) {
      EXPECT_NE(text.find(word), std::string::npos) << "\"" << word << "\" is not in: " << text;
    }
  }
}

TEST(DriverConfigCheck, SaysEveryFaultAtOnceOneLineEach) {
  EXPECT_EQ(
      refusal_of([](DriverConfig& c) {
        c.driver.instance_id = "";
        c.shm.reserve = "no";
        c.profiles[0].header_nslots = 1000;
        c.profiles[0].payload_pools[0].stride_bytes = 100;
        c.policies.announce_period_ms = 0;
        c.driver.stream_id_range = StreamIdRange{9, 2};
      }),
      "driver.instance_id is empty; give the driver a name, for example \"driver-01\"\n"
      "shm.reserve is \"no\"; it must be \"full\" or \"on_touch\"\n"
      "profiles.camera.header_nslots is 1000; it must be a power of two, for example 512\n"
      "profiles.camera.payload_pools: stride_bytes of pool 1 is 100; it must be a multiple of 64, for example 128\n"
      "policies.announce_period_ms is 0; it must be at least 1\n"
      "driver.stream_id_range is 9-2; its first id must not be above its last");
}

TEST(DriverConfigCheck, SaysOneFaultInOneLine) {
  for (const auto& change : std::vector<std::function<void(DriverConfig&)>>{
           [](DriverConfig& c) { c.profiles.clear(); }, [](DriverConfig& c) { c.shm.base_dir = "relative"; },
           [](DriverConfig& c) { c.driver.control_channel = "ipc"; },
           [](DriverConfig& c) { c.driver.control_stream_id = 0; },
           [](DriverConfig& c) { c.profiles[0].payload_pools[0].stride_bytes = 0; }}) {
    const std::string text = refusal_of(change);
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
}

// spec: reliability T6
TEST(DriverConfigCheck, RefusesLimitsThatLimitNothingOrEverything) {
  for (std::size_t DriverLimits::*limit :
       {&DriverLimits::leases, &DriverLimits::pending_attaches, &DriverLimits::remembered_answers,
        &DriverLimits::dynamic_streams, &DriverLimits::outbox_messages}) {
    expect_has(refusal_of([limit](DriverConfig& c) { c.limits.*limit = 0; }), {"limits.", "at least 1"});
    expect_has(refusal_of([limit](DriverConfig& c) { c.limits.*limit = 1'000'001; }), {"limits.", "at most 1000000"});
  }
}

TEST(DriverConfigCheck, WarnsOncePerPoolThatAJuliaClientWouldRefuseItsStride) {
  DriverConfig config = good();
  config.profiles[0].payload_pools.push_back({2, 1048576});
  const auto warnings = warnings_of(config);
  ASSERT_EQ(warnings.size(), 1U);
  expect_has(warnings[0], {"655360", "pool 1", "Julia"});
}

TEST(DriverConfigCheck, WarnsOfDynamicStreamsWithoutARangeAndOfAToken) {
  DriverConfig config = good();
  config.profiles[0].payload_pools = {{1, 64}};
  config.policies.allow_dynamic_streams = true;
  config.policies.shutdown_token = "secret";
  const auto warnings = warnings_of(config);
  ASSERT_EQ(warnings.size(), 2U);
  expect_has(warnings[0], {"driver.stream_id_range"});
  expect_has(warnings[1], {"policies.shutdown_token"});
  EXPECT_EQ(warnings[1].find("secret"), std::string::npos);
}

TEST(StreamIdRange, ReadsBothSpellingsAndRefusesTheRest) {
  EXPECT_EQ(*parse_stream_id_range("20000-29999"), (StreamIdRange{20000, 29999}));
  EXPECT_EQ(*parse_stream_id_range(" 5 - 7 "), (StreamIdRange{5, 7}));
  EXPECT_EQ(*parse_stream_id_range("5"), (StreamIdRange{5, 5}));
  for (const char* bad : {"", "-", "a-b", "7-5", "1-", "-1", "1-2-3", "99999999999-1"}) {
    EXPECT_FALSE(parse_stream_id_range(bad)) << bad;
  }
}

TEST(DriverConfigCheck, WarnsOfStreamsThatShareAnIdOnOneChannel) {
  const auto warnings_of = [](const std::function<void(DriverTable&)>& change) {
    DriverConfig config;
    config.profiles.push_back({"p", 64, 256, 8, {{1, 4096}}});
    config.streams.push_back({"cam", 1, "p"});
    change(config.driver);
    std::vector<std::string> warnings;
    EXPECT_TRUE(check(config, warnings));
    return warnings;
  };
  EXPECT_TRUE(warnings_of([](DriverTable&) {}).empty());
  EXPECT_TRUE(warnings_of([](DriverTable& d) { d.announce_stream_id = d.control_stream_id; }).empty());
  const auto qos = warnings_of([](DriverTable& d) { d.qos_stream_id = d.control_stream_id; });
  ASSERT_EQ(qos.size(), 1U);
  expect_has(qos[0], {"driver.control_stream_id and driver.qos_stream_id are both 1000", "aeron:ipc"});
  EXPECT_EQ(warnings_of([](DriverTable& d) { d.metadata_stream_id = d.descriptor_stream_id = d.qos_stream_id; }).size(),
            3U);
  EXPECT_TRUE(warnings_of([](DriverTable& d) {
                d.qos_stream_id = d.control_stream_id;
                d.qos_channel = "aeron:udp?endpoint=127.0.0.1:40123";
              }).empty());
}

TEST(Footprint, SumsTheCameraExampleToAlmostNineteenGibibytes) {
  DriverConfig config;
  config.profiles.push_back({"raw_profile", 1024, 256, 8, {{1, 1048576}, {2, 4194304}}});
  config.profiles.push_back({"processed_profile", 512, 256, 8, {{1, 524288}, {2, 2097152}}});
  for (std::uint32_t n = 1; n <= 3; ++n) {
    config.streams.push_back({"cam" + std::to_string(n), 1000 + n, "raw_profile"});
    config.streams.push_back({"proc" + std::to_string(n), 2000 + n, "processed_profile"});
  }
  const Footprint wanted = footprint(config);
  ASSERT_EQ(wanted.streams.size(), 6U);
  const auto lines = describe(wanted, config, std::uint64_t{8} << 30);
  ASSERT_EQ(lines.size(), 7U);
  expect_has(lines[0], {"stream 1001", "cam1", "5.00 GiB"});
  expect_has(lines[6], {"18.75 GiB", "8.00 GiB"});
  const auto shortage = describe_shortage(wanted, config, std::uint64_t{8} << 30, "available memory");
  ASSERT_TRUE(shortage);
  expect_has(*shortage, {"18.75 GiB", "8.00 GiB", "available memory", "header_nslots"});
  EXPECT_FALSE(describe_shortage(wanted, config, std::uint64_t{19} << 30, "available memory"));
}

TEST(Footprint, CountsWhatDynamicStreamsMayTake) {
  DriverConfig config;
  config.profiles.push_back({"small", 64, 256, 8, {{1, 4096}}});
  config.profiles.push_back({"large", 64, 256, 8, {{1, 1048576}}});
  config.streams.push_back({"cam", 1, "small"});
  config.driver.stream_id_range = StreamIdRange{20000, 20098};
  EXPECT_EQ(footprint(config).dynamic_streams, 0U) << "not allowed";
  config.policies.allow_dynamic_streams = true;
  const std::uint64_t small = epoch_bytes(config.profiles[0], 4096);
  const std::uint64_t large = epoch_bytes(config.profiles[1], 4096);
  EXPECT_EQ(footprint(config).dynamic_streams, 99U);
  EXPECT_EQ(footprint(config).dynamic_bytes, 99 * small);
  config.policies.profile_rules = {{{20090, 30000}, "large"}, {{20000, 20095}, "small"}};
  EXPECT_EQ(footprint(config).dynamic_bytes, 9 * large + 90 * small);
  config.limits.dynamic_streams = 10;
  EXPECT_EQ(footprint(config).dynamic_bytes, 9 * large + small) << "the largest that there may be";
  const Footprint wanted = footprint(config);
  const auto shortage = describe_shortage(wanted, config, wanted.total_bytes, "the file system");
  ASSERT_TRUE(shortage);
  expect_has(*shortage, {"10 dynamic", "stream_id_range", "the file system"});
  EXPECT_FALSE(describe_shortage(wanted, config, wanted.total_bytes + wanted.dynamic_bytes, "the file system"));
}

TEST(Footprint, DoesNotOverflow) {
  const Profile huge{"huge", 0x80000000U, 256, 8, std::vector<PoolConfig>(64, {1, 0xFFFFFFC0U})};
  EXPECT_EQ(epoch_bytes(huge, 4096), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(idle_epoch_bytes({"p", 64, 256, 8, {{1, 64}, {2, 128}}}, 4096), 5 * 4096 + 2 * 4096U);
}

}  // namespace
}  // namespace tensorpool::driver
