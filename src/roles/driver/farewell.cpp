#include "roles/driver/farewell.hpp"

namespace tensorpool::driver {

namespace {

constexpr Nanos last_words_ns = 500 * nanos_per_milli;    // for the shutdown notice to get through back-pressure
constexpr Nanos cleanup_time_ns = 30 * nanos_per_second;  // to free 100 GiB takes half of it

}  // namespace

void Farewell::begin_if_asked(Nanos now) {
  if (!books_.shutdown_asked || state_ != DriverState::running) {
    return;
  }
  reason_ = *books_.shutdown_asked;
  state_ = DriverState::draining;
  deadline_ = now + Nanos{books_.config.policies.shutdown_timeout_ms} * nanos_per_milli;
  books_.attach_desk.begin_draining();
  books_.log.info("shutting down ({}): {} leases", protocol::to_string(reason_), books_.leases.size());
}

// Draining ends when nobody is attached any more, or in time.
int Farewell::advance(Nanos now, bool linked) {
  if (state_ == DriverState::draining) {
    const bool drained = books_.leases.size() == 0 && books_.provisioning.idle();
    if (drained || now >= deadline_) {
      say_goodbye(now);
      return 1;
    }
  } else if (state_ == DriverState::closing) {
    return finish_up(now, linked);
  }
  return 0;
}

void Farewell::say_goodbye(Nanos now) {
  state_ = DriverState::closing;
  desk_.refuse_pending(now);
  books_.provisioning.abandon();
  announcer_.announce_all(now);
  protocol::ShmDriverShutdown notice;
  notice.timestamp_ns = static_cast<std::uint64_t>(now);
  notice.reason = reason_;
  books_.control_outbox.post(notice, now);
  deadline_ = now + last_words_ns;
}

int Farewell::finish_up(Nanos now, bool linked) {
  const bool said = !linked || (books_.control_outbox.empty() && books_.announce_outbox.empty());
  if (!said && now < deadline_) {
    return 0;
  }
  // Nobody comes back for a replaced epoch, and it holds all the memory its producer had.
  if (now < deadline_ + cleanup_time_ns &&
      (books_.config.policies.cleanup_shm_on_exit ? books_.collector.remove_everything()
                                                  : books_.collector.reclaim(now))) {
    return 1;
  }
  state_ = DriverState::finished;
  return 1;
}

}  // namespace tensorpool::driver
