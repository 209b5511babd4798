#include "apps/support/connect_patiently.hpp"

#include <fmt/format.h>

#include <ctime>
#include <memory>
#include <mutex>
#include <string>

#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

constexpr Nanos pause_ns = 100 * nanos_per_milli;
constexpr Nanos for_ever_ns = 10LL * 365 * 86400 * nanos_per_second;  // ten years

// A line now and then during one wait; a pause of a second begins a new wait.
class Voice {
 public:
  explicit Voice(Patience patience) : patience_(std::move(patience)) {}

  // False when the wait is to end.
  bool waiting_for(std::string_view what) {
    const Nanos now = monotonic_now();
    if (now - last_ > nanos_per_second) {
      next_ = now + patience_.say_every_ns;
    }
    last_ = now;
    if (now >= next_) {
      next_ = now + patience_.say_every_ns;
      patience_.say(fmt::format("waiting: {}", what));
    }
    return !patience_.stop();
  }

 private:
  Patience patience_;
  Nanos last_ = -nanos_per_second;
  Nanos next_ = 0;
};

void pause() {
  const timespec length{0, pause_ns};
  ::nanosleep(&length, nullptr);
}

}  // namespace

bool detail::is_passing(const Error& error) {
  return error.code == ErrorCode::not_found || error.code == ErrorCode::unavailable ||
         error.code == ErrorCode::timed_out;
}

std::function<bool(std::string_view)> detail::waiting(const Patience& patience) {
  return [voice = Voice(patience)](std::string_view what) mutable {
    if (!voice.waiting_for(what)) return false;
    pause();
    return true;
  };
}

std::function<std::string()> describe_wait(ClientOptions& options) {
  struct Heard {
    std::mutex mutex;
    std::string refusal;
  };
  const auto heard = std::make_shared<Heard>();
  options.on_event = [heard, pass_on = std::move(options.on_event)](const Event& event) {
    const bool attached = event.kind == EventKind::attached;
    if (attached || event.kind == EventKind::refused || event.kind == EventKind::mapping_failed) {
      const std::lock_guard lock(heard->mutex);
      heard->refusal = attached ? std::string() : event.message;
    }
    if (pass_on) pass_on(event);
  };
  const std::string silence = fmt::format(
      "no answer yet from a tensorpool driver on control stream {} of {} in {}", options.control.stream_id,
      options.control.channel, options.aeron_dir.empty() ? "the default Aeron directory" : options.aeron_dir);
  return [heard, silence] {
    const std::lock_guard lock(heard->mutex);
    return heard->refusal.empty() ? silence : heard->refusal;
  };
}

Result<Client> connect_patiently(ClientOptions options, const Patience& patience) {
  options.attach_timeout_ns = for_ever_ns;
  options.keep_waiting = [voice = Voice(patience), what = describe_wait(options)]() mutable {
    return voice.waiting_for(what());
  };
  return wait_for_media_driver([&] { return Client::connect(options); }, patience);
}

}  // namespace tensorpool::apps
