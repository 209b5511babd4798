#include "client/counter_facts.hpp"

#include <map>

namespace tensorpool::detail {

std::vector<LeaseFact> leases_in(const std::vector<transport::CounterValue>& counters, std::int32_t control_stream_id,
                                 std::size_t limit) {
  std::map<std::uint64_t, LeaseFact> found;
  for (const transport::CounterValue& counter : counters) {
    const bool keepalives = counter.type_id == protocol::lease_keepalives_counter_type;
    if (!keepalives && counter.type_id != protocol::lease_expiry_counter_type) continue;
    const auto label = protocol::parse_lease_label(counter.label);
    if (!label || label->control_stream_id != control_stream_id) continue;
    if (found.size() >= limit && !found.contains(label->lease_id)) continue;
    LeaseFact& fact = found[label->lease_id];
    fact.label = *label;
    if (keepalives) {
      fact.keepalives = static_cast<std::uint64_t>(counter.value);
    } else {
      fact.expires_at = counter.value;
    }
  }
  std::vector<LeaseFact> leases;
  for (const auto& [id, fact] : found) leases.push_back(fact);
  return leases;
}

}  // namespace tensorpool::detail
