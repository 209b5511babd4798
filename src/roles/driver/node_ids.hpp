// NodeIds: the 10-bit node part of trace ids. A client keeps its id while it holds a lease; after that the id rests for
// a while, so that two processes never make trace ids of the same millisecond with the same node.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "tensorpool/time.hpp"

namespace tensorpool::driver {

inline constexpr std::uint32_t node_id_count = 1024;

class NodeIds {
 public:
  explicit NodeIds(Nanos cooldown_ns) : cooldown_ns_(cooldown_ns) {}

  // The client's id, or the next free one, or `desired`; nothing if that is taken, resting or out of range. Each
  // success is given back by one release.
  [[nodiscard]] std::optional<std::uint32_t> assign(std::uint32_t client_id, std::optional<std::uint32_t> desired,
                                                    Nanos now);
  // Whether assign() would give the client that very id; changes nothing.
  [[nodiscard]] bool may_assign(std::uint32_t client_id, std::uint32_t desired, Nanos now) const noexcept;
  void release(std::uint32_t node_id, Nanos now) noexcept;

 private:
  struct Node {
    std::uint32_t client_id = 0;
    std::uint32_t leases = 0;  // of that client; 0 = free
    Nanos resting_until = 0;
  };

  [[nodiscard]] std::optional<std::uint32_t> find(std::uint32_t client_id) const noexcept;
  [[nodiscard]] bool is_free(std::uint32_t node_id, Nanos now) const noexcept;
  std::optional<std::uint32_t> take(std::uint32_t node_id, std::uint32_t client_id) noexcept;

  Nanos cooldown_ns_;
  std::uint32_t next_ = 1;  // 0 is given last: peers may read it as "none"
  std::array<Node, node_id_count> nodes_{};
};

}  // namespace tensorpool::driver
