// What was really written, frame by frame: what readers say they read is held against it. A frame's length and content
// follow from its stream, epoch and sequence, so that no other frame, nor any mixture of two, is taken for it.
#pragma once

#include <cstring>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "simulation/random.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::simulation {

struct FrameKey {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;

  [[nodiscard]] std::uint64_t hash() const noexcept {
    return mixed(mixed(mixed(stream_id + 1) + epoch) + seq * 0x9E3779B97F4A7C15);
  }
  [[nodiscard]] std::size_t size(std::size_t longest) const noexcept { return 1 + hash() % longest; }
  [[nodiscard]] std::uint64_t trace_id() const noexcept { return hash() | 1; }
};

// `part` begins `offset` bytes into the frame.
inline void fill(std::span<std::byte> part, const FrameKey& key, std::size_t offset = 0) noexcept {
  const std::uint64_t hash = key.hash();
  for (std::size_t i = 0; i < part.size(); ++i) {
    const std::uint64_t word = mixed(hash + (offset + i) / 8);
    part[i] = static_cast<std::byte>(word >> ((offset + i) % 8 * 8));
  }
}

inline bool is_content(std::span<const std::byte> part, const FrameKey& key, std::size_t offset = 0) noexcept {
  const std::uint64_t hash = key.hash();
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (i == 0 || (offset + i) % 8 == 0) word = mixed(hash + (offset + i) / 8);
    if (part[i] != static_cast<std::byte>(word >> ((offset + i) % 8 * 8))) return false;
  }
  return true;
}

enum class FrameFate : std::uint8_t { open, committed, abandoned };

struct EpochTruth {
  int writer = 0;  // who was granted it
  std::vector<FrameFate> frames;
  std::vector<Nanos> timestamps;

  [[nodiscard]] std::uint64_t next_seq() const noexcept { return frames.size(); }
};

class Truth {
 public:
  // nullptr: nobody ever wrote there.
  [[nodiscard]] const EpochTruth* find(std::uint32_t stream_id, std::uint64_t epoch) const {
    const auto at = epochs_.find({stream_id, epoch});
    return at == epochs_.end() ? nullptr : &at->second;
  }
  [[nodiscard]] EpochTruth& at(std::uint32_t stream_id, std::uint64_t epoch) { return epochs_[{stream_id, epoch}]; }
  [[nodiscard]] std::uint64_t next_seq(std::uint32_t stream_id, std::uint64_t epoch) const {
    const EpochTruth* const found = find(stream_id, epoch);
    return found == nullptr ? 0 : found->next_seq();
  }
  // Of all epochs strictly between the two.
  [[nodiscard]] std::uint64_t written_between(std::uint32_t stream_id, std::uint64_t after,
                                              std::uint64_t before) const {
    std::uint64_t frames = 0;
    for (auto it = epochs_.upper_bound({stream_id, after}); it != epochs_.end() && it->first.first == stream_id; ++it) {
      if (it->first.second < before) frames += it->second.next_seq();
    }
    return frames;
  }

 private:
  std::map<std::pair<std::uint32_t, std::uint64_t>, EpochTruth> epochs_;
};

}  // namespace tensorpool::simulation
