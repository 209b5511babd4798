// FragmentAssembly: puts messages that a publication cut into fragments together again, per session.
//
// Bounded against anything a log may hold: a message of at most max_assembled_bytes, at most max_partial_messages begun
// at a time (the oldest gives way). A fragment that does not follow its predecessor without a gap drops its message:
// that happens after an eviction, when a subscriber joins again in the middle of one. Thread: the poller's. Nothing is
// allocated for messages of one fragment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "transport/subscription.hpp"

namespace tensorpool::transport {

struct Fragment {
  std::int32_t session_id = 0;
  std::int64_t begin_position = 0;  // where its frame begins in the stream
  std::int64_t end_position = 0;    // where the next one begins
  bool begins = false;              // first of its message
  bool ends = false;                // last of its message
  std::span<const std::byte> bytes;
};

class FragmentAssembly {
 public:
  static constexpr std::size_t max_partial_messages = 64;

  // The whole message if this fragment completes one; valid until the next call.
  std::optional<std::span<const std::byte>> add(const Fragment& fragment);

  [[nodiscard]] std::uint64_t too_long() const noexcept { return too_long_; }
  [[nodiscard]] std::size_t partial_messages() const noexcept { return partial_.size(); }

 private:
  struct Partial {
    std::int32_t session_id = 0;
    std::int64_t next_position = 0;
    std::vector<std::byte> bytes;
  };

  void begin(const Fragment& fragment);
  std::vector<Partial>::iterator find(std::int32_t session_id) noexcept;

  std::vector<Partial> partial_;  // in the order in which they began
  std::vector<std::byte> whole_;
  std::uint64_t too_long_ = 0;
};

}  // namespace tensorpool::transport
