#include "apps/tp/lease_requests.hpp"

#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "client/place_holder.hpp"
#include "client/refusal.hpp"
#include "protocol/dispatch.hpp"
#include "protocol/lease_label.hpp"
#include "transport/counters.hpp"

namespace tensorpool::apps::tp {
namespace {

using protocol::LeaseLabel;

// Where a driver of another make states no expiry that we can read: three keepalives of a second.
constexpr Nanos usual_lease_ns = 3 * nanos_per_second;
constexpr Nanos ask_again_ns = 250 * nanos_per_milli;
constexpr Nanos forever = std::numeric_limits<Nanos>::max() / 2;

std::int64_t new_correlation_id() { return static_cast<std::int64_t>(random_u64() >> 1); }

// Takes the answer that carries the correlation id of ours; everybody's answers are on the stream, and keepalives.
template <class Response>
struct AnswerTo {
  std::int64_t correlation_id;
  detail::PlaceHolder* holder = nullptr;
  std::optional<Response> heard{};

  void on(const Response& response) {
    if (response.correlation_id == correlation_id && !heard) {
      heard = response;
    }
  }
  void on(const protocol::ShmLeaseKeepalive& keepalive) {
    if (holder != nullptr) {
      holder->on_keepalive(keepalive, monotonic_now());
    }
  }
  bool operator()(std::span<const std::byte> bytes) {
    protocol::dispatch<Response, protocol::ShmLeaseKeepalive>(bytes, *this);
    return heard.has_value();
  }
};

// The end of a lease, told by the driver.
struct EndOf {
  std::uint64_t lease_id;
  std::optional<protocol::ShmLeaseRevoked> heard{};

  void on(const protocol::ShmLeaseRevoked& revoked) {
    if (revoked.lease_id == lease_id) {
      heard = revoked;
    }
  }
  bool operator()(std::span<const std::byte> bytes) {
    protocol::dispatch<protocol::ShmLeaseRevoked>(bytes, *this);
    return heard.has_value();
  }
};

template <class Request, class Response>
Result<Response> ask(ControlLine& line, const Request& request, Nanos timeout_ns, const std::atomic<bool>& stop,
                     detail::PlaceHolder* holder = nullptr) {
  AnswerTo<Response> answer{request.correlation_id, holder};
  line.ask(encoded(request), timeout_ns, stop, std::ref(answer));
  if (answer.heard) {
    return *std::move(answer.heard);
  }
  if (stop.load(std::memory_order_relaxed)) {
    return make_error(ErrorCode::closed, "stopped before the driver answered");
  }
  return make_error(ErrorCode::timed_out,
                    "no answer within {} s on {}: is a driver there? one that reserves many gigabytes first needs a "
                    "longer time-out",
                    static_cast<double>(timeout_ns) / 1e9, line.where());
}

Error refusal(std::string_view what, std::uint32_t stream_id, protocol::ResponseCode code, const std::string& why,
              const std::string& more = {}) {
  return make_error(ErrorCode::refused, "stream {}: the driver refused the {}, {}: {}{}", stream_id, what,
                    protocol::to_string(code), escape(why), more);
}

// The driver's answer; while it refuses because of a client that may be dead, asks again.
Result<protocol::ShmAttachResponse> ask_until_place_is_free(ControlLine& line, protocol::ShmAttachRequest& request,
                                                            detail::PlaceHolder& holder, const AttachWait& wait,
                                                            const std::atomic<bool>& stop) {
  const Nanos deadline = monotonic_now() + wait.timeout_ns;
  for (bool told = false;; told = true) {
    request.correlation_id = new_correlation_id();
    auto response = ask<protocol::ShmAttachRequest, protocol::ShmAttachResponse>(
        line, request, std::max<Nanos>(1, deadline - monotonic_now()), stop, &holder);
    if (!response || !(detail::is_place_taken(*response) || detail::is_client_id_taken(*response))) {
      return response;
    }
    const Nanos now = monotonic_now();
    holder.on_refused({request.role, request.stream_id, request.client_id}, now);
    if (now + ask_again_ns >= deadline || !holder.may_be_dead(wait.predecessor_ns, usual_lease_ns, now)) {
      return response;
    }
    if (!told && wait.say) {
      wait.say(
          fmt::format("stream {}: {}; the holder may have been killed: asking again for {} s, and longer while it "
                      "sends no keepalive",
                      request.stream_id, response->error_message, static_cast<double>(wait.predecessor_ns) / 1e9));
    }
    AnswerTo<protocol::ShmAttachResponse> nothing{0, &holder};
    line.ask({}, ask_again_ns, stop, std::ref(nothing));
  }
}

Error ended(const protocol::ShmLeaseRevoked& revoked) {
  return make_error(ErrorCode::refused, "stream {}: the driver ended lease {}, {}{}{}", revoked.stream_id,
                    revoked.lease_id, protocol::to_string(revoked.reason), revoked.error_message.empty() ? "" : ": ",
                    escape(revoked.error_message));
}

protocol::ShmLeaseKeepalive keepalive_of(const LeaseName& lease) {
  return {lease.lease_id, lease.stream_id, lease.client_id, lease.role, static_cast<std::uint64_t>(monotonic_now())};
}

struct CountedLease {
  LeaseLabel label;
  std::int64_t keepalives = 0;
};

std::optional<CountedLease> find_counter(const std::string& aeron_dir, std::uint64_t lease_id) {
  const auto counters = transport::read_counters(aeron_dir);
  if (!counters) {
    return std::nullopt;
  }
  for (const transport::CounterValue& counter : *counters) {
    if (counter.type_id == protocol::lease_keepalives_counter_type) {
      const auto label = protocol::parse_lease_label(counter.label);
      if (label && label->lease_id == lease_id) {
        return CountedLease{*label, counter.value};
      }
    }
  }
  return std::nullopt;
}

Status check_holder(const LeaseLabel& label, const LeaseName& lease) {
  if (label.stream_id == lease.stream_id && label.client_id == lease.client_id && label.role == lease.role) {
    return {};
  }
  return make_error(ErrorCode::refused,
                    "lease {} is that of {} {} on stream {}; the driver ignores what names it differently",
                    lease.lease_id, protocol::to_string(label.role), label.client_id, label.stream_id);
}

}  // namespace

Result<Attached> attach_by_hand(ControlLine& line, protocol::ShmAttachRequest request, const AttachWait& wait,
                                const std::atomic<bool>& stop) {
  detail::PlaceHolder holder;
  auto response = ask_until_place_is_free(line, request, holder, wait, stop);
  if (!response) {
    return response.error();
  }
  if (response->code != protocol::ResponseCode::ok) {
    const bool asked = request.publish_mode == protocol::PublishMode::existing_or_create;
    return refusal(
        "attach", request.stream_id, response->code, response->error_message,
        holder.describe(monotonic_now()) +
            detail::remedy_of(response->error_message, {asked, "--create (--publish-mode existing_or_create)"}));
  }
  auto grant = detail::grant_from(*response, {request.stream_id, request.expected_layout_version, usual_lease_ns},
                                  monotonic_now());
  if (!grant) {
    return grant.error();
  }
  return Attached{*std::move(response), *std::move(grant), request.client_id, request.role};
}

Status keep_alive_by_hand(ControlLine& line, const LeaseName& lease, Nanos timeout_ns, const std::atomic<bool>& stop) {
  const auto before = find_counter(line.aeron_dir(), lease.lease_id);
  if (before) {
    if (Status holder = check_holder(before->label, lease); !holder) {
      return holder;
    }
  }
  EndOf end{lease.lease_id};
  bool counted = false;
  constexpr Nanos look_ns = 100 * nanos_per_milli;
  const Nanos deadline = monotonic_now() + timeout_ns;
  const std::vector<std::byte> message = encoded(keepalive_of(lease));
  for (int look = 0; !counted && !end.heard && monotonic_now() < deadline && !stop.load(); ++look) {
    const bool repeat = look % 3 == 0;
    line.ask(repeat ? message : std::vector<std::byte>{}, look_ns, stop, std::ref(end));
    const auto after = find_counter(line.aeron_dir(), lease.lease_id);
    counted = after && after->keepalives > (before ? before->keepalives : 0);
  }
  if (end.heard) {
    return ended(*end.heard);
  }
  if (!counted) {
    return make_error(
        ErrorCode::timed_out,
        "keepalives of lease {} were sent on {}, but no driver counted one within {} s: none is there, or "
        "it counts no leases",
        lease.lease_id, line.where(), static_cast<double>(timeout_ns) / 1e9);
  }
  return {};
}

Result<protocol::ShmDetachResponse> detach_by_hand(ControlLine& line, const LeaseName& lease, Nanos timeout_ns,
                                                   const std::atomic<bool>& stop) {
  const protocol::ShmDetachRequest request{new_correlation_id(), lease.lease_id, lease.stream_id, lease.client_id,
                                           lease.role};
  auto response = ask<protocol::ShmDetachRequest, protocol::ShmDetachResponse>(line, request, timeout_ns, stop);
  if (response && response->code != protocol::ResponseCode::ok) {
    return refusal("detach", lease.stream_id, response->code, response->error_message);
  }
  return response;
}

Status hold_lease(ControlLine& line, const Attached& attached, Nanos time_ns, const std::atomic<bool>& stop) {
  const Nanos until = monotonic_now() + (time_ns == 0 ? forever : time_ns);
  const Nanos interval = std::max(nanos_per_milli, attached.grant.lease_duration_ns / 4);
  EndOf end{attached.grant.lease_id};
  for (Nanos now = monotonic_now(); now < until && !stop.load(std::memory_order_relaxed); now = monotonic_now()) {
    line.say(encoded(keepalive_of(attached.name())));
    if (line.ask({}, std::min(interval, until - now), stop, std::ref(end))) {
      return ended(*end.heard);
    }
    if (line.is_closed()) {
      return make_error(ErrorCode::unavailable, "the media driver in {} is gone", line.aeron_dir());
    }
  }
  return {};
}

}  // namespace tensorpool::apps::tp
