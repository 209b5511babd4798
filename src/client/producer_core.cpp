#include "client/producer_core.hpp"

#include <algorithm>
#include <utility>

namespace tensorpool::detail {
namespace {

constexpr std::uint64_t none_open = ~std::uint64_t{0};

}  // namespace

std::uint32_t claim_span(std::uint32_t nslots, std::uint32_t min_readable) noexcept {
  const std::uint32_t readable = min_readable != 0 ? min_readable : nslots / 2;
  // At least one frame must be writable, whatever was asked for.
  return nslots - std::min(readable, nslots - 1);
}

ProducerCore::~ProducerCore() {
  delete current_;
  delete own_;
}

void ProducerCore::close() noexcept {
  if (ProducerSession* const untaken = sessions.take()) sessions.retire(untaken);
  if (current_ != nullptr) supersede(std::exchange(current_, nullptr));
  progress.close();
  if (claims_out_ != 0) kept_by_claims_ = shared_from_this();
  if (OwnStreams* const untaken = own_streams.take()) own_streams.retire(untaken);
  if (own_ != nullptr) own_streams.retire(std::exchange(own_, nullptr));
  closed_.store(true, std::memory_order_release);
}

// --- Sessions ---

ProducerSession* ProducerCore::current() noexcept {
  if (!origin_.is_here()) return nullptr;
  pick_up();
  return current_;
}

void ProducerCore::pick_up_own_streams() noexcept {
  OwnStreams* const taken = own_streams.take();
  if (taken == nullptr) return;
  if (own_ != nullptr) {
    taken->continue_from(*own_);
    own_streams.retire(own_);
  }
  own_ = taken;
  if (own_->empty()) own_streams.retire(std::exchange(own_, nullptr));
}

void ProducerCore::pick_up() noexcept {
  pick_up_own_streams();
  ProducerSession* const taken = sessions.take();
  if (taken == nullptr) return;
  if (current_ != nullptr) {
    // Sessions share a publication until the connection is lost.
    if (current_->publication != taken->publication) admin_retries_.add(current_->publication->admin_retries());
    supersede(current_);
  }
  current_ = taken;
  epoch_.set(current_->regions->epoch());
  note_progress(*current_);
}

[[gnu::always_inline]] inline bool ProducerCore::pick_up_attached() noexcept {
  // In this order: the conductor offers a session before it says "attached", so whoever reads that finds the session
  // too.
  const bool attached = attached_.is_set();
  if (sessions.has_offer() || own_streams.has_offer()) [[unlikely]] {
    pick_up();
  }
  return attached;
}

void ProducerCore::supersede(ProducerSession* session) noexcept {
  // Committed behind an open claim of an epoch that is over: no consumer will hear of them.
  descriptors_dropped_.add(session->claims.held_back());
  session->superseded = true;
  if (session->claims.open_claims() == 0) sessions.retire(session);
}

// --- Publishing: what is inlined here is passed by each frame, and calls would cost more than what they do ---

inline void ProducerCore::note_progress(const ProducerSession& session) noexcept {
  next_seq_.set(session.claims.next_seq());
  open_claims_.set(session.claims.open_claims());
  oldest_open_.set(session.claims.open_claims() == 0 ? none_open : session.claims.oldest_open());
}

[[gnu::always_inline]] inline ProducerCore::Stamp ProducerCore::stamp_of(const FrameInfo& info) const noexcept {
  return {info.timestamp_ns != 0 ? info.timestamp_ns : monotonic_now(),
          info.meta_version != 0 ? info.meta_version : metadata.version()};
}

[[gnu::always_inline]] inline shm::SlotMeta ProducerCore::meta_of(const TensorLayout& layout, std::size_t bytes,
                                                                  const Stamp& stamp) const noexcept {
  return {static_cast<std::uint32_t>(bytes), stamp.timestamp_ns, stamp.meta_version, &layout, layouts_.id()};
}

[[gnu::always_inline]] inline ProducerCore::Place ProducerCore::place(std::size_t bytes) noexcept {
  if (!pick_up_attached()) [[unlikely]] {
    not_attached_.add();
    return {PublishStatus::not_attached, -1};
  }
  const int pool = current_->writer.pool_for(bytes);
  if (pool < 0) [[unlikely]] {
    too_large_.add();
    return {PublishStatus::too_large, -1};
  }
  return {PublishStatus::ok, pool};
}

// Behind claims that are open: true if one more sequence would come too close to the oldest.
inline bool ProducerCore::is_crowded() noexcept {
  if (current_->claims.has_room()) return false;
  claims_refused_.add();
  return true;
}

PublishStatus ProducerCore::publish(const TensorLayout& layout, std::span<const std::byte> payload,
                                    const FrameInfo& info) noexcept {
  if (layouts_.check(layout, payload.size()) != LayoutFault::none) [[unlikely]] {
    invalid_layout_.add();
    return PublishStatus::invalid_layout;
  }
  const Place at = place(payload.size());
  if (at.status != PublishStatus::ok) [[unlikely]]
    return at.status;
  ProducerSession& session = *current_;
  if (session.claims.idle()) [[likely]] {
    const std::uint64_t seq = session.claims.pass();
    const Stamp stamp = fill(session, seq, at.pool, layout, payload, info);
    next_seq_.set(seq + 1);
    return send(session, seq, stamp, info.trace_id);
  }
  if (is_crowded()) return PublishStatus::claims_exhausted;
  const std::uint64_t seq = session.claims.open();
  const Stamp stamp = fill(session, seq, at.pool, layout, payload, info);
  session.claims.ready(seq, {stamp.timestamp_ns, stamp.meta_version, info.trace_id});
  const PublishStatus status = flush(session, seq);
  note_progress(session);
  return status;
}

// Copies the payload into the slot of `seq` and commits it.
[[gnu::always_inline]] inline ProducerCore::Stamp ProducerCore::fill(ProducerSession& session, std::uint64_t seq,
                                                                     int pool, const TensorLayout& layout,
                                                                     std::span<const std::byte> payload,
                                                                     const FrameInfo& info) noexcept {
  const std::span<std::byte> slot = session.writer.begin(seq, pool, shm::FilledBy::copy_in);
  if (!payload.empty()) session.writer.copy_in(pool, slot, payload);
  const Stamp stamp = stamp_of(info);
  session.writer.commit(seq, pool, meta_of(layout, payload.size(), stamp), shm::FilledBy::copy_in);
  published_.add();
  payload_bytes_.add(payload.size());
  return stamp;
}

Expected<SlotClaim, PublishStatus> ProducerCore::claim(std::size_t bytes) noexcept {
  const Place at = place(bytes);
  if (at.status != PublishStatus::ok) [[unlikely]]
    return at.status;
  if (is_crowded()) [[unlikely]]
    return PublishStatus::claims_exhausted;
  ProducerSession& session = *current_;
  const std::uint64_t seq = session.claims.open();
  ++claims_out_;
  note_progress(session);
  return SlotClaim(this, &session, session.writer.begin(seq, at.pool), seq, session.regions->epoch(), at.pool,
                   session.regions->pools()[static_cast<std::size_t>(at.pool)].pool_id);
}

PublishStatus ProducerCore::commit(SlotClaim& claim, const TensorLayout& layout,
                                   std::optional<std::size_t> payload_bytes, const FrameInfo& info) noexcept {
  if (!pick_up_attached() || claim.session_ != current_) [[unlikely]] {
    // The epoch is over. The slot keeps its in-progress word: the old epoch's readers see a sequence that was given up.
    abandon(claim);
    return PublishStatus::stale_claim;
  }
  ProducerSession& session = *current_;
  const LayoutFault fault = layouts_.check(layout, payload_bytes.value_or(claim.payload_.size()));
  const std::size_t bytes = payload_bytes.value_or(layouts_.extent_bytes());
  if (fault != LayoutFault::none || !fits_its_claim(claim, layout, bytes)) [[unlikely]] {
    invalid_layout_.add();
    abandon(claim);
    return PublishStatus::invalid_layout;
  }
  const Stamp stamp = stamp_of(info);
  session.writer.commit(claim.seq_, claim.pool_, meta_of(layout, bytes, stamp));
  published_.add();
  payload_bytes_.add(bytes);
  const std::uint64_t seq = claim.seq_;
  PublishStatus status;
  if (session.claims.complete_alone(seq)) {
    status = send(session, seq, stamp, info.trace_id);
  } else {
    session.claims.ready(seq, {stamp.timestamp_ns, stamp.meta_version, info.trace_id});
    status = flush(session, seq);
  }
  if (claim.described_) progress.completed(key_of(claim), in_flight(claim), bytes);
  settle(claim);
  return status;
}

void ProducerCore::abandon(SlotClaim& claim) noexcept {
  if (!origin_.is_here()) return;  // the slot is the parent's to fill
  auto& session = *static_cast<ProducerSession*>(claim.session_);
  session.writer.abandon(claim.seq_);
  session.claims.abandon(claim.seq_);
  abandoned_.add();
  if (!session.superseded) static_cast<void>(flush(session, claim.seq_));
  settle(claim);
}

// The claim is done; an epoch that is over goes back with its last claim, and so does a core whose handle is gone. Not
// to be used after this.
void ProducerCore::settle(SlotClaim& claim) noexcept {
  auto* const session = static_cast<ProducerSession*>(std::exchange(claim.session_, nullptr));
  claim.payload_ = {};
  if (!session->superseded) {
    note_progress(*session);
  } else if (session->claims.open_claims() == 0) {
    sessions.retire(session);
  }
  if (--claims_out_ == 0 && kept_by_claims_) [[unlikely]]
    std::exchange(kept_by_claims_, nullptr).reset();
}

// --- Progress ---

Expected<SlotClaim, PublishStatus> ProducerCore::claim(std::size_t bytes, const TensorLayout& layout) noexcept {
  if (layouts_.check(layout, bytes) != LayoutFault::none) {
    invalid_layout_.add();
    return PublishStatus::invalid_layout;
  }
  auto claimed = claim(bytes);
  if (!claimed) return claimed;
  // Its time stamp is not known yet. Before STARTED: whoever hears of the frame finds its header.
  current_->writer.write_header(claimed->seq_, claimed->pool_, meta_of(layout, bytes, {0, 0}));
  claimed->described_ = true;
  progress.started(key_of(*claimed), in_flight(*claimed), layout, bytes);
  return claimed;
}

ProgressStatus ProducerCore::tell_progress(const SlotClaim& claim, std::size_t bytes_filled) noexcept {
  if (!pick_up_attached() || claim.session_ != current_) return ProgressStatus::stale_claim;
  if (!claim.described_) return progress.refuse();
  current_->writer.expose();
  return progress.filled(key_of(claim), in_flight(claim), bytes_filled);
}

bool ProducerCore::fits_its_claim(const SlotClaim& claim, const TensorLayout& layout, std::size_t bytes) noexcept {
  if (bytes > claim.payload_.size()) return false;
  if (!claim.described_) return true;
  // Readers of a frame in flight copied the header that the claim wrote; another one now could reach them in half. And
  // what was said to be final stays in the frame.
  const FrameInFlight& told = in_flight(claim);
  return told.layout == layout && bytes >= told.filled_bytes;
}

FrameInFlight& ProducerCore::in_flight(const SlotClaim& claim) noexcept {
  const auto& session = *static_cast<const ProducerSession*>(claim.session_);
  return session.in_flight[claim.seq_ & (session.regions->nslots() - 1)];
}

FrameKey ProducerCore::key_of(const SlotClaim& claim) noexcept {
  return {static_cast<const ProducerSession*>(claim.session_)->regions->stream_id(), claim.epoch_, claim.seq_};
}

// --- Descriptors ---

[[gnu::always_inline]] inline PublishStatus ProducerCore::send(ProducerSession& session, std::uint64_t seq,
                                                               const Stamp& stamp,
                                                               const std::optional<std::uint64_t>& trace_id) noexcept {
  const auto write = [&](std::byte* to) {
    session.descriptor.write(to, seq, static_cast<std::uint64_t>(stamp.timestamp_ns), stamp.meta_version, trace_id);
  };
  const transport::OfferResult result =
      session.publication->try_claim(protocol::descriptor_bytes, [&](std::span<std::byte> out) { write(out.data()); });
  // After the shared stream, always: a consumer that changes over relies on it (ConsumerCore::prove).
  if (own_ != nullptr) [[unlikely]] {
    protocol::DescriptorBytes descriptor;
    write(descriptor.data());
    own_streams_full_.add(own_->send(descriptor, stamp.timestamp_ns));
  }
  if (options_.wake_consumers) wake_consumers(session, seq);
  if (result == transport::OfferResult::ok) [[likely]] {
    return consumers_seen_.load(std::memory_order_relaxed) ? PublishStatus::ok : PublishStatus::no_consumer;
  }
  if (result == transport::OfferResult::not_connected) return PublishStatus::no_consumer;  // nobody to be told
  // Never waited for: the frame is in the ring, its consumers see a gap.
  descriptors_dropped_.add();
  return PublishStatus::descriptor_dropped;
}

// After the descriptor of `seq` went out. Also those who wait for a sequence that was given up before it: they can not
// tell it from one that is still being filled.
void ProducerCore::wake_consumers(ProducerSession& session, std::uint64_t seq) noexcept {
  const std::uint64_t nslots = session.regions->nslots();
  if (seq - session.wake_next >= nslots) session.wake_next = seq - std::min(seq, nslots - 1);
  while (session.wake_next <= seq) session.writer.wake(session.wake_next++);
}

// Sends what no open claim holds back. The status is that of `seq`; ok if it stays queued.
PublishStatus ProducerCore::flush(ProducerSession& session, std::uint64_t seq) noexcept {
  PublishStatus status = PublishStatus::ok;
  session.claims.flush([&](std::uint64_t next, const FrameInfo& info) {
    const PublishStatus sent = send(session, next, {info.timestamp_ns, info.meta_version}, info.trace_id);
    if (next == seq) status = sent;
  });
  return status;
}

// --- Ids and counters ---

void ProducerCore::set_ids(std::uint32_t stream_id, std::uint32_t client_id,
                           std::optional<std::uint32_t> node_id) noexcept {
  stream_id_.store(stream_id, std::memory_order_relaxed);
  client_id_.store(client_id, std::memory_order_relaxed);
  node_id_.store(node_id ? std::uint64_t{*node_id} + 1 : 0, std::memory_order_relaxed);
}

std::optional<std::uint32_t> ProducerCore::node_id() const noexcept {
  const std::uint64_t stored = node_id_.load(std::memory_order_relaxed);
  return stored == 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(stored - 1));
}

std::optional<std::uint64_t> ProducerCore::oldest_open_claim() const noexcept {
  const std::uint64_t seq = oldest_open_.get();
  return seq == none_open || epoch_.get() == 0 ? std::nullopt : std::optional(seq);
}

ProducerStats ProducerCore::stats() const noexcept {
  ProducerStats stats = counted();
  if (current_ != nullptr) stats.admin_retries += current_->publication->admin_retries();
  return stats;
}

ProducerStats ProducerCore::counted() const noexcept {
  ProducerStats stats;
  stats.published = published_.get();
  stats.payload_bytes = payload_bytes_.get();
  stats.abandoned = abandoned_.get();
  stats.descriptors_dropped = descriptors_dropped_.get();
  stats.descriptor_stalls = descriptor_stalls_.get();
  stats.own_streams_full = own_streams_full_.get();
  stats.admin_retries = admin_retries_.get();
  stats.too_large = too_large_.get();
  stats.invalid_layout = invalid_layout_.get();
  stats.claims_refused = claims_refused_.get();
  stats.not_attached = not_attached_.get();
  stats.regions_lost = regions_lost_.get();
  progress.add_to(stats);
  stats.epoch = epoch_.get();
  stats.first_seq = 0;
  stats.next_seq = next_seq_.get();
  return stats;
}

}  // namespace tensorpool::detail
