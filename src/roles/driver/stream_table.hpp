// StreamTable: the streams this driver serves, the static ones of the configuration and the dynamic ones made on
// demand, with the epoch that each is at. Knows no lease and no file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "shm/region_creator.hpp"
#include "shm/region_layout.hpp"
#include "tensorpool/driver_config.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::driver {

struct Stream {
  std::uint32_t stream_id = 0;
  std::string name;                  // of a static stream
  const Profile* profile = nullptr;  // never null; lives in the configuration
  bool dynamic = false;

  std::uint64_t last_epoch = 0;             // highest ever given here; 0 = none in this life
  std::optional<shm::RegionLayout> layout;  // of the current epoch; absent = not provisioned, or between two epochs
  shm::LockedRegions locked;                // holds the current epoch's pages in memory where mlock is asked for
  std::uint64_t bytes_reserved = 0;

  Nanos next_announce_at = 0;
  Nanos unused_since = 0;         // of a dynamic stream: when its last lease ended
  std::uint64_t descriptors = 0;  // seen on the shared descriptor stream

  [[nodiscard]] bool provisioned() const noexcept { return layout.has_value(); }
  // The current epoch is dead: its memory may be what the next one needs. What held it is the caller's to let go of.
  [[nodiscard]] shm::LockedRegions drop_epoch() noexcept {
    layout.reset();
    bytes_reserved = 0;
    return std::exchange(locked, {});
  }
};

// Why a stream that does not exist cannot be made.
enum class DynamicRefusal : std::uint8_t { not_allowed, no_range, outside_range, range_exhausted };

class StreamTable {
 public:
  // REQUIRES: config passes check() and outlives the table.
  explicit StreamTable(const DriverConfig& config);

  [[nodiscard]] Stream* find(std::uint32_t stream_id);
  [[nodiscard]] const Stream* find(std::uint32_t stream_id) const;

  // The id that a dynamic stream would get: the one asked for, or for 0 the next free one of the range. Changes nothing
  // but where the next search begins.
  [[nodiscard]] Expected<std::uint32_t, DynamicRefusal> choose_dynamic_id(std::uint32_t requested);
  // REQUIRES: choose_dynamic_id gave the id.
  Stream& add_dynamic(std::uint32_t stream_id, Nanos now);
  void remove(std::uint32_t stream_id);
  // By the first rule whose range holds the id, else the default.
  [[nodiscard]] const Profile& profile_for(std::uint32_t stream_id) const;

  // The dynamic stream that has been without use longest, for at least `linger`; `in_use` says which are not to be
  // touched.
  template <class InUse>
  [[nodiscard]] const Stream* longest_unused(Nanos now, Nanos linger, InUse&& in_use) const {
    const Stream* found = nullptr;
    for (const auto& [id, stream] : streams_) {
      const bool candidate = stream.dynamic && now - stream.unused_since >= linger && !in_use(id);
      if (candidate && (found == nullptr || stream.unused_since < found->unused_since)) {
        found = &stream;
      }
    }
    return found;
  }

  [[nodiscard]] std::map<std::uint32_t, Stream>& all() noexcept { return streams_; }
  [[nodiscard]] const std::map<std::uint32_t, Stream>& all() const noexcept { return streams_; }

 private:
  const DriverConfig* config_;
  std::map<std::uint32_t, Stream> streams_;
  std::size_t dynamic_count_ = 0;
  std::uint32_t next_dynamic_id_ = 0;
};

}  // namespace tensorpool::driver
