#include "client/loss_ledger.hpp"

#include <numeric>

namespace tensorpool {

std::uint64_t ConsumerStats::lost_total() const noexcept {
  return std::accumulate(lost.begin(), lost.end(), std::uint64_t{0});
}

std::string_view to_string(ConsumerMode mode) noexcept {
  return mode == ConsumerMode::rate_limited ? "rate_limited" : "stream";
}

std::string_view to_string(LossCause cause) noexcept {
  switch (cause) {
    case LossCause::gap:
      return "gap";
    case LossCause::skipped:
      return "skipped";
    case LossCause::overwritten:
      return "overwritten";
    case LossCause::late:
      return "late";
    case LossCause::not_committed:
      return "not_committed";
    case LossCause::invalid_header:
      return "invalid_header";
    case LossCause::unmapped:
      return "unmapped";
    case LossCause::decimated:
      return "decimated";
    case LossCause::rate_limited:
      return "rate_limited";
    case LossCause::stale:
      return "stale";
  }
  return "unknown";
}

namespace detail {

ConsumerStats LossLedger::stats() const noexcept {
  ConsumerStats stats;
  stats.delivered = delivered_.get();
  stats.payload_bytes = payload_bytes_.get();
  stats.abandoned = abandoned_.get();
  for (std::size_t cause = 0; cause < loss_causes; ++cause) stats.lost[cause] = lost_[cause].get();
  stats.wrong_epoch = wrong_epoch_.get();
  stats.malformed = malformed_.get();
  stats.remaps = remaps_.get();
  stats.epoch = epoch_.get();
  stats.first_seq = first_seq_.get();
  stats.last_seq = last_seq_.get();
  stats.accounted = accounted_.get();
  return stats;
}

}  // namespace detail
}  // namespace tensorpool
