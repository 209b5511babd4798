#include "client/consumer_core.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "client/frame_access.hpp"
#include "client/partial_frame_access.hpp"

namespace tensorpool::detail {
namespace {

// Fragments taken from the subscription at a time, and at most in one go.
constexpr int drain_batch = 64;
constexpr int drain_limit = 4096;
constexpr Nanos longest_wait_ns = 3600 * nanos_per_second;
// From one look into the ring to the next, in polls that find nothing: a producer is done with a frame's descriptor
// long before, and where polls are a millisecond apart it is still soon.
constexpr unsigned polls_per_look = 64;
// A frame that seems older has its time from another clock.
constexpr Nanos longest_latency_ns = 60 * nanos_per_second;

LossCause cause_of(shm::SlotFault fault) noexcept {
  switch (fault) {
    case shm::SlotFault::in_progress:
    case shm::SlotFault::older:
      return LossCause::not_committed;
    case shm::SlotFault::newer:
    case shm::SlotFault::overwritten:
      return LossCause::overwritten;
    default:
      return LossCause::invalid_header;
  }
}

}  // namespace

ConsumerCore::~ConsumerCore() {
  delete current_;
  delete next_;
}

void ConsumerCore::close() noexcept {
  assert(!in_callback_ && "a Consumer was destroyed by its own callback");
  pick_up();
  if (next_ != nullptr) sessions.retire(std::exchange(next_, nullptr));
  if (current_ != nullptr) sessions.retire(std::exchange(current_, nullptr));
  progress.close();
  closed_.store(true, std::memory_order_release);
}

void ConsumerCore::set_ids(std::uint32_t stream_id, std::uint32_t client_id) noexcept {
  stream_id_.store(stream_id, std::memory_order_relaxed);
  client_id_.store(client_id, std::memory_order_relaxed);
}

ConsumerStats ConsumerCore::stats() const noexcept {
  ConsumerStats stats = ledger_.stats();
  stats.progress = progress.stats();
  stats.latency_samples = latency_samples_.get();
  stats.latency_sum_ns = latency_sum_.get();
  stats.unannounced = unannounced_.get();
  stats.stale_seen = stale_seen_.get();
  const std::uint64_t frames = passed_by_frames_.get();
  const std::uint64_t abandoned = passed_by_abandoned_.get();
  stats.lost[static_cast<std::size_t>(LossCause::skipped)] += frames;
  stats.abandoned += abandoned;
  stats.accounted += frames + abandoned;
  stats.remaps += passed_by_epochs_.get();
  stats.configs_refused = configs_refused_.get();
  stats.regions_lost = regions_lost_.get();
  stats.no_frames = no_frames_.get();
  return stats;
}

void ConsumerCore::set_terms(const ConsumerTerms& terms) {
  use_shm_.store(terms.use_shm, std::memory_order_relaxed);
  rate_interval_.store(terms.mode == ConsumerMode::rate_limited ? interval_of_rate(terms.max_rate_hz) : 0,
                       std::memory_order_relaxed);
  const std::lock_guard lock(terms_mutex_);
  terms_ = terms;
}

ConsumerTerms ConsumerCore::terms() const {
  if (!origin_.is_here()) return {};  // the lock may have been taken when the parent forked
  const std::lock_guard lock(terms_mutex_);
  return terms_;
}

int ConsumerCore::poll(Handler call, void* context, int limit) noexcept {
  // What a child took from the subscription would be lost for its parent.
  if (in_callback_ || !origin_.is_here()) [[unlikely]]
    return 0;
  if (sessions.has_offer()) [[unlikely]]
    pick_up();
  if (current_ == nullptr) return 0;
  selection_.gate.set_interval(rate_interval_.load(std::memory_order_relaxed));
  drain();
  const bool readable = attached() && use_shm_.load(std::memory_order_relaxed);
  if (readable && current_->pending.empty() && ++empty_polls_ % polls_per_look == 0) [[unlikely]]
    look_for_unannounced();
  int calls = 0;
  // Frames that do not open count too, or a producer that sends nothing else would keep us here for ever.
  std::int64_t attempts = std::int64_t{limit} + current_->regions->nslots();
  while (calls < limit && attempts-- > 0) {
    if (current_->pending.empty()) {
      if (!can_switch()) break;
      switch_over();
      continue;
    }
    if (!readable) {
      give_up_front(LossCause::unmapped);
      continue;
    }
    if (lags()) [[unlikely]]
      skip_to_newest();
    if (deliver_front(call, context)) ++calls;
    if (!origin_.is_here()) [[unlikely]]
      break;  // the callback forked, and this is the child
    // The callback took its time: know how far the stream has come before another payload is touched.
    if (calls < limit && !current_->pending.empty() && may_lag()) drain();
  }
  return calls;
}

bool ConsumerCore::wait(Nanos timeout) noexcept {
  if (in_callback_) return false;
  const Nanos deadline = monotonic_now() + std::clamp<Nanos>(timeout, 0, longest_wait_ns);
  const bool here = origin_.is_here();
  for (;;) {
    if (here) pick_up();
    // The slot before the descriptors: the order is what no frame slips through (client/frame_wait.hpp).
    if (here && current_ != nullptr) frame_wait_.look(*current_->regions, current_->pending.expected());
    if (here && has_work()) return true;
    const Nanos left = deadline - monotonic_now();
    if (left <= 0) return false;
    // A word that is ahead of its slot would end every sleep at once.
    if (current_ == nullptr || !attached() || current_->pending.expected() == stale_seq_) {
      frame_wait_.nap();
    } else if (frame_wait_.saw_frame()) {
      return true;
    } else {
      frame_wait_.sleep(*current_->regions, left);
      look_for_unannounced();
    }
  }
}

// Whether a poll would deliver, book or change over.
bool ConsumerCore::has_work() noexcept {
  if (current_ == nullptr) return false;
  drain();
  return !current_->pending.empty() || can_switch();
}

int ConsumerCore::poll_progress(ProgressHandler call, void* context, int limit) noexcept {
  if (in_callback_ || !origin_.is_here()) return 0;
  pick_up();
  if (current_ == nullptr || !attached() || !use_shm_.load(std::memory_order_relaxed)) return 0;
  int calls = 0;
  progress.poll(current_->regions->stream_id(), limit, [&](const protocol::FrameProgress& message) {
    ConsumerSession* const session = session_of(message.epoch);
    if (session == nullptr) return progress.wrong_epoch();
    shm::SlotView slot;
    if (!progress.accept(message, session->reader, slot)) return;
    ++calls;
    progress.delivered();
    in_callback_ = true;
    PartialFrameAccess::lend(message, slot, [&](const PartialFrame& lent) { call(context, lent); });
    in_callback_ = false;
  });
  return calls;
}

// --- Descriptors ---

// spec: behaviour, Consumer: stream id is mine, mapped, epoch equal; else drop and count, never unmap on a descriptor.
// Returns the session that it was queued in, if it was.
[[gnu::always_inline]] inline ConsumerSession* ConsumerCore::on_descriptor(
    const protocol::DescriptorFields& descriptor) noexcept {
  // Several streams share a descriptor stream.
  if (descriptor.stream_id != current_->regions->stream_id()) return nullptr;
  ConsumerSession* const session = session_of(descriptor.epoch);
  if (session == nullptr) [[unlikely]] {
    ledger_.wrong_epoch();
    return nullptr;
  }
  if (const auto verdict = session->pending.judge(descriptor.seq); verdict != PendingFrames::Verdict::news)
      [[unlikely]] {
    if (verdict == PendingFrames::Verdict::implausible) {
      ledger_.malformed();
    } else {
      session->pending.complete(descriptor);
    }
    return nullptr;
  }
  if (session->pending.full()) [[unlikely]] {
    // More than a ring behind. The next epoch's books are not open yet, so there its oldest just was not its first.
    if (session == current_) {
      give_up_front(LossCause::skipped);
    } else {
      session->pending.pop();
    }
  }
  session->pending.on_descriptor(descriptor);
  session->fell_out = false;
  return session;
}

// The usual case first: no image came or went, and no session waits.
inline void ConsumerCore::drain() noexcept {
  if (next_ != nullptr || current_->subscription->images_joined() != images_joined_) [[unlikely]] {
    return drain_and_follow();
  }
  static_cast<void>(drain(*current_->subscription));
}

void ConsumerCore::drain_and_follow() noexcept {
  const bool back = came_back();
  const bool look_first = options_.start == StartAt::oldest;
  // Before the descriptors: what comes with one of them was not missed.
  const auto committed = back ? shm::committed_range(*current_->regions) : std::nullopt;
  if (look_first) resynchronise(committed);
  static_cast<void>(drain(*current_->subscription));
  drain_next();
  if (!look_first) resynchronise(committed);
}

void ConsumerCore::drain_next() noexcept {
  if (next_ == nullptr || next_->subscription == current_->subscription) return;
  if (next_->source != ConsumerSession::Source::shared_stream && !next_->proven) prove(*next_);
  if (can_switch()) static_cast<void>(drain(*next_->subscription));
}

// The producer sends each descriptor on the shared stream first, or there alone. So what the shared stream has brought
// after the first one came on ours is all that was before it, and from there on ours suffices: nothing is missed, and
// nothing twice.
void ConsumerCore::prove(ConsumerSession& own) noexcept {
  std::optional<protocol::DescriptorFields> first;
  std::int32_t carrier = 0;
  const auto on_fragment = [&](std::span<const std::byte> bytes) {
    protocol::DescriptorFields descriptor;
    if (!protocol::read_descriptor(bytes, descriptor)) return ledger_.malformed();
    first = descriptor;
    carrier = own.subscription->fragment_session_id();
  };
  for (int taken = 0; taken < drain_limit && own.subscription->poll(on_fragment, 1) == 1; ++taken) {
    if (!first || first->stream_id != own.regions->stream_id() || first->epoch != own.regions->epoch()) continue;
    drain_whole(*current_->subscription);
    if (current_->pending.judge(first->seq) == PendingFrames::Verdict::implausible) return ledger_.malformed();
    static_cast<void>(on_descriptor(*first));
    note_carrier(own, carrier);
    own.proven = true;
    return;
  }
}

bool ConsumerCore::drain(transport::Subscription& subscription) noexcept {
  const auto on_fragment = [this, &subscription](std::span<const std::byte> bytes) {
    protocol::DescriptorFields descriptor;
    if (!protocol::read_descriptor(bytes, descriptor)) return ledger_.malformed();
    ConsumerSession* const session = on_descriptor(descriptor);
    if (session != nullptr && !session->carrier) [[unlikely]] {
      note_carrier(*session, subscription.fragment_session_id());
    }
  };
  for (int taken = 0; taken < drain_limit; taken += drain_batch) {
    if (subscription.poll(on_fragment, drain_batch) < drain_batch) return true;
  }
  return false;
}

// All that has come so far, however many streams it is of. What comes meanwhile must not keep us here for ever.
void ConsumerCore::drain_whole(transport::Subscription& subscription) noexcept {
  for (int rounds = 0; rounds < 64 && !drain(subscription); ++rounds) {
  }
}

void ConsumerCore::note_carrier(ConsumerSession& session, std::int32_t session_id) noexcept {
  session.carrier = session_id;
  if (&session == current_) tell_carrier();
}

void ConsumerCore::tell_carrier() noexcept {
  carrier_.store(current_->carrier ? *current_->carrier : no_carrier, std::memory_order_relaxed);
}

// --- Frames ---

std::uint64_t ConsumerCore::skip_threshold(const shm::RegionSet& regions) const noexcept {
  if (options_.latest_only) return 0;
  std::uint64_t threshold = options_.skip_threshold != 0 ? options_.skip_threshold : regions.nslots() / 2;
  if (options_.max_outstanding_seq_gap != 0)
    threshold = std::min<std::uint64_t>(threshold, options_.max_outstanding_seq_gap);
  return threshold;
}

// A reader that takes every frame in turn under overload always holds the one that is about to be overwritten; beyond
// the threshold only the newest is worth reading (measured: 2 % valid frames against 100 %).
inline bool ConsumerCore::lags() const noexcept {
  const PendingFrame& front = current_->pending.front();
  std::uint64_t threshold = current_->skip_threshold;
  // Where we began with the oldest, the lag is our own choice; what was published since must not undo it.
  if (front.found) threshold += std::min<std::uint64_t>(threshold, current_->regions->nslots() / 4);
  return current_->pending.back().seq - front.seq > threshold;
}

void ConsumerCore::skip_to_newest() noexcept {
  const std::uint64_t newest = current_->pending.back().seq;
  while (current_->pending.front().seq != newest) give_up_front(LossCause::skipped);
}

// Whether the ring has come so far that frames will be skipped; a look at one word costs less than one for descriptors.
inline bool ConsumerCore::may_lag() const noexcept {
  const std::uint64_t threshold = current_->skip_threshold;
  if (threshold + 1 >= current_->regions->nslots()) return true;
  const std::uint64_t too_far = current_->pending.front().seq + threshold + 1;
  return protocol::seq_of(current_->reader.commit_word_value(too_far)) >= too_far;
}

void ConsumerCore::give_up_front(LossCause cause) noexcept {
  const PendingFrame& frame = current_->pending.front();
  note_missed(frame);
  ledger_.lost(frame.seq, cause);
  current_->pending.pop();
}

// Its slot's commit word is ahead of its content. The frame that the word speaks of may come yet, and its descriptor
// then must be news: as long as nothing is known of later frames, all is as if it had not been found.
void ConsumerCore::give_up_stale_front() noexcept {
  note_stale(current_->pending.front().seq);
  if (!current_->pending.take_back()) give_up_front(LossCause::stale);
}

void ConsumerCore::note_stale(std::uint64_t seq) noexcept {
  if (std::exchange(stale_seq_, seq) != seq) stale_seen_.add();
}

// Books the sequences before `end` that never came; one whose slot was found stale by that cause.
void ConsumerCore::enter_missed(std::uint64_t end, const MissedFrames& missed, LossCause cause) noexcept {
  const bool stale = missed.gaps != 0 && stale_seq_ < end && stale_seq_ >= end - missed.gaps - missed.abandoned;
  const std::uint64_t others = missed.gaps - (stale ? 1 : 0);
  ledger_.missed_before(stale ? end - 1 : end, others, missed.abandoned, cause);
  if (stale) ledger_.lost(end - 1, LossCause::stale);
}

inline void ConsumerCore::note_missed(const PendingFrame& frame) noexcept {
  if ((frame.gaps_before | frame.abandoned_before) == 0) [[likely]]
    return;
  const LossCause cause = frame.found ? LossCause::gap : cause_of_holes(*current_);
  enter_missed(frame.seq, {frame.gaps_before, frame.abandoned_before}, cause);
}

// On a stream of our own that is paced, what is missing was not sent.
LossCause ConsumerCore::cause_of_holes(const ConsumerSession& session) const noexcept {
  const bool paced = session.source == ConsumerSession::Source::own_stream && selection_.gate.limits();
  return paced ? LossCause::rate_limited : LossCause::gap;
}

// True if the callback ran.
inline bool ConsumerCore::deliver_front(Handler call, void* context) noexcept {
  // It stays as it is until something is queued, which is not while its callback runs.
  const PendingFrame& frame = current_->pending.front();
  const std::uint64_t seq = frame.seq;
  if (selection_.decimates(seq)) {
    give_up_front(LossCause::decimated);
    return false;
  }
  const bool paced = selection_.gate.limits();
  const Nanos stated = frame.has_timestamp() ? static_cast<Nanos>(frame.timestamp_ns) : 0;
  if (paced && stated != 0 && !selection_.gate.opens_at(stated, monotonic_now())) {
    give_up_front(LossCause::rate_limited);
    return false;
  }
  shm::SlotView slot;
  const shm::SlotFault fault = current_->reader.open(seq, slot);
  if (fault != shm::SlotFault::none) [[unlikely]] {
    give_up_front(cause_of(fault));
    return false;
  }
  if (current_->memory.is_stale(seq, slot.fields) && frame.timestamp_ns != slot.fields.timestamp_ns) [[unlikely]] {
    give_up_stale_front();
    return false;
  }
  current_->memory.accept(seq, slot.fields);
  // spec: wire §11: the descriptor's time, else the slot's, else the clock.
  if (paced && stated == 0 &&
      !selection_.gate.opens_at(static_cast<Nanos>(slot.fields.timestamp_ns), monotonic_now())) {
    give_up_front(LossCause::rate_limited);
    return false;
  }
  current_->pending.pop();
  note_missed(frame);
  if (const Nanos asked = latency_asked_.load(std::memory_order_relaxed); asked != 0) [[unlikely]] {
    sample_latency(asked, stated, slot);
  }
  in_callback_ = true;
  const bool whole =
      FrameAccess::lend(*current_->regions, frame, slot, [&](const Frame& lent) { call(context, lent); });
  in_callback_ = false;
  if (whole) [[likely]] {
    ledger_.delivered(seq, slot.payload.size());
    selection_.delivered(seq);
  } else {
    ledger_.lost(seq, LossCause::late);
  }
  return true;
}

void ConsumerCore::sample_latency(Nanos asked, Nanos stated, const shm::SlotView& slot) noexcept {
  latency_asked_.store(0, std::memory_order_relaxed);
  const Nanos time = stated != 0 ? stated : static_cast<Nanos>(slot.fields.timestamp_ns);
  if (time <= 0) return;
  const Nanos latency = (asked == by_the_clock ? monotonic_now() : asked) - time;
  if (latency < 0 || latency > longest_latency_ns) return;
  latency_samples_.add();
  latency_sum_.add(static_cast<std::uint64_t>(latency));
}

}  // namespace tensorpool::detail
