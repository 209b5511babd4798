#include "roles/driver/node_ids.hpp"

namespace tensorpool::driver {

std::optional<std::uint32_t> NodeIds::assign(std::uint32_t client_id, std::optional<std::uint32_t> desired, Nanos now) {
  if (desired) {
    return may_assign(client_id, *desired, now) ? take(*desired, client_id) : std::nullopt;
  }
  if (const auto own = find(client_id)) {
    return take(*own, client_id);
  }
  for (std::uint32_t tried = 0; tried < node_id_count; ++tried) {
    const std::uint32_t candidate = next_;
    next_ = (next_ + 1) % node_id_count;
    if (is_free(candidate, now)) {
      return take(candidate, client_id);
    }
  }
  return std::nullopt;
}

bool NodeIds::may_assign(std::uint32_t client_id, std::uint32_t desired, Nanos now) const noexcept {
  if (const auto own = find(client_id)) {
    return desired == *own;
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
    if (nodes_[id].leases > 0 && nodes_[id].client_id == client_id) {
      return id;
    }
  }
  return std::nullopt;
}

bool NodeIds::is_free(std::uint32_t node_id, Nanos now) const noexcept {
  return nodes_[node_id].leases == 0 && now >= nodes_[node_id].resting_until;
}

std::optional<std::uint32_t> NodeIds::take(std::uint32_t node_id, std::uint32_t client_id) noexcept {
  nodes_[node_id].client_id = client_id;
  ++nodes_[node_id].leases;
  return node_id;
}

}  // namespace tensorpool::driver
