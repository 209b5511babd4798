#include "apps/support/hosted_role.hpp"

#include <algorithm>

#include "apps/support/stop_signal.hpp"
#include "base/error.hpp"
#include "tensorpool/idle.hpp"

namespace tensorpool::apps {
namespace {

// With a thousand attachments a message comes every half a millisecond, and a nap costs more than what it may find.
constexpr Nanos first_nap_ns = 250 * nanos_per_micro;
constexpr Nanos longest_nap_ns = 16 * nanos_per_milli;

bool is_finished(const std::unique_ptr<HostedRole>& role) { return role->finished(); }

// Says why all must end now.
void tell_of_the_first(std::span<const std::unique_ptr<HostedRole>> roles, Log& log) {
  const auto ended = std::find_if(roles.begin(), roles.end(), is_finished);
  if (ended != roles.end() && roles.size() > 1) log.info("role {} has ended, so all end", (*ended)->name());
}

}  // namespace

Status run_roles(std::span<const std::unique_ptr<HostedRole>> roles, const LogSink& sink) {
  Log log(sink);
  Idle idle(IdleMode::sleep, first_nap_ns, longest_nap_ns);
  bool asked = false;
  while (!std::all_of(roles.begin(), roles.end(), is_finished)) {
    if (!asked && (stop_requested() || std::any_of(roles.begin(), roles.end(), is_finished))) {
      asked = true;
      tell_of_the_first(roles, log);
      for (const auto& role : roles) role->request_stop();
    }
    const Nanos now = monotonic_now();
    int work = 0;
    for (const auto& role : roles) work += role->do_work(now);
    idle.idle(work);
  }
  for (const auto& role : roles) {
    if (const auto failure = role->failure()) {
      return roles.size() == 1 ? *failure : make_error(failure->code, "role {}: {}", role->name(), failure->message);
    }
  }
  return {};
}

}  // namespace tensorpool::apps
