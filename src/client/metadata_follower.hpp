// What stands behind a MetadataReader: its cache, which the conductor feeds and any thread reads.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/origin.hpp"
#include "client/metadata_cache.hpp"

namespace tensorpool::detail {

class MetadataFollower {
 public:
  MetadataFollower(MetadataOptions options, Nanos silence_ns)
      : on_change_(std::move(options.on_change)), cache_(std::move(options.stream_ids), silence_ns) {}

  // --- The conductor's thread ---
  template <class Message>
  void on(const Message& message, Nanos now) {
    std::optional<StreamMetadata> news;
    {
      const std::lock_guard lock(mutex_);
      if (const StreamMetadata* const changed = cache_.on(message, now)) news = *changed;
    }
    if (news && on_change_) on_change_(*news);
  }
  void on_blob(std::uint32_t stream_id) {
    const std::lock_guard lock(mutex_);
    cache_.on_blob(stream_id);
  }
  [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  // --- Any thread ---
  void close() noexcept { closed_.store(true, std::memory_order_release); }
  // In a child that fork() made they are empty: the lock may have been taken at that moment.
  [[nodiscard]] std::optional<StreamMetadata> latest(std::uint32_t stream_id) const {
    if (!origin_.is_here()) return std::nullopt;
    const std::lock_guard lock(mutex_);
    const StreamMetadata* const found = cache_.find(stream_id);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  [[nodiscard]] std::vector<StreamMetadata> all() const {
    if (!origin_.is_here()) return {};
    const std::lock_guard lock(mutex_);
    return cache_.all();
  }
  [[nodiscard]] MetadataStats stats() const {
    if (!origin_.is_here()) return {};
    const std::lock_guard lock(mutex_);
    return cache_.stats();
  }

 private:
  const Origin origin_{};
  const std::function<void(const StreamMetadata&)> on_change_;
  std::atomic<bool> closed_{false};
  mutable std::mutex mutex_;
  MetadataCache cache_;
};

}  // namespace tensorpool::detail
