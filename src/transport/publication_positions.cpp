#include "transport/publication_positions.hpp"

#include <cstring>

#include "transport/counters.hpp"

namespace tensorpool::transport {
namespace {

// Aeron's "pub-pos (sampled)", and the beginning of its key: registration id, session id, stream id.
constexpr std::int32_t publisher_position_type = 12;
constexpr std::size_t session_at = 8;
constexpr std::size_t stream_at = 12;
constexpr std::size_t key_begin_bytes = 16;

std::int32_t i32_at(const std::vector<std::byte>& key, std::size_t offset) {
  std::int32_t value = 0;
  std::memcpy(&value, key.data() + offset, sizeof value);
  return value;
}

}  // namespace

Result<std::vector<PublicationPosition>> publication_positions(const std::string& aeron_dir, std::int32_t stream_id) {
  const auto counters = read_counters(aeron_dir);
  if (!counters) return counters.error();
  std::vector<PublicationPosition> positions;
  for (const CounterValue& counter : *counters) {
    if (counter.type_id != publisher_position_type || counter.key.size() < key_begin_bytes) continue;
    if (i32_at(counter.key, stream_at) != stream_id) continue;
    positions.push_back({i32_at(counter.key, session_at), counter.value});
  }
  return positions;
}

}  // namespace tensorpool::transport
