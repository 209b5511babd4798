#include "apps/tp/client_names.hpp"

#include <cstring>
#include <string_view>

#include "client/attachment_counters.hpp"
#include "protocol/lease_label.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr std::int32_t client_heartbeat_type = 11;  // Aeron's; its key is the id of the Aeron client

// "client-heartbeat: 5 name=tp publish 1001 version=1.44.1 commit=abc" to "tp publish 1001".
std::string name_on(std::string_view label) {
  const std::size_t at = label.find("name=");
  if (at == std::string_view::npos) return {};
  label.remove_prefix(at + 5);
  return std::string(label.substr(0, label.find(" version=")));
}

}  // namespace

ClientNames client_names_in(const std::vector<transport::CounterValue>& counters, std::int32_t control_stream_id) {
  std::map<std::int64_t, std::string> by_aeron_client;
  for (const transport::CounterValue& counter : counters) {
    std::int64_t id = 0;
    if (counter.type_id != client_heartbeat_type || counter.key.size() < sizeof id) continue;
    std::memcpy(&id, counter.key.data(), sizeof id);
    by_aeron_client[id] = name_on(counter.label);
  }
  ClientNames names;
  for (const transport::CounterValue& counter : counters) {
    const auto label = tensorpool::detail::parse_counter_label(counter.label);
    if (!label || label->owner.control_stream_id != control_stream_id) continue;
    const auto found = by_aeron_client.find(counter.owner_client_id);
    if (found != by_aeron_client.end() && !found->second.empty()) {
      names[{label->owner.stream_id, label->owner.client_id}] = found->second;
    }
  }
  return names;
}

std::uint32_t producer_in(const std::vector<transport::CounterValue>& counters, std::int32_t control_stream_id,
                          std::uint32_t stream_id) {
  for (const transport::CounterValue& counter : counters) {
    const auto lease = protocol::parse_lease_label(counter.label);
    if (lease && lease->control_stream_id == control_stream_id && lease->stream_id == stream_id &&
        lease->role == protocol::Role::producer) {
      return lease->client_id;
    }
    const auto label = tensorpool::detail::parse_counter_label(counter.label);
    if (label && label->owner.control_stream_id == control_stream_id && label->owner.stream_id == stream_id &&
        label->owner.role == protocol::Role::producer) {
      return label->owner.client_id;
    }
  }
  return 0;
}

}  // namespace tensorpool::apps::tp
