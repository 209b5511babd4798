// A reader's books of the streams' metadata: what is newest, what is outdated, what is too much. A version is complete
// when its announce (name, epoch) and its attributes have both come, in either order. Pure: messages and time in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "protocol/messages.hpp"
#include "tensorpool/metadata.hpp"

namespace tensorpool::detail {

class MetadataCache {
 public:
  // Whoever says nothing for `silence_ns` may be succeeded by an older epoch, and makes room for other streams.
  MetadataCache(std::vector<std::uint32_t> stream_ids, Nanos silence_ns)
      : stream_ids_(std::move(stream_ids)), silence_ns_(silence_ns) {}

  // What is new because of the message: a version, or the same one in a new epoch. Valid until the next call.
  const StreamMetadata* on(const protocol::DataSourceAnnounce& announce, Nanos now);
  const StreamMetadata* on(const protocol::DataSourceMeta& meta, Nanos now);
  void on_blob(std::uint32_t stream_id);

  [[nodiscard]] const StreamMetadata* find(std::uint32_t stream_id) const;
  [[nodiscard]] std::vector<StreamMetadata> all() const;
  [[nodiscard]] const MetadataStats& stats() const noexcept { return stats_; }

 private:
  struct Entry {
    std::optional<protocol::DataSourceAnnounce> source;
    std::optional<protocol::DataSourceMeta> meta;
    std::optional<StreamMetadata> complete;
    Nanos heard = 0;  // a message that was taken
  };

  [[nodiscard]] bool follows(std::uint32_t stream_id) const;
  Entry* entry_of(std::uint32_t stream_id, Nanos now);
  bool make_room(Nanos now);
  const StreamMetadata* complete(Entry& entry);

  std::vector<std::uint32_t> stream_ids_;
  Nanos silence_ns_;
  std::map<std::uint32_t, Entry> entries_;
  MetadataStats stats_;
};

}  // namespace tensorpool::detail
