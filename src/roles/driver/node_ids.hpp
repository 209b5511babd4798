// NodeIds: the 10-bit node part of trace ids. An id belongs to the client that had it last, also across detach and
// attach, until another client needs it: ids that no client ever had are given first, then the one released longest
// ago. Before another client gets an id, it rests for a while, so that two processes never make trace ids of the same
// millisecond with the same node.
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

  // The client's own id, or one that is free, or `desired`; nothing if that is another client's, resting or out of
  // range, or if the client uses another one. Each success is given back by one release. REQUIRES: client_id != 0.
  [[nodiscard]] std::optional<std::uint32_t> assign(std::uint32_t client_id, std::optional<std::uint32_t> desired,
                                                    Nanos now);
  // Whether assign() would give the client that very id; changes nothing.
  [[nodiscard]] bool may_assign(std::uint32_t client_id, std::uint32_t desired, Nanos now) const noexcept;
  void release(std::uint32_t node_id, Nanos now) noexcept;

 private:
  struct Node {
    std::uint32_t client_id = 0;  // which has it, or had it last; 0: no client yet. Never the same in two nodes
    std::uint32_t leases = 0;     // of that client; 0 = not in use
    Nanos resting_until = 0;      // for other clients
  };

  [[nodiscard]] std::optional<std::uint32_t> find(std::uint32_t client_id) const noexcept;
  [[nodiscard]] bool is_free(std::uint32_t node_id, Nanos now) const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> choose(Nanos now) noexcept;
  std::optional<std::uint32_t> take(std::uint32_t node_id, std::uint32_t client_id) noexcept;

  Nanos cooldown_ns_;
  std::uint32_t next_ = 1;  // 0 is given last: peers may read it as "none"
  std::array<Node, node_id_count> nodes_{};
};

}  // namespace tensorpool::driver
