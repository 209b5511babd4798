#include "roles/driver/node_ids.hpp"

namespace tensorpool::driver {

std::optional<std::uint32_t> NodeIds::assign(std::uint32_t client_id, std::optional<std::uint32_t> desired, Nanos now) {
  if (desired) {
    return may_assign(client_id, *desired, now) ? take(*desired, client_id) : std::nullopt;
  }
  const auto own = find(client_id);
  const auto chosen = own ? own : choose(now);
  return chosen ? take(*chosen, client_id) : std::nullopt;
}

bool NodeIds::may_assign(std::uint32_t client_id, std::uint32_t desired, Nanos now) const noexcept {
  const auto own = find(client_id);
  if (own && (nodes_[*own].leases > 0 || *own == desired)) {
    return *own == desired;
  }
  return desired < node_id_count && is_free(desired, now);
}

void NodeIds::release(std::uint32_t node_id, Nanos now) noexcept {
  if (node_id >= node_id_count || nodes_[node_id].leases == 0) {
    return;
  }
  Node& node = nodes_[node_id];
  if (--node.leases == 0) {
    node.resting_until = now + cooldown_ns_;
  }
}

std::optional<std::uint32_t> NodeIds::find(std::uint32_t client_id) const noexcept {
  for (std::uint32_t id = 0; id < node_id_count; ++id) {
    if (nodes_[id].client_id == client_id) {
      return id;
    }
  }
  return std::nullopt;
}

bool NodeIds::is_free(std::uint32_t node_id, Nanos now) const noexcept {
  return nodes_[node_id].leases == 0 && now >= nodes_[node_id].resting_until;
}

// The next id that no client ever had; when there is none, the one that was released longest ago.
std::optional<std::uint32_t> NodeIds::choose(Nanos now) noexcept {
  std::optional<std::uint32_t> oldest;
  for (std::uint32_t tried = 0; tried < node_id_count; ++tried) {
    const std::uint32_t candidate = (next_ + tried) % node_id_count;
    if (!is_free(candidate, now)) {
      continue;
    }
    if (nodes_[candidate].client_id == 0) {
      next_ = (candidate + 1) % node_id_count;
      return candidate;
    }
    if (!oldest || nodes_[candidate].resting_until < nodes_[*oldest].resting_until) {
      oldest = candidate;
    }
  }
  return oldest;
}

std::optional<std::uint32_t> NodeIds::take(std::uint32_t node_id, std::uint32_t client_id) noexcept {
  if (const auto former = find(client_id); former && *former != node_id) {
    nodes_[*former].client_id = 0;  // it rests on, and is any client's then
  }
  nodes_[node_id].client_id = client_id;
  ++nodes_[node_id].leases;
  return node_id;
}

}  // namespace tensorpool::driver
