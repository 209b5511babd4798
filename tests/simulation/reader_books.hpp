// Holds a consumer's statistics against what was really written (I5): within an epoch they cover first_seq to last_seq,
// an epoch's books close at its producer's last sequence, and an epoch that passed by unseen is booked whole.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <set>
#include <string>

#include "simulation/truth.hpp"
#include "tensorpool/consumer.hpp"

namespace tensorpool::simulation {

class ReaderBooks {
 public:
  ReaderBooks(const Truth& truth, std::uint32_t stream_id) : truth_(truth), stream_id_(stream_id) {}

  // What the conductor did since the last poll: at most it booked epochs that passed by. Nothing if all is right.
  [[nodiscard]] std::optional<std::string> before_poll(const ConsumerStats& stats);
  [[nodiscard]] std::optional<std::string> after_poll(const ConsumerStats& stats);

 private:
  [[nodiscard]] std::uint64_t end_of(std::uint64_t epoch) const { return truth_.next_seq(stream_id_, epoch); }
  [[nodiscard]] bool explains(std::uint64_t settled, std::uint64_t in_epoch, const ConsumerStats& stats) const;

  const Truth& truth_;
  const std::uint32_t stream_id_;
  ConsumerStats last_;
  // Of `accounted`: what is not of the current epoch. Several may be possible, since an epoch without an entry and one
  // with its first sequence alone look the same.
  std::set<std::uint64_t> settled_{0};
  std::uint64_t end_before_ = 0;  // of the current epoch, before the poll
};

inline std::string shown(const ConsumerStats& stats) {
  return fmt::format("epoch {} first {} last {}, accounted {} = delivered {} + abandoned {} + lost {}; remaps {}",
                     stats.epoch, stats.first_seq, stats.last_seq, stats.accounted, stats.delivered, stats.abandoned,
                     stats.lost_total(), stats.remaps);
}

inline std::optional<std::string> ReaderBooks::before_poll(const ConsumerStats& stats) {
  const std::uint64_t grown = stats.accounted - last_.accounted;
  if (stats.epoch != last_.epoch) return "its epoch changed without a poll";
  if (grown > 0 && stats.remaps == last_.remaps) return fmt::format("{} were booked without a poll", grown);
  if (grown > truth_.written_between(stream_id_, last_.epoch, ~std::uint64_t{0})) {
    return fmt::format("{} were booked for epochs that passed by, more than were written", grown);
  }
  std::set<std::uint64_t> moved;
  for (const std::uint64_t settled : settled_) moved.insert(settled + grown);
  settled_ = std::move(moved);
  last_ = stats;
  end_before_ = end_of(stats.epoch);
  return std::nullopt;
}

inline std::optional<std::string> ReaderBooks::after_poll(const ConsumerStats& stats) {
  if (stats.accounted != stats.delivered + stats.abandoned + stats.lost_total()) return "the sum is wrong";
  if (stats.accounted < last_.accounted) return "it accounts for less than before";
  if (stats.epoch < last_.epoch) return "its epoch went back";
  std::set<std::uint64_t> possible;
  for (const std::uint64_t settled : settled_) {
    for (const std::uint64_t in_epoch : {std::uint64_t{0}, stats.last_seq - stats.first_seq + 1}) {
      if (explains(settled, in_epoch, stats)) possible.insert(stats.accounted - in_epoch);
    }
  }
  if (possible.empty()) {
    return fmt::format("{} to {} were written in the epoch before, {} in this one, and it had {}", end_before_,
                       end_of(last_.epoch), end_of(stats.epoch), shown(last_));
  }
  settled_ = std::move(possible);
  last_ = stats;
  return std::nullopt;
}

// Whether `in_epoch` entries of the current epoch can be what the poll led to.
inline bool ReaderBooks::explains(std::uint64_t settled, std::uint64_t in_epoch, const ConsumerStats& stats) const {
  if (in_epoch == 0 && stats.last_seq != 0) return false;
  if (in_epoch > 0 && stats.last_seq >= end_of(stats.epoch)) return false;
  if (stats.accounted < settled + in_epoch) return false;
  const std::uint64_t passed = stats.accounted - in_epoch - settled;
  const std::uint64_t had = last_.accounted - settled;  // of the epoch as it was
  if (stats.epoch == last_.epoch) {
    if (had > in_epoch || (had > 0 && stats.first_seq != last_.first_seq)) return false;
    const bool may_pass = stats.remaps != last_.remaps;  // others, while this one was read
    return passed <= (may_pass ? truth_.written_between(stream_id_, stats.epoch, ~std::uint64_t{0}) : 0);
  }
  const std::uint64_t least = had > 0 ? end_before_ - last_.first_seq : 0;
  const std::uint64_t most = end_of(last_.epoch) - (had > 0 ? last_.first_seq : 0) +
                             truth_.written_between(stream_id_, last_.epoch, stats.epoch);
  return passed >= least && passed <= most;
}

}  // namespace tensorpool::simulation
