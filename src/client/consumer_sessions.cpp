// A consumer's sessions: from one epoch, or one descriptor stream, to the next without a hole in the books; and where
// in the ring to begin.
#include <algorithm>
#include <utility>

#include "client/consumer_core.hpp"

namespace tensorpool::detail {

// --- Sessions ---

void ConsumerCore::offer(std::unique_ptr<ConsumerSession> session) {
  session->number = ++offers_;
  session->skip_threshold = skip_threshold(*session->regions);
  const std::uint64_t epoch = session->regions->epoch();
  const auto untaken = sessions.offer(nullptr);
  if (untaken && untaken->regions->epoch() == epoch) {
    session->begins_at = untaken->begins_at;
  } else if (untaken) {
    const std::uint64_t end = untaken->pending.ring_end();
    if (untaken->begins_at < end) {
      const MissedFrames missed = untaken->pending.missed(untaken->begins_at, end);
      passed_by_frames_.add(missed.gaps);
      passed_by_abandoned_.add(missed.abandoned);
      passed_by_epochs_.add();
    }
  } else if (epoch == offered_epoch_) {
    session->begins_at = ~std::uint64_t{0};  // the session that was taken before it has the books
  }
  offered_epoch_ = epoch;
  const auto none = sessions.offer(std::move(session));
}

void ConsumerCore::pick_up() noexcept {
  ConsumerSession* const taken = sessions.take();
  if (taken == nullptr) return;
  replaced_ = std::exchange(next_, taken);
  if (current_ == nullptr) return switch_over();
  // Before any descriptor is taken: the ring holds what was published before the epoch was mapped.
  const bool new_epoch = session_of(taken->regions->epoch()) == taken;
  if (options_.start == StartAt::oldest && new_epoch) find_start(*taken);
  if (replaced_ == nullptr) return;
  drain_and_follow();  // what is waiting for it belongs into its books
  pass_by(*replaced_, *taken);
  sessions.retire(std::exchange(replaced_, nullptr));
}

// Another source than the shared stream takes over only once it has brought something: until then its producer may not
// have opened it.
bool ConsumerCore::can_switch() const noexcept {
  return next_ != nullptr && (next_->source == ConsumerSession::Source::shared_stream || next_->proven);
}

// What was pending from the old epoch has been delivered; its files go back to the conductor.
void ConsumerCore::switch_over() noexcept {
  ConsumerSession* const old = std::exchange(current_, std::exchange(next_, nullptr));
  const bool same_epoch = current_->regions->epoch() == ledger_.epoch();
  if (old != nullptr) {
    if (!same_epoch) {
      close_books(*old);
    } else if (old->pending.started()) {
      current_->pending.continue_at(old->pending.expected());
    }
    if (same_epoch) std::swap(current_->memory, old->memory);
    sessions.retire(old);
  }
  if (!same_epoch && ledger_.epoch() != 0) ledger_.note_remap();
  if (!same_epoch) {
    selection_.begin_epoch();
    stale_seq_ = ~std::uint64_t{0};
  }
  ledger_.begin_epoch(current_->regions->epoch());
  note_images();
  tell_carrier();
  reading_.store(current_->number, std::memory_order_release);
  if (current_->proven) {
    // Nothing was missed between the two; and the producer, who paces our own stream, begins with a frame.
    if (current_->source == ConsumerSession::Source::own_stream) selection_.gate.restart(RateGate::Budget::full);
    return;
  }
  const auto committed = shm::committed_range(*current_->regions);
  const bool look_first = options_.start == StartAt::oldest;
  const auto look = [&] {
    if (same_epoch || !current_->pending.started()) resynchronise(committed);
  };
  if (look_first) look();
  drain_and_follow();
  if (!look_first) look();
}

// The producer's last words: frames whose descriptors were dropped or held back to the end, claims given up at the end.
void ConsumerCore::close_books(const ConsumerSession& ended) noexcept {
  if (!ended.pending.started()) return;
  const std::uint64_t end = ended.pending.ring_end();
  const MissedFrames missed = ended.pending.missed(ended.pending.expected(), end);
  enter_missed(end, missed, cause_of_holes(ended));
}

// A session that was taken and never became current. Its epoch is over, or its successor carries it on.
void ConsumerCore::pass_by(ConsumerSession& ended, ConsumerSession& successor) noexcept {
  PendingFrames& pending = ended.pending;
  const std::uint64_t epoch = ended.regions->epoch();
  if (epoch == current_->regions->epoch()) return;  // the books are the current session's
  if (epoch == successor.regions->epoch()) {
    successor.begins_at = std::min(successor.begins_at, ended.begins_at);
    if (pending.started()) successor.pending.continue_from(pending);
    return;
  }
  MissedFrames missed;
  std::uint64_t skipped = 0;
  for (; !pending.empty(); pending.pop(), ++skipped) {
    missed.gaps += pending.front().gaps_before;
    missed.abandoned += pending.front().abandoned_before;
  }
  const MissedFrames tail =
      pending.missed(pending.started() ? pending.expected() : ended.begins_at, pending.ring_end());
  missed.gaps += tail.gaps;
  missed.abandoned += tail.abandoned;
  ledger_.passed_by(skipped, missed.gaps, missed.abandoned);
}

// --- Where to begin ---

void ConsumerCore::find_start(ConsumerSession& session) noexcept {
  const auto range = shm::committed_range(*session.regions);
  if (!range) return;
  switch (options_.start) {
    case StartAt::latest:
      return session.pending.on_found(range->newest);
    case StartAt::next:
      return session.pending.begin_at(range->newest + 1);
    case StartAt::oldest:
      queue_found(session, range->oldest, range->newest);
      return;
  }
}

// After we fell out of the stream, or lost it and came back within the epoch: `newest` was in the ring before the last
// look at the descriptors, so what is not in the books yet was missed. But not what an open claim holds back.
void ConsumerCore::find_missed(ConsumerSession& session, std::uint64_t newest) noexcept {
  PendingFrames& pending = session.pending;
  const std::uint64_t end = pending.first_unsettled(newest + 1);
  if (end <= pending.expected()) return;
  if (options_.start == StartAt::oldest) {
    queue_found(session, pending.expected(), end - 1);
  } else if (options_.start == StartAt::latest) {
    if (pending.full()) give_up_front(LossCause::skipped);
    pending.on_found(end - 1);
  }
}

// Every committed frame in [from, to] that leaves the skip threshold alone, and whose slot is not stale. Returns how
// many.
std::uint64_t ConsumerCore::queue_found(ConsumerSession& session, std::uint64_t from, std::uint64_t to) noexcept {
  std::uint64_t queued = 0;
  const std::uint64_t lag = std::min({session.skip_threshold, to, std::uint64_t{session.regions->nslots()} - 1});
  for (std::uint64_t seq = std::max(from, to - lag); seq <= to; ++seq) {
    if (session.reader.commit_word_value(seq) != protocol::committed_word(seq)) continue;
    shm::SlotView slot;
    if (session.reader.open(seq, slot) == shm::SlotFault::none && session.memory.is_stale(seq, slot.fields)) {
      note_stale(seq);
      continue;
    }
    if (session.pending.full()) break;
    session.pending.on_found(seq);
    ++queued;
  }
  return queued;
}

// A frame whose descriptor was dropped is in the ring all the same. Behind it the next one usually tells of the hole;
// where nothing comes any more, as when the producer waits for an answer to this very frame, it would never be read. So
// what was committed at the last look already and still has no descriptor is taken without. Not from a stream of our
// own: what that does not bring was not meant to be sent. Nor what an open claim holds back.
void ConsumerCore::look_for_unannounced() noexcept {
  const ConsumerSession& session = *current_;
  const std::uint64_t seq = session.pending.expected();
  if (next_ != nullptr || !session.pending.started() || !session.pending.empty() ||
      session.source == ConsumerSession::Source::own_stream ||
      session.reader.commit_word_value(seq) < protocol::committed_word(seq)) {
    return;
  }
  if (std::exchange(untold_seq_, seq) != seq) return;
  const auto committed = shm::committed_range(*session.regions);
  static_cast<void>(drain(*session.subscription));  // what is announced by now comes first
  if (!committed || session.pending.expected() != seq) return;
  const std::uint64_t end = session.pending.first_unsettled(committed->newest + 1);
  if (end <= seq) return;
  unannounced_.add(queue_found(*current_, seq, end - 1));
}

void ConsumerCore::resynchronise(const std::optional<shm::CommittedRange>& committed) noexcept {
  if (!committed) return;
  if (current_->pending.started()) {
    find_missed(*current_, committed->newest);
  } else {
    find_start(*current_);
  }
}

void ConsumerCore::note_images() noexcept {
  images_joined_ = current_->subscription->images_joined();
  images_lost_ = current_->subscription->images_lost();
}

// Whether an image came that may be ours, after ours was lost or before any was known. The images of other producers on
// the descriptor stream come and go without meaning.
bool ConsumerCore::came_back() noexcept {
  const transport::Subscription& subscription = *current_->subscription;
  if (subscription.images_joined() == images_joined_) return false;
  const std::uint64_t lost_before = images_lost_;
  note_images();
  if (!current_->pending.started()) return options_.start != StartAt::next;
  if (current_->carrier && subscription.lost_image_of(*current_->carrier, lost_before)) current_->fell_out = true;
  return current_->fell_out;
}

}  // namespace tensorpool::detail
