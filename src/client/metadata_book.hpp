// What a producer's stream says of itself, as its application sets it. Any thread; the version alone is read on the
// frame path, without the lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/metadata.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::detail {

class MetadataBook {
 public:
  // Each is one change: the version goes up by one, unless nothing is different. Errors: beyond the limits.
  Status set_source(std::string name, std::string summary, Nanos now);
  Status set_attribute(Attribute attribute, Nanos now);
  Status erase_attribute(std::string_view key, Nanos now);
  Status replace_attributes(std::vector<Attribute> attributes, Nanos now);

  // 0 = nothing was ever set.
  [[nodiscard]] std::uint32_t version() const noexcept { return version_.load(std::memory_order_relaxed); }
  // Ids and epoch are the caller's to fill in.
  [[nodiscard]] StreamMetadata content() const;

 private:
  Status change(StreamMetadata next, Nanos now);

  mutable std::mutex mutex_;
  StreamMetadata content_;
  std::atomic<std::uint32_t> version_{0};
};

// Whether a reader would take so much: the limits of tensorpool/metadata.hpp.
[[nodiscard]] bool within_limits(std::string_view name, std::string_view summary) noexcept;
[[nodiscard]] bool within_limits(const std::vector<Attribute>& attributes) noexcept;

}  // namespace tensorpool::detail
