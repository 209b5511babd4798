#include "client/producer_attachment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "protocol/region_uri.hpp"
#include "transport/blocked_publications.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::detail {
namespace {

constexpr int consumer_silence_periods = 5;
constexpr Nanos longest_refusal_pause = 64;  // periods

}  // namespace

ProducerAttachment::ProducerAttachment(ClientContext context, std::unique_ptr<Tenancy> tenancy,
                                       std::shared_ptr<ProducerCore> core)
    : Attachment(context, std::move(tenancy)),
      core_(std::move(core)),
      own_streams_(
          context.plane, context.options, core_,
          [this](std::string message) { emit(EventKind::log, fmt::format("stream {}: {}", stream_id(), message)); }),
      progress_wishes_(progress_floor(core_->options())) {}

Status ProducerAttachment::adopt(const Grant& grant, Nanos now) {
  auto mapped = shm::RegionSet::map(grant.layout, shm::Access::read_write, policy());
  if (!mapped) return mapped.error();
  if (!publication_ || publication_generation_ != context().plane.generation()) {
    auto added = context().plane.add_descriptor_publication();
    if (!added) return added.error();
    publication_ = *std::move(added);
    publication_generation_ = context().plane.generation();
  }
  regions_ = *std::move(mapped);
  regions_->touch_activity(now);
  rival_told_ = false;
  const bool again = std::exchange(mapped_epoch_, grant.layout.epoch) != 0;
  core_->set_ids(grant.layout.stream_id, client_id(), grant.node_id);
  // The application hears of the new epoch before it can see it.
  emit(EventKind::attached, fmt::format("producer {} writes stream {} epoch {}, {} slots", client_id(),
                                        grant.layout.stream_id, grant.layout.epoch, grant.layout.nslots));
  if (again)
    emit(EventKind::remapped, fmt::format("stream {} goes on in epoch {}", grant.layout.stream_id, grant.layout.epoch));
  auto session = std::make_unique<ProducerSession>(regions_, publication_, core_->options().min_readable_slots);
  const auto untaken = core_->sessions.offer(std::move(session));
  core_->set_attached(true);
  return {};
}

void ProducerAttachment::withdraw() {
  core_->set_attached(false);
  regions_.reset();
  own_streams_.close();
}

void ProducerAttachment::on_epoch_announced(const protocol::ShmPoolAnnounce& announce, Nanos) {
  const auto header = protocol::parse_region_uri(announce.header_region_uri);
  if (!header || same_owner(header->path) || std::exchange(rival_told_, true)) return;
  emit(EventKind::log,
       fmt::format("stream {} is announced by somebody else too: producer {} in {}; consumers may follow it instead of "
                   "this producer. Give one of the two another stream id",
                   stream_id(), announce.producer_id, escape(header->path)));
}

void ProducerAttachment::on_consumer_seen(std::uint32_t consumer_id, Nanos now) {
  consumer_seen_ = now;
  core_->set_consumers_seen(true);
  own_streams_.on_alive(consumer_id, now);
}

void ProducerAttachment::on_hello(const protocol::ConsumerHello& hello, Nanos now) {
  own_streams_.on(hello, now);
  progress_asked_ = progress_wishes_.on_hello(hello, now) || progress_asked_;
}

void ProducerAttachment::on_consumer_config(const protocol::ConsumerConfig& config, Nanos now) {
  own_streams_.on(config, now);
}

void ProducerAttachment::on_consumer_gone(std::uint32_t consumer_id) { own_streams_.on_gone(consumer_id); }

bool ProducerAttachment::reclaim() noexcept {
  const bool streams = core_->own_streams.reclaim();
  const bool links = core_->progress.links.reclaim();
  const bool listeners = core_->progress.listeners.reclaim();
  return core_->sessions.reclaim() || streams || links || listeners;
}

int ProducerAttachment::each_cycle(Nanos now) {
  watch_claims(now);
  watch_descriptors(now);
  const bool news = metadata_.due(core_->metadata);
  if (news) say_metadata();
  return own_streams_.do_work(now) + serve_progress(now) + (news ? 1 : 0);
}

void ProducerAttachment::say_metadata() {
  const auto said = metadata_.say(context().plane, core_->metadata, {stream_id(), client_id(), mapped_epoch_});
  if (!said) emit(EventKind::log, said.error().message);
}

void ProducerAttachment::each_period(Nanos now) {
  say_metadata();
  if (regions_) regions_->touch_activity(now);
  // Aeron's own connected state says nothing: the driver always drains the descriptor stream.
  const bool seen =
      consumer_seen_ && now - *consumer_seen_ <= consumer_silence_periods * context().options.announce_period_ns;
  core_->set_consumers_seen(seen);
  progress_asked_ = true;  // somebody's wish may have run out
}

// --- Progress ---

// Not where the hello is read: a publication is added by running the connection, which is polled there.
int ProducerAttachment::serve_progress(Nanos now) {
  if (!std::exchange(progress_asked_, false)) return 0;
  const auto asked = progress_wishes_.tightest(now - consumer_silence_periods * context().options.announce_period_ns);
  if (asked && progress_generation_ != context().plane.generation()) {
    auto added = context().plane.add_progress_publication();
    if (!added) {
      emit(EventKind::log,
           fmt::format("stream {}: consumers asked for progress, but there is no publication for it: {}; "
                       "tried again in a period",
                       stream_id(), added.error().message));
      return 1;
    }
    progress_generation_ = context().plane.generation();
    const auto untaken = core_->progress.links.offer(std::make_unique<ProgressLink>(*std::move(added)));
  }
  core_->progress.set_limits(asked);
  return 1;
}

// The first refusal is told at once, what follows ever more rarely: a device that returns its buffers out of order
// makes some for as long as it runs, and nothing is wrong then.
void ProducerAttachment::watch_claims(Nanos now) {
  const auto oldest = core_->oldest_open_claim();
  if (oldest != oldest_claim_) {
    oldest_claim_ = oldest;
    oldest_claim_since_ = now;
  }
  const std::uint64_t refused = core_->claims_refused();
  if (now < next_refusal_report_) return;
  if (refused == refusals_told_) {
    refusal_pause_ = 0;  // a whole pause without one: the next is news
    return;
  }
  const Nanos period = context().options.announce_period_ns;
  refusal_pause_ = std::clamp(2 * refusal_pause_, period, longest_refusal_pause * period);
  next_refusal_report_ = now + refusal_pause_;
  const std::uint64_t fresh = refused - std::exchange(refusals_told_, refused);
  if (!oldest || !regions_) return;
  const std::uint32_t slots = regions_->nslots();
  const std::uint32_t most = claim_span(slots, core_->options().min_readable_slots);
  emit(EventKind::log,
       fmt::format("stream {}: {} claims or frames were refused (claims_exhausted). At most {} claims are possible "
                   "(Producer::max_claims()): {} of the {} slots stay readable for consumers, which min_readable_slots "
                   "sets. The oldest open claim is sequence {}, open for at least {} ms: commit or drop it, claim no "
                   "more than max_claims(), or attach with fewer min_readable_slots",
                   stream_id(), fresh, most, slots - most, slots, *oldest,
                   (now - oldest_claim_since_) / nanos_per_milli));
}

// A tethered subscriber, and a lone one, is never evicted: if it does not read, nobody hears of any frame.
void ProducerAttachment::watch_descriptors(Nanos now) {
  const ProducerStats stats = core_->counted();
  if (!descriptor_watch_.see(stats.published, stats.descriptors_dropped, now)) return;
  core_->count_descriptor_stall();
  emit(EventKind::descriptors_blocked,
       fmt::format("stream {}: its descriptors have been dropped for more than a second, because the descriptor stream "
                   "is full. The subscriber that does not read it is {}. Consumers of this library find the frames in "
                   "the ring, others see a gap. End that client, or let it subscribe with tether=false",
                   stream_id(), blocking_subscriber()));
}

std::string ProducerAttachment::blocking_subscriber() const {
  const std::string& named = context().options.aeron_dir;
  const std::string aeron_dir = named.empty() ? transport::default_aeron_dir() : named;
  const auto counters = transport::read_counters(aeron_dir);
  if (!counters) return fmt::format("not known: {}", counters.error().message);
  for (const auto& blocked : transport::blocked_publications(*counters)) {
    if (publication_ && blocked.session_id == publication_->session_id() &&
        blocked.stream_id == publication_->stream_id()) {
      return transport::describe_subscriber(blocked);
    }
  }
  return fmt::format("not known from the counters in {}", aeron_dir);
}

void ProducerAttachment::report_qos() {
  counters_.show(context().plane, counter_owner(), core_->counted(), core_->open_claims());
  // An application that has not looked at the new epoch yet has published nothing in it.
  const std::uint64_t next = core_->epoch() == mapped_epoch_ ? core_->next_seq() : 0;
  static_cast<void>(context().plane.send_qos(
      protocol::QosProducer{stream_id(), client_id(), mapped_epoch_, next == 0 ? 0 : next - 1, std::nullopt}));
}

}  // namespace tensorpool::detail
