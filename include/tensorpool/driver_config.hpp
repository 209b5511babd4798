// DriverConfig: every key of the driver's tables with its default, as plain data. Nothing here reads a file or the
// environment; apps/config fills it, check() judges it. Member names are the keys of the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::driver {

// Inclusive range of stream ids.
struct StreamIdRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  [[nodiscard]] bool contains(std::uint32_t id) const noexcept { return id >= first && id <= last; }
  [[nodiscard]] bool overlaps(const StreamIdRange& other) const noexcept {
    return first <= other.last && other.first <= last;
  }
  [[nodiscard]] std::uint64_t size() const noexcept { return std::uint64_t{last} - first + 1; }
  bool operator==(const StreamIdRange&) const = default;
};

// "a-b" or "a"; an empty text is not a range.
[[nodiscard]] Result<StreamIdRange> parse_stream_id_range(std::string_view text);
[[nodiscard]] std::string to_string(const StreamIdRange& range);

// [driver]
struct DriverTable {
  std::string instance_id = "driver-01";
  std::string aeron_dir;  // empty: /dev/shm/aeron-<user>
  std::string control_channel = "aeron:ipc";
  std::uint32_t control_stream_id = 1000;
  std::string announce_channel;                     // empty: control_channel
  std::optional<std::uint32_t> announce_stream_id;  // absent: control_stream_id
  std::string descriptor_channel = "aeron:ipc";
  std::uint32_t descriptor_stream_id = 1100;
  std::string metadata_channel = "aeron:ipc";
  std::uint32_t metadata_stream_id = 1300;
  std::string qos_channel = "aeron:ipc";
  std::uint32_t qos_stream_id = 1200;
  std::string media_driver = "auto";                        // "auto" | "embedded" | "external"
  std::optional<StreamIdRange> stream_id_range;             // dynamic streams; absent = off
  std::optional<StreamIdRange> descriptor_stream_id_range;  // per-consumer descriptor streams; absent = off
  std::optional<StreamIdRange> control_stream_id_range;     // per-consumer control streams; absent = off

  bool operator==(const DriverTable&) const = default;
};

// [shm]
struct ShmTable {
  std::string base_dir = "/dev/shm";
  std::string name_space = "default";  // the key is `namespace`, a word that C++ keeps for itself
  std::string user;  // the `<user>` of the directory tensorpool-<user>; empty: the effective user's name
  bool require_hugepages = false;
  std::uint32_t page_size_bytes = 4096;
  std::string permissions_mode = "660";                       // octal
  std::optional<std::vector<std::string>> allowed_base_dirs;  // absent: [base_dir]
  std::string reserve = "full";                               // "full" | "on_touch"

  bool operator==(const ShmTable&) const = default;
};

// One entry of policies.profile_rules: the first rule whose range holds a dynamic stream's id decides its profile.
struct ProfileRule {
  StreamIdRange stream_id_range;
  std::string profile;

  bool operator==(const ProfileRule&) const = default;
};

// [policies]
struct PoliciesTable {
  bool allow_dynamic_streams = false;
  std::string default_profile;  // empty: the first profile
  std::vector<ProfileRule> profile_rules;
  std::uint32_t announce_period_ms = 1000;
  std::uint32_t lease_keepalive_interval_ms = 1000;
  std::uint32_t lease_expiry_grace_intervals = 3;
  bool prefault_shm = true;
  bool mlock_shm = false;
  bool reuse_existing_shm = false;
  bool cleanup_shm_on_exit = false;
  bool unique_client_ids = true;
  bool epoch_gc_enabled = true;
  std::uint32_t epoch_gc_keep = 2;                   // the current epoch counts as one
  std::optional<std::uint64_t> epoch_gc_min_age_ns;  // absent: three announce periods
  bool epoch_gc_on_startup = false;
  std::uint32_t shutdown_timeout_ms = 2000;
  std::string shutdown_token;  // empty: ShmDriverShutdownRequest is ignored
  std::uint32_t node_id_reuse_cooldown_ms = 1000;

  bool operator==(const PoliciesTable&) const = default;
};

struct PoolConfig {
  std::uint16_t pool_id = 0;
  std::uint32_t stride_bytes = 0;

  bool operator==(const PoolConfig&) const = default;
};

// [profiles.<name>]
struct Profile {
  std::string name;
  std::uint32_t header_nslots = 1024;
  std::uint32_t header_slot_bytes = 256;
  std::uint32_t max_dims = 8;
  std::vector<PoolConfig> payload_pools;

  bool operator==(const Profile&) const = default;
};

// [streams.<name>]
struct StaticStream {
  std::string name;
  std::uint32_t stream_id = 0;
  std::string profile;

  bool operator==(const StaticStream&) const = default;
};

// Bounds against floods (reliability.md T6). No keys: a host that needs more needs another design.
struct DriverLimits {
  std::size_t leases = 4096;
  std::size_t pending_attaches = 256;
  std::size_t remembered_answers = 1024;
  std::size_t dynamic_streams = 1024;
  std::size_t outbox_messages = 4096;

  bool operator==(const DriverLimits&) const = default;
};

struct DriverConfig {
  DriverTable driver;
  ShmTable shm;
  PoliciesTable policies;
  std::vector<Profile> profiles;      // in the order of the file
  std::vector<StaticStream> streams;  // in the order of the file
  DriverLimits limits;

  // Values whose default depends on another key.
  [[nodiscard]] const std::string& announce_channel() const noexcept;
  [[nodiscard]] std::uint32_t announce_stream_id() const noexcept;
  [[nodiscard]] std::vector<std::string> allowed_base_dirs() const;
  [[nodiscard]] Nanos announce_period_ns() const noexcept;
  [[nodiscard]] Nanos keepalive_interval_ns() const noexcept;
  [[nodiscard]] Nanos lease_duration_ns() const noexcept;
  [[nodiscard]] Nanos epoch_gc_min_age_ns() const noexcept;
  // nullptr when there is none of that name.
  [[nodiscard]] const Profile* find_profile(std::string_view name) const noexcept;
  [[nodiscard]] const Profile* default_profile() const noexcept;

  bool operator==(const DriverConfig&) const = default;
};

// Parses shm.permissions_mode, e.g. "660" or "0660".
[[nodiscard]] Result<std::uint32_t> parse_permissions_mode(std::string_view octal);

// Refuses what cannot work; the error has one line for each fault, which names the key, the values allowed and the
// remedy. What works but may surprise is appended to `warnings`, one line each. Does not look at the file system.
// (config_check.cpp)
[[nodiscard]] Status check(const DriverConfig& config, std::vector<std::string>& warnings);

// What a stream takes of the file system while a producer is attached.
struct StreamFootprint {
  std::string name;
  std::uint32_t stream_id = 0;
  std::uint64_t bytes = 0;
};
struct Footprint {
  std::vector<StreamFootprint> streams;
  std::uint64_t total_bytes = 0;      // every static stream attached at once; saturates
  std::uint64_t dynamic_streams = 0;  // that clients may create at most
  std::uint64_t dynamic_bytes = 0;    // of all of those, of the largest profiles that their ids may have; saturates
};

// Bytes of one epoch of the profile with every pool reserved, each file rounded up to the page; saturates.
[[nodiscard]] std::uint64_t epoch_bytes(const Profile& profile, std::uint32_t page_size_bytes);
// Bytes of one idle epoch: the ring, and a page for each pool's superblock.
[[nodiscard]] std::uint64_t idle_epoch_bytes(const Profile& profile, std::uint32_t page_size_bytes);
[[nodiscard]] Footprint footprint(const DriverConfig& config);
// One line per stream and one for the sum, against what the file system has free.
[[nodiscard]] std::vector<std::string> describe(const Footprint& footprint, const DriverConfig& config,
                                                std::uint64_t free_bytes);
// A line for people when not all streams fit into `free_bytes` at once, which `limited_by` grants ("available memory").
[[nodiscard]] std::optional<std::string> describe_shortage(const Footprint& footprint, const DriverConfig& config,
                                                           std::uint64_t free_bytes, std::string_view limited_by);
// "18.75 GiB", for people.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

}  // namespace tensorpool::driver
