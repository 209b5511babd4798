// What a stream says of itself: a name, a summary and attributes, with a version that its frames carry
// (Frame::meta_version), so that a reader knows which exposure time or which calibration a frame belongs to.
// A producer writes it (Producer::set_attribute and the like), whoever reads needs no attachment (Client::metadata).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/time.hpp"

namespace tensorpool {

// Limits of one stream's metadata. A producer is refused more, a reader ignores and counts more.
inline constexpr std::size_t max_attributes = 256;
inline constexpr std::size_t max_attribute_key_bytes = 256;
inline constexpr std::size_t max_attribute_format_bytes = 256;
inline constexpr std::size_t max_attributes_bytes = 65536;  // keys, formats and values together
inline constexpr std::size_t max_source_bytes = 4096;       // name and summary together
// Streams that a reader keeps the metadata of. When there are more, one that fell silent makes room.
inline constexpr std::size_t max_metadata_streams = 256;

struct Attribute {
  std::string key{};     // not empty
  std::string format{};  // how to read the value, by custom a media type: "text/plain", "application/json"
  std::vector<std::byte> value{};

  // The value as text, whatever the format says.
  [[nodiscard]] std::string_view text() const noexcept;
  bool operator==(const Attribute&) const = default;
};

// One version of a stream's metadata. Texts and values are the producer's bytes: escape them before a terminal sees
// them.
struct StreamMetadata {
  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t version = 0;  // one more with each change; begins at 1 with each Producer
  Nanos timestamp_ns = 0;     // of the change, by the producer's clock
  std::string name{};
  std::string summary{};
  std::vector<Attribute> attributes{};

  // nullptr if there is none of that key.
  [[nodiscard]] const Attribute* find(std::string_view key) const noexcept;
};

struct MetadataOptions {
  std::vector<std::uint32_t> stream_ids{};  // empty = all
  // Called with each new version, and once per epoch, on the conductor's thread. Must not block or throw, nor destroy
  // the reader or the Client.
  std::function<void(const StreamMetadata&)> on_change{};
};

// What a reader saw of the streams that it follows.
struct MetadataStats {
  std::uint64_t announces = 0;       // names, summaries and versions, the repeated ones too
  std::uint64_t attribute_sets = 0;  // the attributes of a version, likewise
  std::uint64_t outdated = 0;        // of an ended epoch or an older version: ignored
  std::uint64_t over_limit = 0;      // more than the limits above: ignored
  std::uint64_t blobs_ignored = 0;   // messages of large blobs, which nothing here reads
};

namespace detail {
class MetadataFollower;
}

// Follows the metadata of streams until it is destroyed; every function from any thread. Late joiners hear each stream
// within the producer's announce period.
class MetadataReader {
 public:
  MetadataReader(MetadataReader&&) noexcept;
  MetadataReader& operator=(MetadataReader&&) noexcept;
  ~MetadataReader();

  // The newest version; nothing before the first was heard. It stays when its producer ends.
  [[nodiscard]] std::optional<StreamMetadata> latest(std::uint32_t stream_id) const;
  // Of all streams, in the order of their ids.
  [[nodiscard]] std::vector<StreamMetadata> all() const;
  [[nodiscard]] MetadataStats stats() const;

 private:
  friend class Client;
  explicit MetadataReader(std::shared_ptr<detail::MetadataFollower> follower) noexcept;
  std::shared_ptr<detail::MetadataFollower> follower_;
};

}  // namespace tensorpool
