#include "client/standalone_owner.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "shm/region_announce.hpp"

namespace tensorpool::detail {
namespace {

constexpr int fresh_periods = 3;
constexpr Nanos goodbye_limit_ns = 500 * nanos_per_milli;

}  // namespace

StandaloneOwner::StandaloneOwner(const AttachSettings& settings, const StandaloneOptions& options, RandomSource random,
                                 shm::SystemCalls& calls)
    : settings_(settings),
      random_(std::move(random)),
      client_id_(settings.client_id != 0 ? settings.client_id : nonzero_u32(random_)),
      regions_(options, settings.stream_id, fresh_periods * settings.announce_period_ns, calls) {}

void StandaloneOwner::start(Nanos now) {
  if (over_ || failed_ || state_ == State::detaching) return;
  if (!started_) deadline_ = now + std::min(settings_.attach_timeout_ns, std::numeric_limits<Nanos>::max() - now);
  started_ = true;
  state_ = State::attaching;
  backoff_.reset();
}

void StandaloneOwner::detach(Nanos now) {
  if (over_ || state_ == State::detaching) return;
  state_ = State::detaching;
  deadline_ = now + goodbye_limit_ns;
  next_announce_ = now;
}

// --- The regions ---

int StandaloneOwner::do_work(Nanos now) {
  while (auto trouble = regions_.take_trouble())
    notify(NoticeKind::trouble, {ErrorCode::io_error, *std::move(trouble)});
  if (over_) return 0;
  if (state_ == State::detaching || failed_) return take_down(now);
  if (state_ == State::backoff && now >= retry_at_) state_ = State::attaching;
  return state_ == State::attaching ? make_regions(now) : 0;
}

int StandaloneOwner::make_regions(Nanos now) {
  check_deadline(now);
  if (state_ != State::attaching) return 1;
  if (regions_.rests(now)) return 0;
  const auto made = regions_.step(now);
  if (!made) {
    give_up(made.error(), now);
  } else if (*made) {
    state_ = State::attached;
    notify(NoticeKind::granted, {});
    notices_.back().grant = Grant{0, 0, std::nullopt, regions_.layout()};
  }
  return 1;
}

// First the goodbye, then the files: nobody is to map what is about to go.
int StandaloneOwner::take_down(Nanos now) {
  if (announced_ && now < deadline_) return 0;
  if (regions_.remove_step()) return 1;
  over_ = true;
  if (!failed_) notify(NoticeKind::closed, {ErrorCode::closed, {}});
  return 1;
}

void StandaloneOwner::give_up(Error error, Nanos now) {
  error.message = fmt::format("standalone producer {}: {}", client_id_, error.message);
  const bool too_early = error.code == ErrorCode::timed_out && now < deadline_;  // the media driver was too busy
  if (attached_once_ || too_early) {
    notify(NoticeKind::refused, std::move(error));
    regions_.begin_anew();
    state_ = State::backoff;
    retry_at_ = now + backoff_.next(random_());
    return;
  }
  state_ = State::unattached;
  failed_ = true;
  notify(NoticeKind::failed, std::move(error));
}

void StandaloneOwner::check_deadline(Nanos now) {
  if (attached_once_ || now < deadline_) return;
  give_up(make_error(ErrorCode::timed_out, "stream {} was not ready within {} ms; it was {}", settings_.stream_id,
                     settings_.attach_timeout_ns / nanos_per_milli, regions_.doing()),
          now);
}

std::string StandaloneOwner::likely_reason() const {
  return "A stream of many gigabytes, or one whose former producer was killed a moment ago, may need a longer time-out";
}

// --- Announces ---

std::optional<Tenancy::Message> StandaloneOwner::due(Nanos now) {
  if (over_ || !next_announce_ || now < *next_announce_) return std::nullopt;
  if (state_ == State::attached) return shm::make_announce(regions_.layout(), client_id_, now);
  if (state_ == State::detaching && announced_ && now < deadline_) return shm::make_announce(regions_.layout(), 0, now);
  return std::nullopt;
}

void StandaloneOwner::sent(const Message&, Nanos now) {
  announced_ = state_ == State::attached;
  next_announce_ = now + settings_.announce_period_ns;
}

void StandaloneOwner::on_mapped(Nanos now) {
  attached_once_ = true;
  backoff_.reset();
  next_announce_ = now;
}

void StandaloneOwner::on_mapping_failed(const Error& error, Nanos now) { give_up(error, now); }

// The epoch ends with the connection: its sequences cannot be continued by a publication that starts anew.
void StandaloneOwner::on_connection_lost() {
  announced_ = false;
  next_announce_.reset();
  if (state_ == State::detaching || failed_ || over_) return;
  state_ = State::unattached;
  regions_.begin_anew();
}

// --- What happened ---

Tenancy::State StandaloneOwner::state() const noexcept { return over_ ? State::unattached : state_; }

void StandaloneOwner::notify(NoticeKind kind, Error error) {
  notices_.push_back({kind, std::move(error), std::nullopt});
}

std::optional<AttachNotice> StandaloneOwner::take_notice() {
  if (notices_.empty()) return std::nullopt;
  AttachNotice notice = std::move(notices_.front());
  notices_.pop_front();
  return notice;
}

}  // namespace tensorpool::detail
