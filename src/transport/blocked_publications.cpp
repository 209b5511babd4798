#include "transport/blocked_publications.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"

namespace tensorpool::transport {
namespace {

// Type ids of Aeron's own counters (aeron_counters.h).
constexpr std::int32_t publisher_limit = 1;
constexpr std::int32_t subscriber_position = 4;
constexpr std::int32_t client_heartbeat = 11;
constexpr std::int32_t publisher_position = 12;

// The start of the key of a stream's counter.
struct StreamKey {
  std::int64_t registration_id;
  std::int32_t session_id;
  std::int32_t stream_id;
};

std::optional<StreamKey> stream_key_of(const CounterValue& counter) {
  if (counter.key.size() < 16) return std::nullopt;
  const std::byte* const key = counter.key.data();
  return StreamKey{load_le<std::int64_t>(key), load_le<std::int32_t>(key + 8), load_le<std::int32_t>(key + 12)};
}

std::optional<std::int64_t> position_of(const std::vector<CounterValue>& counters, std::int64_t registration_id) {
  for (const CounterValue& counter : counters) {
    if (counter.type_id != publisher_position) continue;
    const auto key = stream_key_of(counter);
    if (key && key->registration_id == registration_id) return counter.value;
  }
  return std::nullopt;
}

// "client-heartbeat: 17 name=camera viewer version=1.54.0 commit=..."
std::string name_of_client(const std::vector<CounterValue>& counters, std::int64_t client_id) {
  for (const CounterValue& counter : counters) {
    if (counter.type_id != client_heartbeat || counter.key.size() < 8) continue;
    if (load_le<std::int64_t>(counter.key.data()) != client_id) continue;
    constexpr std::string_view mark = "name=";
    const std::string_view label = counter.label;
    const std::size_t at = label.find(mark);
    if (at == std::string_view::npos) return {};
    const std::string_view name = label.substr(at + mark.size());
    return std::string(name.substr(0, name.find(" version=")));
  }
  return {};
}

}  // namespace

std::vector<BlockedPublication> blocked_publications(const std::vector<CounterValue>& counters) {
  std::vector<BlockedPublication> blocked;
  for (const CounterValue& limit : counters) {
    if (limit.type_id != publisher_limit) continue;
    const auto key = stream_key_of(limit);
    const auto position = key ? position_of(counters, key->registration_id) : std::nullopt;
    if (!position || *position < limit.value) continue;
    const CounterValue* slowest = nullptr;
    for (const CounterValue& subscriber : counters) {
      if (subscriber.type_id != subscriber_position) continue;
      const auto read = stream_key_of(subscriber);
      if (!read || read->session_id != key->session_id || read->stream_id != key->stream_id) continue;
      if (slowest == nullptr || subscriber.value < slowest->value) slowest = &subscriber;
    }
    if (slowest == nullptr || slowest->value >= *position) continue;
    blocked.push_back({key->session_id, key->stream_id, *position - slowest->value, slowest->owner_client_id,
                       name_of_client(counters, slowest->owner_client_id)});
  }
  return blocked;
}

std::string describe_subscriber(const BlockedPublication& blocked) {
  if (blocked.client_id < 0) return fmt::format("a subscriber that is {} bytes behind", blocked.behind_bytes);
  return fmt::format("Aeron client {}{}, which is {} bytes behind", blocked.client_id,
                     blocked.client_name.empty() ? "" : " (" + blocked.client_name + ")", blocked.behind_bytes);
}

}  // namespace tensorpool::transport
