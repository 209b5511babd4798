#include "client/consumer_attachment.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"
#include "protocol/region_uri.hpp"

namespace tensorpool::detail {
namespace {

constexpr Nanos latency_sample_interval_ns = 10 * nanos_per_milli;
// A frame that is older should be in the books.
constexpr Nanos starvation_ns = nanos_per_second;

std::string_view describe(EndReason reason) noexcept {
  switch (reason) {
    case EndReason::detached:
      return "it detached";
    case EndReason::expired:
      return "its lease expired, so it was killed, stopped or cut off";
    case EndReason::revoked:
      return "the driver revoked its lease";
    case EndReason::unknown:
      break;
  }
  return "the driver announces another epoch and gave no reason";
}

}  // namespace

ConsumerAttachment::ConsumerAttachment(ClientContext context, std::unique_ptr<Tenancy> tenancy,
                                       std::shared_ptr<ConsumerCore> core)
    : Attachment(context, std::move(tenancy)),
      core_(std::move(core)),
      wishes_(core_->options(), context.options),
      producer_(context.options.announce_period_ns),
      silence_(core_->options().no_frames_timeout_ns) {
  apply_terms();
}

// --- Regions and sessions ---

Result<std::shared_ptr<shm::RegionSet>> ConsumerAttachment::map(const shm::RegionLayout& layout) const {
  auto regions = shm::RegionSet::map(layout, shm::Access::read_only, context().policy);
  if (!regions) return regions.error();
  return std::shared_ptr<shm::RegionSet>(*std::move(regions));
}

Status ConsumerAttachment::adopt(const Grant& grant, Nanos now) {
  if (generation_ != context().plane.generation()) {
    shared_.reset();
    one_.reset();
    regions_.reset();
    source_ = ConsumerSession::Source::shared_stream;
    generation_ = context().plane.generation();
  }
  core_->set_ids(grant.layout.stream_id, client_id());
  next_hello_ = now;
  if (regions_ && grant.layout.epoch <= mapped_epoch_) {
    // A later epoch was announced already, or nothing changed: a lease again, but nothing to map. A stream of our own
    // went with the old lease.
    if (source_ == ConsumerSession::Source::own_stream) {
      if (auto handed = read_shared_stream(regions_); !handed) return handed;
    }
  } else {
    auto regions = map(grant.layout);
    if (!regions) return regions.error();
    if (grant.announced) {
      if (auto alive = check_activity(**regions, now); !alive) return alive;
    }
    if (auto handed = read_shared_stream(*std::move(regions)); !handed) return handed;
    mapped_epoch_ = grant.layout.epoch;
  }
  emit(EventKind::attached, fmt::format("consumer {} reads stream {} epoch {}, {} slots", client_id(),
                                        grant.layout.stream_id, mapped_epoch_, grant.layout.nslots));
  producer_.begin(mapped_epoch_);
  core_->set_attached(true);
  return {};
}

void ConsumerAttachment::withdraw() {
  core_->set_attached(false);
  early_announce_.reset();
  wishes_.lease_ended();
  own_.reset();
  own_control_.reset();
  apply_terms();
}

void ConsumerAttachment::lose_regions() {
  core_->count_lost_regions();
  regions_.reset();
}

Status ConsumerAttachment::read_shared_stream(std::shared_ptr<shm::RegionSet> regions) {
  if (!shared_) {
    auto added = context().plane.add_descriptor_subscription();
    if (!added) return added.error();
    shared_ = *std::move(added);
  }
  may_narrow_ = may_narrow_ || regions != regions_;
  regions_ = std::move(regions);
  one_.reset();
  source_ = ConsumerSession::Source::shared_stream;
  core_->offer(std::make_unique<ConsumerSession>(regions_, shared_));
  return {};
}

void ConsumerAttachment::on_epoch_announced(const protocol::ShmPoolAnnounce& announce, Nanos now) {
  // Read together with the grant, which says whose regions are ours and is mapped first.
  if (!core_->attached()) return void(early_announce_ = announce);
  const auto header = protocol::parse_region_uri(announce.header_region_uri);
  if (header && same_owner(header->path)) producer_.on(announce, now);
  if (announce.epoch <= mapped_epoch_) return;
  auto layout = layout_from(announce);
  if (!layout) return complain(announce.epoch, layout.error().message);
  if (!same_owner(layout->header_path)) {
    return complain(
        announce.epoch,
        fmt::format("{} is not below {}, where the regions in use lie: somebody else writes a stream of the "
                    "same id; give one of the two another",
                    escape(layout->header_path), owner_directory()));
  }
  auto regions = map(*layout);
  if (!regions) return complain(announce.epoch, regions.error().message);
  // An epoch with a producer lives, or it is a leftover. An idle one has nobody to refresh it.
  if (announce.producer_id != 0 && announce.announce_clock_domain == protocol::ClockDomain::monotonic) {
    if (auto alive = check_activity(**regions, now); !alive) return complain(announce.epoch, alive.error().message);
  }
  if (auto handed = read_shared_stream(*std::move(regions)); !handed) {
    return complain(announce.epoch, handed.error().message);
  }
  mapped_epoch_ = announce.epoch;
  note_mapped(mapped_epoch_);
  emit(EventKind::remapped,
       fmt::format("consumer {} follows stream {} to epoch {}", client_id(), stream_id(), mapped_epoch_));
}

Status ConsumerAttachment::check_activity(const shm::RegionSet& regions, Nanos now) const {
  // A time ahead of the clock is from before a reboot, or nobody's.
  const Nanos activity = regions.activity();
  if (activity <= now + freshness_ns() && now - activity <= freshness_ns()) return {};
  return make_error(ErrorCode::unavailable, "its superblocks show no activity, so its producer is not alive");
}

// Once per epoch; the next announce tries again in silence.
void ConsumerAttachment::complain(std::uint64_t epoch, const std::string& why) {
  if (std::exchange(complained_epoch_, epoch) == epoch) return;
  emit(EventKind::mapping_failed,
       fmt::format("stream {} epoch {} was announced, but cannot be used: {}", stream_id(), epoch, why));
}

// --- Hello and its answers ---

int ConsumerAttachment::each_cycle(Nanos now) {
  if (const auto early = std::exchange(early_announce_, std::nullopt)) on_epoch_announced(*early, now);
  if (std::exchange(own_granted_, false)) subscribe_own_streams();
  const int work = follow_source(now) + follow_own_control() + (report_producer_end(now) ? 1 : 0);
  // A host loop fetches the clock once per turn; this turn's time serves the frames that it polls.
  if (context().options.invoker) {
    core_->ask_latency(now);
  } else if (now >= next_latency_sample_) {
    next_latency_sample_ = now + latency_sample_interval_ns;
    core_->ask_latency(ConsumerCore::by_the_clock);
  }
  if (now < next_hello_) return work;
  const Nanos wished = core_->options().hello_interval_ns;
  next_hello_ = now + (wished != 0 ? wished : context().options.announce_period_ns);
  listen_for_progress();
  static_cast<void>(context().plane.send(wishes_.hello(stream_id(), client_id())));
  return work + 1;
}

// Before the hello that asks for it.
void ConsumerAttachment::listen_for_progress() {
  if (!core_->options().progress || progress_generation_ == context().plane.generation()) return;
  auto added = context().plane.add_progress_subscription();
  if (!added) {
    return emit(EventKind::log, fmt::format("stream {}: progress cannot be heard: {}; tried again with the next hello",
                                            stream_id(), added.error().message));
  }
  progress_generation_ = context().plane.generation();
  const auto untaken = core_->progress.sources.offer(std::make_unique<ProgressSource>(*std::move(added)));
}

// Its own stream once its producer has opened it; the shared one again when it is closed.
int ConsumerAttachment::follow_own_control() {
  const bool fed = own_control_ && own_control_->is_connected();
  if (fed == own_control_heard_) return 0;
  own_control_heard_ = fed;
  if (!fed) {
    progress_generation_ = 0;
    listen_for_progress();
    return 1;
  }
  const auto untaken = core_->progress.sources.offer(std::make_unique<ProgressSource>(own_control_));
  return 1;
}

bool ConsumerAttachment::reclaim() noexcept {
  const bool sessions = core_->sessions.reclaim();
  return core_->progress.sources.reclaim() || sessions;
}

void ConsumerAttachment::on_consumer_config(const protocol::ConsumerConfig& config, Nanos now) {
  if (config.consumer_id != client_id() || !core_->attached()) return;
  const ConsumerTerms had = wishes_.terms();
  const StreamWishes::Outcome outcome = wishes_.on(config);
  switch (outcome.kind) {
    case StreamWishes::Outcome::Kind::none:
      return;
    case StreamWishes::Outcome::Kind::refused:
      core_->count_refused_config();
      if (now < next_refusal_report_) return;
      next_refusal_report_ = now + nanos_per_second;
      return emit(EventKind::log, fmt::format("stream {}: a ConsumerConfig for consumer {} was refused: {}",
                                              stream_id(), client_id(), outcome.message));
    case StreamWishes::Outcome::Kind::changed:
      // Not here: a subscription is added by running the connection, which is being polled.
      own_granted_ = own_granted_ || wishes_.terms().descriptor_stream_id != had.descriptor_stream_id ||
                     wishes_.terms().control_stream_id != had.control_stream_id;
      apply_terms();
      [[fallthrough]];
    case StreamWishes::Outcome::Kind::declined:
      return emit(EventKind::configured,
                  fmt::format("consumer {} of stream {}: {}", client_id(), stream_id(), outcome.message));
  }
}

void ConsumerAttachment::apply_terms() { core_->set_terms(wishes_.terms()); }

// --- Who writes the stream, and whether frames come ---

void ConsumerAttachment::on_producer_revoked(const protocol::ShmLeaseRevoked& revoked, Nanos now) {
  if (core_->attached()) producer_.on(revoked, now);
}

// Without a driver the tenancy tells it.
bool ConsumerAttachment::report_producer_end(Nanos now) {
  if (core_->options().standalone) return false;
  const auto end = producer_.take_end(now);
  if (!end) return false;
  emit({.kind = EventKind::producer_gone,
        .message = fmt::format("consumer {}: producer {} of stream {} epoch {} is gone: {}. What it left can still be "
                               "read; waiting for the next one",
                               client_id(), end->producer_id, stream_id(), end->epoch, describe(end->reason)),
        .epoch = end->epoch,
        .producer_id = end->producer_id,
        .reason = end->reason});
  return true;
}

void ConsumerAttachment::each_period(Nanos now) {
  if (core_->options().no_frames_timeout_ns == 0 || !regions_) return;
  const bool came = frames_came();
  const Nanos silent_ns = silence_.silent_ns(now);
  const SilenceWatch::Change change = silence_.look(came, now);
  if (change == SilenceWatch::Change::none) return;
  const double seconds = static_cast<double>(silent_ns) / 1e9;
  const std::string newest =
      newest_seq_ ? fmt::format("the newest frame is sequence {} of epoch {}", *newest_seq_, newest_epoch_)
                  : fmt::format("none was published in epoch {} yet", newest_epoch_);
  const bool silent = change == SilenceWatch::Change::silent;
  if (silent) core_->count_no_frames();
  emit({.kind = silent ? EventKind::no_frames : EventKind::frames_resumed,
        .message = silent ? fmt::format("consumer {}: no new frame in stream {} for {:.1f} s: {}; {}", client_id(),
                                        stream_id(), seconds, describe_producer(), newest)
                          : fmt::format("consumer {}: stream {} has new frames again, after {:.1f} s; {}", client_id(),
                                        stream_id(), seconds, newest),
        .epoch = mapped_epoch_,
        .producer_id = producer_.producer_id().value_or(0),
        .last_seq = newest_seq_,
        .silent_ns = silent_ns});
}

// Goes by the ring, so that an application that polls late, seldom or with a limit is told nothing wrong.
bool ConsumerAttachment::frames_came() {
  const std::optional<std::uint64_t> before = newest_seq_;
  const bool new_epoch = std::exchange(newest_epoch_, mapped_epoch_) != mapped_epoch_;
  const ConsumerStats stats = core_->stats();
  const bool got_on = !new_epoch && before && stats.epoch == mapped_epoch_ && stats.last_seq > *before;
  newest_seq_ = got_on ? stats.last_seq : shm::newest_committed(*regions_);  // a search of the whole ring
  if (!newest_seq_) return false;
  return new_epoch || !before || *newest_seq_ != *before;
}

std::string ConsumerAttachment::describe_producer() const {
  const auto producer = producer_.producer_id();
  if (!producer) return "its producer is not known yet";
  if (*producer == 0) return "it has no producer";
  return fmt::format("its producer {} is attached, and publishes nothing", *producer);
}

// --- Streams of its own ---

void ConsumerAttachment::subscribe_own_streams() {
  const ConsumerTerms& terms = wishes_.terms();
  if (terms.descriptor_stream_id != 0 && !own_) {
    own_ = subscribe("descriptor", wishes_.descriptor_stream());
    if (!own_) wishes_.give_up_descriptor_stream();
  }
  if (terms.control_stream_id != 0 && !own_control_) {
    own_control_ = subscribe("control", wishes_.control_stream());
    if (!own_control_) wishes_.give_up_control_stream();
  }
  apply_terms();
}

std::shared_ptr<transport::Subscription> ConsumerAttachment::subscribe(const char* kind, const ChannelOptions& where) {
  auto added = context().plane.add_own_subscription(where);
  if (added) return *std::move(added);
  emit(EventKind::log, fmt::format("consumer {} stays on the shared {} stream of stream {}: {}", client_id(), kind,
                                   stream_id(), added.error().message));
  return nullptr;
}

// --- Where descriptors come from ---

// One change at a time: the next one waits until the application has made the last.
int ConsumerAttachment::follow_source(Nanos now) {
  using Source = ConsumerSession::Source;
  if (!regions_ || !core_->reads_newest()) return 0;
  if (source_ != Source::shared_stream) shared_.reset();
  if (source_ == Source::own_stream) one_.reset();
  if (own_ && own_->is_connected()) return read_from(Source::own_stream, own_);
  if (one_ && one_->is_connected() && !is_starved(now)) return read_from(Source::one_publication, one_);
  if (source_ == Source::shared_stream) return narrow();
  if (auto handed = read_shared_stream(regions_); !handed) complain(mapped_epoch_, handed.error().message);
  return 1;
}

int ConsumerAttachment::read_from(ConsumerSession::Source source,
                                  const std::shared_ptr<transport::Subscription>& subscription) {
  if (source == source_) return 0;
  source_ = source;
  core_->offer(std::make_unique<ConsumerSession>(regions_, subscription, source));
  return 1;
}

// Every consumer of a shared descriptor stream reads what all its producers send. Once the publication of ours is known
// by the frames that it told of, a subscription to that one alone will do. Tried once in an epoch.
int ConsumerAttachment::narrow() {
  if (!may_narrow_ || own_ || !shared_ || shared_->image_count() < 2) return 0;
  const std::optional<std::int32_t> carrier = core_->carrier();
  if (!carrier || !context().plane.may_add_now()) return 0;
  may_narrow_ = false;
  newest_due_ = 0;
  auto added = context().plane.add_descriptor_subscription(*carrier);
  if (added) {
    one_ = *std::move(added);
  } else {
    emit(EventKind::log, fmt::format("consumer {} of stream {} goes on reading all that is sent on the shared "
                                     "descriptor stream: {}",
                                     client_id(), stream_id(), added.error().message));
  }
  return 1;
}

// Whether the publication that is read does not tell of the producer's frames: somebody else told of the first. Either
// they stay unread, or they were all found in the ring. An application that does not poll looks the same, and loses
// nothing by the shared stream.
bool ConsumerAttachment::is_starved(Nanos now) {
  if (now < next_starvation_look_) return false;
  next_starvation_look_ = now + starvation_ns;
  const auto range = shm::committed_range(*regions_);
  const std::uint64_t due = std::exchange(newest_due_, range ? range->newest : 0);
  const ConsumerStats stats = core_->stats();
  const std::uint64_t taken = stats.accounted - std::exchange(accounted_, stats.accounted);
  const std::uint64_t unannounced = stats.unannounced - std::exchange(unannounced_, stats.unannounced);
  return stats.epoch == mapped_epoch_ && (stats.last_seq < due || (unannounced > 0 && unannounced >= taken));
}

// --- QoS ---

// spec: behaviour, Consumer: dropsGap = never attempted, dropsLate = attempted and rejected. What the consumer did not
// want is neither.
void ConsumerAttachment::report_qos() {
  const ConsumerStats stats = core_->stats();
  counters_.show(context().plane, counter_owner(), stats);
  protocol::QosConsumer qos;
  qos.stream_id = stream_id();
  qos.consumer_id = client_id();
  // The epoch that last_seq is of; a newer one may be mapped already. An application that never polled has seen
  // nothing.
  qos.epoch = stats.epoch != 0 ? stats.epoch : mapped_epoch_;
  qos.last_seq_seen = stats.last_seq;
  const std::uint64_t unwanted = stats[LossCause::decimated] + stats[LossCause::rate_limited];
  qos.drops_gap = stats[LossCause::gap] + stats[LossCause::skipped] + stats[LossCause::unmapped];
  qos.drops_late = stats.lost_total() - unwanted - qos.drops_gap;
  qos.mode = wishes_.terms().mode == ConsumerMode::rate_limited ? protocol::Mode::rate_limited : protocol::Mode::stream;
  static_cast<void>(context().plane.send_qos(qos));
}

}  // namespace tensorpool::detail
