#include "client/counter_facts.hpp"

#include <map>
#include <tuple>

#include "client/attachment_counters.hpp"

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

namespace {

void take_figure(ClientFact& fact, std::string_view figure, std::int64_t value) {
  const auto count = static_cast<std::uint64_t>(value);
  if (figure == "bytes") fact.bytes = count;  // of both roles
  if (fact.role == protocol::Role::producer) {
    if (figure == "published") fact.published = count;
    return;
  }
  if (figure == "delivered") fact.delivered = count;
  if (figure == "latency samples") fact.latency_samples = count;
  if (figure == "latency sum ns") fact.latency_sum_ns = count;
  constexpr std::string_view loss = "lost ";
  if (!figure.starts_with(loss)) return;
  figure.remove_prefix(loss.size());
  for (std::size_t cause = 0; cause < loss_causes; ++cause) {
    if (figure != to_string(static_cast<LossCause>(cause))) continue;
    if (!fact.lost) fact.lost.emplace();
    (*fact.lost)[cause] = count;
  }
}

}  // namespace

std::vector<ClientFact> clients_in(const std::vector<transport::CounterValue>& counters, std::int32_t control_stream_id,
                                   std::size_t limit) {
  std::map<std::tuple<protocol::Role, std::uint32_t, std::uint32_t>, ClientFact> found;
  for (const transport::CounterValue& counter : counters) {
    if (counter.type_id < first_producer_counter_type) continue;
    const auto label = parse_counter_label(counter.label);
    if (!label || label->owner.control_stream_id != control_stream_id) continue;
    const std::tuple key{label->owner.role, label->owner.stream_id, label->owner.client_id};
    if (found.size() >= limit && !found.contains(key)) continue;
    ClientFact& fact = found[key];
    std::tie(fact.role, fact.stream_id, fact.client_id) = key;
    take_figure(fact, label->figure, counter.value);
  }
  std::vector<ClientFact> clients;
  for (const auto& [key, fact] : found) clients.push_back(fact);
  return clients;
}

}  // namespace tensorpool::detail
