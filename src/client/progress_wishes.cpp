#include "client/progress_wishes.hpp"

#include <algorithm>

namespace tensorpool::detail {

bool ProgressWishes::on_hello(const protocol::ConsumerHello& hello, Nanos now) noexcept {
  Wish& wish = place_of(hello.consumer_id);
  if (hello.supports_progress) {
    wish = {hello.consumer_id, now, limits_of(hello)};
    return true;
  }
  if (wish.consumer_id != hello.consumer_id || !wish.limits) return false;
  wish = {};
  return true;
}

std::optional<ProgressLimits> ProgressWishes::tightest(Nanos since) const noexcept {
  std::optional<ProgressLimits> tightest;
  for (const Wish& wish : wishes_) {
    if (!wish.limits || wish.said_at < since) continue;
    if (!tightest) tightest = wish.limits;
    tightest->interval_ns = std::min(tightest->interval_ns, wish.limits->interval_ns);
    tightest->bytes_delta = std::min(tightest->bytes_delta, wish.limits->bytes_delta);
    tightest->rows_delta = std::min(tightest->rows_delta, wish.limits->rows_delta);
  }
  return tightest;
}

// Its own, else a free one, else that of whoever was silent longest.
ProgressWishes::Wish& ProgressWishes::place_of(std::uint32_t consumer_id) noexcept {
  Wish* best = wishes_.data();
  for (Wish& wish : wishes_) {
    if (wish.limits && wish.consumer_id == consumer_id) return wish;
    if (!best->limits) continue;
    if (!wish.limits || wish.said_at < best->said_at) best = &wish;
  }
  return *best;
}

// What a hello leaves open is the producer's to say.
ProgressLimits ProgressWishes::limits_of(const protocol::ConsumerHello& hello) const noexcept {
  const Nanos interval_ns = std::int64_t{hello.progress_interval_us.value_or(0)} * nanos_per_micro;
  return {std::max(floor_.interval_ns, interval_ns),
          std::max<std::uint64_t>(floor_.bytes_delta, hello.progress_bytes_delta.value_or(0)),
          hello.progress_major_delta_units.value_or(0)};
}

}  // namespace tensorpool::detail
