#include "roles/driver/former_life.hpp"

#include <string_view>

#include "transport/publication_positions.hpp"

namespace tensorpool::driver {

namespace {

constexpr std::string_view ipc = "aeron:ipc";
constexpr Nanos untold_is_old_ns = 150 * nanos_per_milli;

}  // namespace

FormerLife::FormerLife(const std::string& aeron_dir, const std::string& channel, std::int32_t stream_id) {
  const auto positions = transport::publication_positions(aeron_dir, stream_id);
  if (!positions) {
    return;
  }
  knows_all_ = channel.starts_with(ipc);
  for (const transport::PublicationPosition& one : *positions) {
    positions_.emplace(one.session_id, one.position);
  }
}

bool FormerLife::has_sent(const transport::Subscription& inbox, Nanos since_start) const {
  const std::int32_t session_id = inbox.fragment_session_id();
  const auto at_start = positions_.find(session_id);
  if (at_start == positions_.end()) {
    return !knows_all_ && since_start < untold_is_old_ns;
  }
  const bool is_another = inbox.lost_image_of(session_id, 0);  // which took the session id of one that is gone
  return !is_another && inbox.fragment_position() <= at_start->second;
}

}  // namespace tensorpool::driver
