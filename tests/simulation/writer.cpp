#include "simulation/writer.hpp"

#include <algorithm>
#include <array>

#include "transport/loopback/faults.hpp"

namespace tensorpool::simulation {
namespace {

constexpr std::size_t most_readers = 16;

TensorLayout layout_of(std::size_t size) { return TensorLayout::raw_bytes(static_cast<std::int32_t>(size)); }

}  // namespace

Writer::Writer(Stage& stage, const WriterPlan& plan, std::string name)
    : stage_(stage), plan_(plan), name_(std::move(name)) {}

void Writer::attach(detail::ClientCore& client) {
  if (core_ || stage_.clock.now < retry_at_) return;
  auto pending = client.begin_attach(plan_.options);
  core_ = std::move(pending.core);
  ticket_ = std::move(pending.ticket);
  id_ = ++stage_.next_id;
  stage_.journal.note("{} asks for stream {}", name_, stream_id());
}

// An application that was refused tries again later.
void Writer::look_at_ticket() {
  if (!ticket_ || !ticket_->settled()) return;
  const Status outcome = std::exchange(ticket_, nullptr)->outcome();
  if (outcome) return;
  stage_.journal.note("{} has no attachment: {}", name_, outcome.error().message);
  close();
  retry_at_ = stage_.clock.now + stage_.random.between(1, 100) * nanos_per_milli;
}

void Writer::act() {
  look_at_ticket();
  if (!core_) return;
  for (auto things = stage_.random.below(4); things > 0; --things) {
    switch (stage_.random.below(12)) {
      case 0:
      case 1:
        open_claim();
        break;
      case 2:
      case 3:
      case 4:
        if (!claims_.empty()) end_claim(stage_.random.below(claims_.size()));
        break;
      case 5:
        if (!claims_.empty()) fill_some(claims_[stage_.random.below(claims_.size())]);
        break;
      case 6:
        change_metadata();
        break;
      case 7:
        for (auto burst = stage_.random.below(24); burst > 0; --burst) publish();
        break;
      default:
        publish();
    }
  }
}

void Writer::act_quietly(bool frame) {
  look_at_ticket();
  if (frame) publish();
}

FrameKey Writer::next_frame() {
  const detail::ProducerSession* const session = core_->current();
  return session == nullptr ? FrameKey{stream_id(), 0, 0}
                            : FrameKey{stream_id(), session->regions->epoch(), session->claims.next_seq()};
}

// The frame is the next one of its epoch, which is this writer's alone.
EpochTruth& Writer::book(const FrameKey& key) {
  EpochTruth& truth = stage_.truth.at(key.stream_id, key.epoch);
  if (truth.writer == 0) truth.writer = id_;
  if (truth.writer != id_) {
    stage_.journal.violated("I4", "{} writes to stream {} epoch {}, which is another's", name_, key.stream_id,
                            key.epoch);
  }
  if (truth.next_seq() != key.seq) {
    stage_.journal.violated("I2", "{} writes sequence {} of stream {} epoch {} after {} frames", name_, key.seq,
                            key.stream_id, key.epoch, truth.next_seq());
  }
  truth.timestamps.push_back(stage_.clock.now);
  return truth;
}

// I6: a frame is offered once to each stream, and once more after a log rotation.
void Writer::check_effort(std::uint64_t offers_before, std::size_t frames) {
  const std::uint64_t offers = transport::loopback::offers_so_far(stage_.bus) - offers_before;
  if (offers > 2 * frames * (1 + most_readers)) {
    stage_.journal.violated("I6", "{} made {} offers for {} frames", name_, offers, frames);
  }
}

void Writer::publish() {
  if (!core_) return;
  const std::size_t waiting = 1 + (claims_.empty() ? 0 : stage_.setup.standalone.nslots);
  const auto offers = transport::loopback::offers_so_far(stage_.bus);
  for (int i = 0; i < (stage_.sabotaged(Sabotage::insist) && claims_.empty() ? 40 : 1); ++i) publish_next();
  check_effort(offers, waiting);
}

void Writer::publish_next() {
  const FrameKey key = next_frame();
  std::array<std::byte, 256> bytes{};
  const std::span payload(bytes.data(), key.size(stage_.setup.longest_frame));
  fill(payload, key);
  const PublishStatus status = core_->publish(layout_of(payload.size()), payload,
                                              {.timestamp_ns = stage_.clock.now, .trace_id = key.trace_id()});
  stage_.journal.mix(static_cast<std::uint64_t>(status));
  if (!is_committed(status)) return;
  book(key).frames.push_back(FrameFate::committed);
  ++stage_.figures.published;
  if (stage_.sabotaged(Sabotage::change_content)) spoil(key);
}

void Writer::spoil(const FrameKey& key) {
  const detail::ProducerSession& session = *core_->current();
  const int pool = session.writer.pool_for(key.size(stage_.setup.longest_frame));
  session.regions->payload_slot(static_cast<std::uint32_t>(key.seq & (session.regions->nslots() - 1)), pool)[0] ^=
      std::byte{1};
}

void Writer::open_claim() {
  const FrameKey key = next_frame();
  const std::size_t size = key.size(stage_.setup.longest_frame);
  const bool described = plan_.describes && stage_.random.chance(70);
  auto claimed = described ? core_->claim(size, layout_of(size)) : core_->claim(size);
  if (!claimed) return;
  book(key).frames.push_back(FrameFate::open);
  if (claimed->seq() != key.seq || claimed->epoch() != key.epoch) {
    stage_.journal.violated("I2", "{} claimed sequence {} of epoch {} for {} of {}", name_, claimed->seq(),
                            claimed->epoch(), key.seq, key.epoch);
  }
  claims_.push_back({*std::move(claimed), key, size, 0, described});
  if (stage_.random.chance(60)) fill_some(claims_.back());
}

void Writer::fill_some(OpenClaim& open) {
  const std::size_t upto = open.filled + stage_.random.below(open.size - open.filled + 1);
  fill(open.claim.payload().subspan(open.filled, upto - open.filled), open.key, open.filled);
  open.filled = upto;
  if (open.described) static_cast<void>(open.claim.progress(open.filled));
}

void Writer::end_claim(std::size_t index) {
  OpenClaim open = std::move(claims_[index]);
  claims_.erase(claims_.begin() + static_cast<std::ptrdiff_t>(index));
  FrameFate& fate = stage_.truth.at(open.key.stream_id, open.key.epoch).frames[open.key.seq];
  fate = FrameFate::abandoned;
  if (stage_.random.chance(25)) return;
  fill(open.claim.payload().subspan(open.filled, open.size - open.filled), open.key, open.filled);
  stage_.truth.at(open.key.stream_id, open.key.epoch).timestamps[open.key.seq] = stage_.clock.now;
  const auto offers = transport::loopback::offers_so_far(stage_.bus);
  const PublishStatus status =
      std::move(open.claim)
          .commit(layout_of(open.size), {.timestamp_ns = stage_.clock.now, .trace_id = open.key.trace_id()});
  check_effort(offers, 1 + stage_.setup.standalone.nslots);
  if (is_committed(status)) {
    fate = FrameFate::committed;
    ++stage_.figures.published;
  } else if (status != PublishStatus::stale_claim) {
    stage_.journal.violated("I2", "{} cannot commit sequence {}: {}", name_, open.key.seq, to_string(status));
  }
}

void Writer::settle_claims() {
  while (!claims_.empty()) end_claim(0);
}

void Writer::change_metadata() {
  const std::string text = std::to_string(core_->metadata.version() + 1);
  const auto bytes = std::as_bytes(std::span(text));
  static_cast<void>(
      core_->metadata.set_attribute({"version", "text/plain", {bytes.begin(), bytes.end()}}, stage_.clock.now));
}

void Writer::close() {
  if (!core_) return;
  const bool claims_first = stage_.random.chance(50);
  const auto give_up = [this] {
    for (const OpenClaim& open : claims_) {
      stage_.truth.at(open.key.stream_id, open.key.epoch).frames[open.key.seq] = FrameFate::abandoned;
    }
    claims_.clear();
  };
  if (claims_first) give_up();
  core_->close();
  core_.reset();
  give_up();
  ticket_.reset();
  stage_.journal.note("{} gives its handle up", name_);
}

}  // namespace tensorpool::simulation
