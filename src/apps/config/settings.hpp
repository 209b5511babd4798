// What [producer], [consumer] and [supervisor] say; the keys and defaults of config/defaults.toml.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensorpool/time.hpp"

namespace tensorpool::apps {

struct ProducerPool {
  std::uint16_t pool_id = 0;
  std::string uri;
  std::uint32_t stride_bytes = 0;
  std::uint32_t nslots = 0;
};

struct ProducerSettings {
  std::string aeron_dir;
  std::string aeron_uri = "aeron:ipc";
  std::int32_t descriptor_stream_id = 1100;
  std::int32_t control_stream_id = 1000;
  std::int32_t qos_stream_id = 1200;
  std::int32_t metadata_stream_id = 1300;
  std::uint32_t stream_id = 0;    // 0 = the only stream of the driver's configuration
  std::uint32_t producer_id = 0;  // 0 = random
  std::uint32_t layout_version = 1;
  std::uint32_t nslots = 1024;
  std::string shm_base_dir = "/dev/shm";
  std::string shm_namespace = "default";
  std::string producer_instance_id = "producer-01";
  std::string header_uri;
  std::uint8_t max_dims = 8;
  Nanos announce_interval_ns = nanos_per_second;
  Nanos qos_interval_ns = nanos_per_second;
  Nanos progress_interval_ns = 250'000;
  std::uint64_t progress_bytes_delta = 65'536;
  Nanos no_frames_timeout_ns = 5 * nanos_per_second;
  std::vector<ProducerPool> payload_pools;
};

struct ConsumerSettings {
  std::string aeron_dir;
  std::string aeron_uri = "aeron:ipc";
  std::int32_t descriptor_stream_id = 1100;
  std::int32_t control_stream_id = 1000;
  std::int32_t qos_stream_id = 1200;
  std::int32_t metadata_stream_id = 1300;
  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  std::uint32_t expected_layout_version = 1;
  std::uint8_t max_dims = 8;
  std::string mode = "STREAM";
  bool own_streams = false;
  std::uint32_t decimation = 1;
  std::uint32_t max_outstanding_seq_gap = 0;
  bool use_shm = true;
  bool supports_shm = true;
  bool supports_progress = false;
  double max_rate_hz = 0;
  std::string payload_fallback_uri;
  std::string shm_base_dir;
  std::vector<std::string> allowed_base_dirs;  // empty = the driver configuration's
  bool require_hugepages = false;
  std::uint32_t progress_interval_us = 250;
  std::uint32_t progress_bytes_delta = 65'536;
  std::uint32_t progress_rows_delta = 0;
  Nanos hello_interval_ns = nanos_per_second;
  Nanos qos_interval_ns = nanos_per_second;
  Nanos no_frames_timeout_ns = 5 * nanos_per_second;
};

struct SupervisorStreamSettings {
  std::uint32_t stream_id = 0;
  Nanos no_frames_timeout_ns = 5 * nanos_per_second;
};

struct SupervisorPolicySettings {
  std::uint32_t stream_id = 0;    // 0 = every stream
  std::uint32_t consumer_id = 0;  // 0 = every consumer
  std::string mode = "STREAM";
  bool use_shm = true;
  std::string payload_fallback_uri;
};

struct SupervisorSettings {
  std::string aeron_dir;
  std::string aeron_uri = "aeron:ipc";
  std::int32_t control_stream_id = 1000;
  std::int32_t qos_stream_id = 1200;
  std::uint32_t stream_id = 0;  // 0 = all
  Nanos liveness_timeout_ns = 5 * nanos_per_second;
  Nanos liveness_check_interval_ns = nanos_per_second;
  Nanos no_frames_timeout_ns = 5 * nanos_per_second;
  std::vector<SupervisorStreamSettings> streams;
  std::vector<SupervisorPolicySettings> policies;
};

}  // namespace tensorpool::apps
