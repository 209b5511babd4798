// The consumer's books: every sequence from the first one on gets exactly one entry, in order, epoch after epoch.
// Written by the application's thread, read by anybody. Invariant, after every call:
//   accounted = delivered + abandoned + sum(lost), and within an epoch last_seq - first_seq + 1 = what was entered for
//   it. An epoch that passed by unseen enters the sums only.
#pragma once

#include <array>
#include <cstdint>

#include "client/counter_cell.hpp"
#include "tensorpool/consumer.hpp"

namespace tensorpool::detail {

class LossLedger {
 public:
  // Entries from here on belong to `epoch`. The same epoch again changes nothing.
  void begin_epoch(std::uint64_t epoch) noexcept {
    if (epoch == epoch_.get()) return;
    epoch_.set(epoch);
    open_ = false;
    first_seq_.set(0);
    last_seq_.set(0);
  }
  void note_remap() noexcept { remaps_.add(); }

  // The next sequence of the epoch; the first entry of an epoch says where it starts.
  void delivered(std::uint64_t seq, std::uint64_t bytes = 0) noexcept {
    enter(seq, 1);
    delivered_.add();
    payload_bytes_.add(bytes);
  }
  void lost(std::uint64_t seq, LossCause cause) noexcept {
    enter(seq, 1);
    lost_[static_cast<std::size_t>(cause)].add();
  }
  // Sequences before `seq`, as many as the two counts say; `cause` is why the first kind never came.
  void missed_before(std::uint64_t seq, std::uint64_t gaps, std::uint64_t abandoned,
                     LossCause cause = LossCause::gap) noexcept {
    if (gaps + abandoned == 0) return;
    enter(seq - 1, gaps + abandoned);
    lost_[static_cast<std::size_t>(cause)].add(gaps);
    abandoned_.add(abandoned);
  }
  // All that is known of an epoch that was over before it could begin here: frames that nobody looked at, and the
  // sequences without one.
  void passed_by(std::uint64_t skipped, std::uint64_t gaps, std::uint64_t abandoned) noexcept {
    if (skipped + gaps + abandoned == 0) return;
    lost_[static_cast<std::size_t>(LossCause::skipped)].add(skipped);
    lost_[static_cast<std::size_t>(LossCause::gap)].add(gaps);
    abandoned_.add(abandoned);
    accounted_.add(skipped + gaps + abandoned);
    remaps_.add();
  }
  void wrong_epoch() noexcept { wrong_epoch_.add(); }
  void malformed() noexcept { malformed_.add(); }

  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_.get(); }
  [[nodiscard]] ConsumerStats stats() const noexcept;

 private:
  void enter(std::uint64_t last, std::uint64_t count) noexcept {
    if (!open_) {
      open_ = true;
      first_seq_.set(last + 1 - count);
    }
    last_seq_.set(last);
    accounted_.add(count);
  }

  CounterCell delivered_, payload_bytes_, abandoned_, wrong_epoch_, malformed_, remaps_, epoch_, first_seq_, last_seq_,
      accounted_;
  std::array<CounterCell, loss_causes> lost_;
  bool open_ = false;
};

}  // namespace tensorpool::detail
