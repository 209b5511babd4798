#include "apps/config/client_setup.hpp"

#include <gtest/gtest.h>

#include "apps/config/test_environment.hpp"

namespace tensorpool::apps {
namespace {

TEST(ClientSetup, TakesWhatTheDriverUsesFromConfigAndTheRestFromDefaults) {
  const NodeConfig config = loaded(TENSORPOOL_SOURCE_DIR "/docs/examples/driver_integration_example.toml");
  const ClientOptions options = consumer_client_options(config, loaded(TENSORPOOL_SOURCE_DIR "/config/defaults.toml"));
  EXPECT_EQ(options.aeron_dir, "/dev/shm/aeron-ada");
  EXPECT_EQ(options.control.stream_id, 15000);
  EXPECT_EQ(options.announce.stream_id, 15001);
  EXPECT_EQ(options.qos.stream_id, 15002);
  EXPECT_EQ(options.descriptor.stream_id, 1100);
  EXPECT_EQ(options.metadata.stream_id, 1300);
  EXPECT_EQ(options.allowed_base_dirs, std::vector<std::string>{"/dev/shm"});
}

TEST(ClientSetup, TakesDescriptorAndMetadataIdsFromDefaultsWhereConfigIsSilent) {
  const ConfigFile defaults("[producer]\ndescriptor_stream_id = 77\nmetadata_stream_id = 78\ncontrol_stream_id = 79\n");
  const NodeConfig role = *load_node_config(defaults.path(), environment_of({}));
  const ClientOptions options =
      producer_client_options(loaded(TENSORPOOL_SOURCE_DIR "/docs/examples/driver_integration_example.toml"), role);
  EXPECT_EQ(options.descriptor.stream_id, 77);
  EXPECT_EQ(options.metadata.stream_id, 78);
  EXPECT_EQ(options.control.stream_id, 15000);
}

TEST(ClientSetup, LetsTheEnvironmentOfTheRoleWinOverConfig) {
  const NodeConfig defaults = loaded(TENSORPOOL_SOURCE_DIR "/config/defaults.toml",
                                     {{"CONSUMER_CONTROL_STREAM_ID", "42"}, {"CONSUMER_AERON_DIR", "/tmp/elsewhere"}});
  const ClientOptions options =
      consumer_client_options(loaded(TENSORPOOL_SOURCE_DIR "/docs/examples/driver_integration_example.toml"), defaults);
  EXPECT_EQ(options.control.stream_id, 42);
  EXPECT_EQ(options.aeron_dir, "/tmp/elsewhere");
}

TEST(ClientSetup, GivesASupervisorItsPoliciesAndWhatTheDriverUses) {
  const ConfigFile file(
      "[supervisor]\nliveness_timeout_ns = 7e9\nno_frames_timeout_ns = 30_000_000_000\n"
      "[[supervisor.streams]]\nstream_id = 5\nno_frames_timeout_ns = 0\n[[supervisor.policies]]\nstream_id = 5\nmode = "
      "\"RATE_LIMITED\"\n"
      "[[supervisor.policies]]\nconsumer_id = 9\nuse_shm = false\npayload_fallback_uri = \"aeron:udp?endpoint=h:1\"\n");
  const NodeConfig role = *load_node_config(file.path(), environment_of({}));
  const SupervisorOptions options =
      supervisor_options(loaded(TENSORPOOL_SOURCE_DIR "/docs/examples/driver_integration_example.toml"), role);
  EXPECT_EQ(options.where.control.stream_id, 15000);
  EXPECT_EQ(options.where.announce.stream_id, 15001);
  EXPECT_EQ(options.where.qos.stream_id, 15002);
  EXPECT_EQ(options.liveness_timeout_ns, 7 * nanos_per_second);
  EXPECT_EQ(options.no_frames_timeout_ns, 30 * nanos_per_second);
  ASSERT_EQ(options.no_frames_timeouts.size(), 1U);
  EXPECT_EQ(options.no_frames_timeouts[0].stream_id, 5U);
  EXPECT_EQ(options.no_frames_timeouts[0].timeout_ns, 0);
  ASSERT_EQ(options.policies.size(), 2U);
  EXPECT_TRUE(options.policies[0].rate_limited);
  EXPECT_TRUE(options.policies[0].use_shm);
  EXPECT_EQ(options.policies[0].stream_id, 5U);
  EXPECT_FALSE(options.policies[1].use_shm);
  EXPECT_EQ(options.policies[1].consumer_id, 9U);
  EXPECT_TRUE(role.warnings.empty());
}

TEST(ClientSetup, TakesEverythingFromTheRoleWhereThereIsNoDriverTable) {
  const ConfigFile file(
      "[consumer]\ncontrol_stream_id = 5\nqos_stream_id = 6\naeron_uri = \"aeron:ipc?term-length=1m\"\n"
      "aeron_dir = \"/tmp/a\"\nallowed_base_dirs = [\"/mnt\"]\n");
  const NodeConfig config = *load_node_config(file.path(), environment_of({}));
  const ClientOptions options = consumer_client_options(config, config);
  EXPECT_EQ(options.control.stream_id, 5);
  EXPECT_EQ(options.announce.stream_id, 5);
  EXPECT_EQ(options.qos.stream_id, 6);
  EXPECT_EQ(options.descriptor.channel, "aeron:ipc?term-length=1m");
  EXPECT_EQ(options.aeron_dir, "/tmp/a");
  EXPECT_EQ(options.allowed_base_dirs, std::vector<std::string>{"/mnt"});
}

TEST(ClientSetup, WishesForWhatTheConsumersTableSays) {
  const ConfigFile file(
      "[consumer]\nconsumer_id = 7\nmode = \"RATE_LIMITED\"\nmax_rate_hz = 30\ndecimation = 2\nown_streams = true\n"
      "supports_shm = false\nuse_shm = false\nrequire_hugepages = true\nhello_interval_ns = 2_000_000_000\n"
      "supports_progress = true\nprogress_interval_us = 100\nprogress_bytes_delta = 4096\nprogress_rows_delta = 8\n");
  const NodeConfig config = *load_node_config(file.path(), environment_of({}));
  const ConsumerOptions wanted = consumer_options(config.consumer);
  EXPECT_EQ(wanted.client_id, 7u);
  EXPECT_EQ(wanted.mode, ConsumerMode::rate_limited);
  EXPECT_EQ(wanted.max_rate_hz, 30u);
  EXPECT_EQ(wanted.decimation, 2u);
  EXPECT_TRUE(wanted.own_streams);
  EXPECT_FALSE(wanted.supports_shm);
  EXPECT_FALSE(wanted.use_shm);
  EXPECT_TRUE(wanted.require_hugepages);
  EXPECT_EQ(wanted.hello_interval_ns, 2 * nanos_per_second);
  ASSERT_TRUE(wanted.progress);
  EXPECT_EQ(wanted.progress->interval_us, 100u);
  EXPECT_EQ(wanted.progress->bytes_delta, 4096u);
  EXPECT_EQ(wanted.progress->rows_delta, 8u);
  EXPECT_TRUE(config.warnings.empty());
}

TEST(ClientSetup, WishesForLessThanAFrameASecond) {
  const ConfigFile file("[consumer]\nmode = \"RATE_LIMITED\"\nmax_rate_hz = 0.1\n");
  EXPECT_EQ(consumer_options(load_node_config(file.path(), environment_of({}))->consumer).max_rate_hz, 0.1);
  const auto over = load_node_config(file.path(), environment_of({{"CONSUMER_MAX_RATE_HZ", "2.5"}}));
  EXPECT_EQ(consumer_options(over->consumer).max_rate_hz, 2.5);
}

TEST(ClientSetup, RefusesNumbersThatAreNone) {
  for (const char* value : {"nan", "-nan", "inf", "-inf", "-0.1", "1e-300", "1e300", "-1", "\"5\""}) {
    EXPECT_NE(load_error(std::string("[consumer]\nmax_rate_hz = ") + value + "\n").find("a rate in Hz, 0 or 1e-09"),
              std::string::npos)
        << value;
    EXPECT_NE(load_error(std::string("[producer]\nqos_interval_ns = ") + value + "\n").find("an integer from"),
              std::string::npos)
        << value;
    EXPECT_NE(load_error("", {{"CONSUMER_MAX_RATE_HZ", value}}).find("a rate in Hz"), std::string::npos) << value;
    EXPECT_NE(load_error("", {{"DRIVER_CONTROL_STREAM_ID", value}}).find("an integer from"), std::string::npos)
        << value;
  }
  EXPECT_EQ(load_error("", {{"PRODUCER_QOS_INTERVAL_NS", "5e9"}}), "");
}

TEST(ClientSetup, WishesForTheWholeStreamByDefault) {
  const NodeConfig config = *load_node_config("", environment_of({}));
  const ConsumerOptions wanted = consumer_options(config.consumer);
  EXPECT_EQ(wanted.mode, ConsumerMode::stream);
  EXPECT_EQ(wanted.decimation, 1u);
  EXPECT_FALSE(wanted.own_streams);
  EXPECT_TRUE(wanted.use_shm);
  EXPECT_FALSE(wanted.progress);
}

TEST(ClientSetup, ChoosesTheOnlyStream) {
  const NodeConfig config = loaded(TENSORPOOL_SOURCE_DIR "/docs/examples/driver_integration_example.toml");
  EXPECT_EQ(*choose_stream(config, 0, "consumer.stream_id"), 1u);
  EXPECT_EQ(*choose_stream(config, 9, "consumer.stream_id"), 9u);
  EXPECT_EQ(first_pool_stride(config, 1), 655360u);
  EXPECT_EQ(first_pool_stride(config, 2), std::nullopt);
}

TEST(ClientSetup, AsksForAChoiceAmongSeveralStreams) {
  const NodeConfig config = loaded(TENSORPOOL_SOURCE_DIR "/docs/examples/driver_camera_example.toml");
  const Result<std::uint32_t> stream = choose_stream(config, 0, "consumer.stream_id");
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().message, config.file +
                                        " has 6 streams; choose one with consumer.stream_id: 1001 (cam1), 1002 (cam2), "
                                        "1003 (cam3), 2001 (proc1), 2002 (proc2), 2003 (proc3)");
}

std::string standalone_error(const std::string& toml) {
  const ConfigFile file("[producer]\n" + toml);
  const auto made = standalone_options(*load_node_config(file.path(), environment_of({})));
  return made ? "accepted" : made.error().message;
}

TEST(ClientSetup, MakesStandaloneOptionsOfTheProducersKeys) {
  const ConfigFile file(
      "[producer]\nnslots = 16\nshm_base_dir = \"/mnt\"\nshm_namespace = \"mine\"\nannounce_interval_ns = 5000000\n"
      "payload_pools = [{ pool_id = 3, stride_bytes = 4096, nslots = 16 }]\n");
  const NodeConfig config = *load_node_config(file.path(), environment_of({}));
  EXPECT_TRUE(config.warnings.empty());
  const auto options = standalone_options(config);
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->nslots, 16u);
  EXPECT_EQ(options->base_dir, "/mnt");
  EXPECT_EQ(options->name_space, "mine");
  ASSERT_EQ(options->pools.size(), 1u);
  EXPECT_EQ(options->pools[0].pool_id, 3u);
  EXPECT_EQ(options->pools[0].stride_bytes, 4096u);
  ClientOptions client;
  use_standalone(config, client);
  EXPECT_EQ(client.announce_period_ns, 5'000'000);
}

TEST(ClientSetup, RefusesStandaloneKeysThatCannotBe) {
  const std::string pools = "payload_pools = [{ pool_id = 1, stride_bytes = 4096 }]\n";
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_PRED2(has, standalone_error(""), "producer.payload_pools");
  EXPECT_PRED2(has, standalone_error(pools + "header_uri = \"shm:file?path=/a\"\n"), "producer.header_uri");
  EXPECT_PRED2(has, standalone_error(pools + "max_dims = 4\n"), "producer.max_dims");
  EXPECT_PRED2(has, standalone_error(pools + "layout_version = 2\n"), "producer.layout_version");
  EXPECT_PRED2(has, standalone_error("payload_pools = [{ pool_id = 1, stride_bytes = 4096, nslots = 8 }]\n"),
               "producer.payload_pools.nslots");
  EXPECT_PRED2(has,
               standalone_error("payload_pools = [{ pool_id = 1, stride_bytes = 64, uri = \"shm:file?path=/a\" }]\n"),
               "producer.payload_pools.uri");
}

}  // namespace
}  // namespace tensorpool::apps
