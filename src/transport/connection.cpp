#include "transport/connection.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "transport/context_init.hpp"
#include "transport/core.hpp"
#include "transport/error_text.hpp"
#include "transport/log_pages.hpp"
#include "transport/media_driver.hpp"
#include "transport/resources.hpp"

namespace tensorpool::transport {
namespace {

constexpr std::chrono::microseconds shortest_add_pause{50};
constexpr std::chrono::microseconds longest_add_pause{4000};
constexpr Nanos link_time_ns = 100 * nanos_per_milli;
constexpr std::chrono::milliseconds open_pause{10};
constexpr int messages_per_cycle = 64;
constexpr std::uint64_t conductor_check_ns = 2'000'000;  // how often do_work looks at time-outs, at most
constexpr std::size_t max_client_name = 100;
constexpr std::size_t max_key_bytes = 112;
constexpr std::size_t max_label_bytes = 380;

// Between looks at an answer: longer and longer, for the media driver needs the cores too when many start at once.
class AddPause {
 public:
  void after(int work) {
    if (work > 0) return;
    std::this_thread::sleep_for(next_);
    next_ = std::min(2 * next_, longest_add_pause);
  }

 private:
  std::chrono::microseconds next_ = shortest_add_pause;
};

bool is_terminal(int code) noexcept {
  return code == AERON_CLIENT_ERROR_DRIVER_TIMEOUT || code == AERON_CLIENT_ERROR_CLIENT_TIMEOUT ||
         code == AERON_CLIENT_ERROR_CONDUCTOR_SERVICE_TIMEOUT ||
         code == AERON_CLIENT_ERROR_BROADCAST_RECEIVER_ILLEGAL_STATE;
}

void handle_error(void* core, int code, const char* message) {
  static_cast<Connection::Core*>(core)->on_error(code, message);
}

// Waits while the media driver is starting or paused; fails as soon as waiting cannot help.
Status await_media_driver(const std::string& dir, Nanos timeout) {
  const Nanos deadline = monotonic_now() + timeout;
  for (;;) {
    const MediaDriverProbe probe = probe_media_driver(dir);
    switch (probe.state) {
      case MediaDriverState::alive:
      case MediaDriverState::maybe_dead:  // its heartbeat is fresh: it may serve us from another pid namespace
        return {};
      case MediaDriverState::no_permission:
        return Error{ErrorCode::permission_denied, probe.detail};
      case MediaDriverState::unexamined:
        return Error{probe.code, probe.detail};
      case MediaDriverState::absent:
      case MediaDriverState::stale:
        return Error{ErrorCode::unavailable, probe.detail};
      case MediaDriverState::silent:
        break;
    }
    if (monotonic_now() >= deadline) {
      return make_error(ErrorCode::timed_out, "{} (waited {} ms)", probe.detail, timeout / nanos_per_milli);
    }
    std::this_thread::sleep_for(open_pause);
  }
}

// One add_*: how Aeron polls for its answer and takes it back.
template <class Resource, class Async>
struct Registration {
  int (*poll)(Resource**, Async*);
  int (*cancel)(aeron_t*, Async*);
};

constexpr Registration<aeron_exclusive_publication_t, aeron_async_add_exclusive_publication_t> publication_registration{
    &aeron_async_add_exclusive_publication_poll, &aeron_async_add_exclusive_publication_cancel};
constexpr Registration<aeron_subscription_t, aeron_async_add_subscription_t> subscription_registration{
    &aeron_async_add_subscription_poll, &aeron_async_add_subscription_cancel};
constexpr Registration<aeron_counter_t, aeron_async_add_counter_t> counter_registration{
    &aeron_async_add_counter_poll, &aeron_async_add_counter_cancel};

// One look at the answer: the resource, nullptr while there is none, or why there will be none. A request that is given
// up is taken back in the same breath: before the next do_work, which frees its handle, and so that a late answer
// leaves no subscriber behind in the media driver that nobody drains.
template <class Resource, class Async>
Result<Resource*> look(Connection::Core& core, const Registration<Resource, Async>& kind, Async* async, bool give_up) {
  const std::lock_guard guard(core.conductor);
  Resource* resource = nullptr;
  const int answer = kind.poll(&resource, async);
  if (answer > 0 || (answer == 0 && !give_up)) return resource;
  Error error = answer < 0 ? last_aeron_error("refused") : make_error(ErrorCode::timed_out, "no answer");
  if (error.code == ErrorCode::timed_out) (void)kind.cancel(core.client, async);
  return error;
}

// The same, given up when its time is over; an error says what could not be added.
template <class Resource, class Async>
Result<Resource*> look_in_time(Connection::Core& core, const Registration<Resource, Async>& kind, Async* async,
                               const std::string& label, Nanos begun) {
  const std::string& dir = core.options.aeron_dir;
  const Nanos waited = monotonic_now() - begun;
  const bool closed = core.closed.load(std::memory_order_acquire);
  Result<Resource*> seen = look(core, kind, async, closed || waited >= core.options.add_timeout_ns);
  if (seen) return seen;
  if (closed) {
    return make_error(ErrorCode::unavailable, "cannot add {}: the connection to the media driver in {} is closed: {}",
                      label, dir, core.last_error());
  }
  if (seen.error().code == ErrorCode::timed_out) {
    return make_error(ErrorCode::timed_out, "cannot add {}: the media driver in {} did not answer within {} ms", label,
                      dir, waited / nanos_per_milli);
  }
  return make_error(seen.error().code, "cannot add {} in {}: {}", label, dir, seen.error().message);
}

// Runs duty cycles until the request is answered.
template <class Resource, class Async>
Result<Resource*> await(Connection::Core& core, const Registration<Resource, Async>& kind, Async* async,
                        const std::string& label) {
  const Nanos begun = monotonic_now();
  AddPause pause;
  for (;;) {
    Result<Resource*> seen = look_in_time(core, kind, async, label, begun);
    if (!seen || *seen != nullptr) return seen;
    pause.after(core.do_work());
  }
}

// The media driver answers before it links those who subscribe already and opens the window, so the first offers would
// be refused, and the first frames of a camera lost: waits for that next step. It is microseconds away unless the
// machine is busy, so who is not linked soon is taken not to be there.
void await_subscribers(Connection::Core& core, aeron_exclusive_publication_t* publication) {
  const Nanos begun = monotonic_now();
  AddPause pause;
  const auto can_send = [&] {
    return aeron_exclusive_publication_is_connected(publication) &&
           aeron_exclusive_publication_position_limit(publication) > aeron_exclusive_publication_position(publication);
  };
  while (!can_send() && !core.closed.load(std::memory_order_acquire) && monotonic_now() - begun < link_time_ns) {
    pause.after(core.do_work());
  }
}

Error closed_error(const Connection::Core* core, std::string_view label) {
  return make_error(ErrorCode::closed, "cannot add {}: the connection{}{} is closed; open a new one", label,
                    core == nullptr ? "" : " to ", core == nullptr ? "" : core->options.aeron_dir);
}

void on_available_image(void* images, aeron_subscription_t*, aeron_image_t*) {
  static_cast<ImageEvents*>(images)->joined.fetch_add(1, std::memory_order_release);
}

void on_unavailable_image(void* images, aeron_subscription_t*, aeron_image_t* image) {
  aeron_image_constants_t constants{};
  (void)aeron_image_constants(image, &constants);
  static_cast<ImageEvents*>(images)->lost.add(constants.session_id);
}

}  // namespace

Status Connection::Core::start() {
  if (with_context_init_lock([&] { return aeron_context_init(&context); }) < 0) {
    return last_aeron_error("cannot prepare an Aeron client");
  }
  const std::string name = options.client_name.substr(0, max_client_name);
  const auto timeout_ms = static_cast<std::uint64_t>(std::max<Nanos>(1, options.driver_timeout_ns / nanos_per_milli));
  const bool set =
      aeron_context_set_dir(context, options.aeron_dir.c_str()) >= 0 &&
      aeron_context_set_client_name(context, name.c_str()) >= 0 &&
      aeron_context_set_driver_timeout_ms(context, timeout_ms) >= 0 &&
      aeron_context_set_keepalive_interval_ns(context, static_cast<std::uint64_t>(options.keepalive_interval_ns)) >=
          0 &&
      aeron_context_set_idle_sleep_duration_ns(context, conductor_check_ns) >= 0 &&
      aeron_context_set_use_conductor_agent_invoker(context, true) >= 0 &&
      aeron_context_set_error_handler(context, &handle_error, this) >= 0;  // the default one ends the process
  if (!set) return last_aeron_error("cannot configure an Aeron client");
  if (aeron_init(&client, context) < 0) {
    client = nullptr;
    return last_aeron_error(fmt::format("cannot connect to the media driver in {}", options.aeron_dir));
  }
  if (aeron_start(client) < 0) return last_aeron_error("cannot start an Aeron client");
  return {};
}

Connection::Core::~Core() {
  if (client != nullptr) (void)aeron_close(client);
  if (context != nullptr) (void)aeron_context_close(context);
}

int Connection::Core::do_work() noexcept {
  const std::lock_guard guard(conductor);
  if (closed.load(std::memory_order_relaxed)) return 0;
  // Aeron takes one message of its media driver at a time; who takes them slower than they come is dropped.
  int work = 0;
  for (int messages = 0; messages < messages_per_cycle; ++messages) {
    const int done = aeron_main_do_work(client);
    if (aeron_is_closed(client)) {
      closed.store(true, std::memory_order_release);
      return 0;
    }
    if (done <= 0) break;
    work += done;
  }
  return work;
}

void Connection::Core::on_error(int code, const char* message) noexcept {
  const std::string text = fmt::format("{} (Aeron error {})", tidy_aeron_text(message), code);
  {
    const std::lock_guard guard(error_mutex);
    latest_error = text;
    if (is_terminal(code) && terminal_error.empty()) terminal_error = text;
  }
  if (options.on_error) options.on_error(code, text);
}

std::string Connection::Core::last_error() const {
  const std::lock_guard guard(error_mutex);
  return terminal_error.empty() ? latest_error : terminal_error;
}

Result<Connection> Connection::open(const ConnectionOptions& options) {
  silence_aeron();
  auto core = std::make_shared<Core>(options);
  if (core->options.aeron_dir.empty()) core->options.aeron_dir = default_aeron_dir();
  const Nanos patience = options.wait_for_driver ? options.driver_timeout_ns : 0;
  if (Status found = await_media_driver(core->options.aeron_dir, patience); !found) return found.error();
  if (Status started = core->start(); !started) return started.error();
  return Connection(std::move(core));
}

Connection::Connection(std::shared_ptr<Core> core) noexcept : core_(std::move(core)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&& other) noexcept {
  if (this != &other) {
    close();
    core_ = std::move(other.core_);
  }
  return *this;
}
Connection::~Connection() { close(); }

void Connection::close() noexcept {
  if (core_ == nullptr) return;
  core_->closed.store(true, std::memory_order_release);
  core_.reset();
}

int Connection::do_work() noexcept { return core_ == nullptr ? 0 : core_->do_work(); }

bool Connection::is_closed() const noexcept {
  return core_ == nullptr || core_->closed.load(std::memory_order_acquire);
}

std::string Connection::last_error() const { return core_ == nullptr ? std::string{} : core_->last_error(); }

std::int64_t Connection::client_id() const noexcept { return core_ == nullptr ? -1 : aeron_client_id(core_->client); }

const std::string& Connection::aeron_dir() const noexcept {
  static const std::string none;
  return core_ == nullptr ? none : core_->options.aeron_dir;
}

Result<Publication> Connection::add_publication(const std::string& channel, std::int32_t stream_id) {
  const std::string label = fmt::format("publication on {} stream {}", channel, stream_id);
  if (is_closed()) return closed_error(core_.get(), label);
  aeron_async_add_exclusive_publication_t* async = nullptr;
  {
    const std::lock_guard guard(core_->conductor);
    if (aeron_async_add_exclusive_publication(&async, core_->client, channel.c_str(), stream_id) < 0) {
      return last_aeron_error("cannot add " + label);
    }
  }
  auto added = await(*core_, publication_registration, async, label);
  if (!added) return std::move(added).error();
  auto impl = std::make_unique<Publication::Impl>(core_, *added);
  aeron_publication_constants_t constants{};
  if (aeron_exclusive_publication_constants(impl->publication, &constants) < 0)
    return last_aeron_error("cannot add " + label);
  impl->max_payload_length = constants.max_payload_length;
  impl->max_message_length = constants.max_message_length;
  impl->session_id = constants.session_id;
  impl->stream_id = stream_id;
  enter_log_pages(fmt::format("{}/publications/{}.logbuffer", core_->options.aeron_dir, constants.registration_id));
  await_subscribers(*core_, impl->publication);
  return Publication(std::move(impl));
}

Result<Subscription> Connection::add_subscription(const std::string& channel, std::int32_t stream_id) {
  const std::string label = fmt::format("subscription on {} stream {}", channel, stream_id);
  if (is_closed()) return closed_error(core_.get(), label);
  auto impl =
      std::make_unique<Subscription::Impl>(core_, stream_id);  // first: images may come before the answer is seen
  aeron_async_add_subscription_t* async = nullptr;
  {
    const std::lock_guard guard(core_->conductor);
    if (aeron_async_add_subscription(&async, core_->client, channel.c_str(), stream_id, &on_available_image,
                                     &impl->images, &on_unavailable_image, &impl->images) < 0) {
      return last_aeron_error("cannot add " + label);
    }
  }
  auto added = await(*core_, subscription_registration, async, label);
  if (!added) return std::move(added).error();
  impl->subscription = *added;
  return Subscription(std::move(impl));
}

Result<Counter> Connection::add_counter(std::int32_t type_id, std::span<const std::byte> key, std::string_view label) {
  Result<PendingCounter> pending = begin_counter(type_id, key, label);
  if (!pending) return std::move(pending).error();
  AddPause pause;
  for (;;) {
    Result<std::optional<Counter>> seen = pending->poll();
    if (!seen) return std::move(seen).error();
    if (*seen) return **std::move(seen);
    pause.after(core_->do_work());
  }
}

Result<PendingCounter> Connection::begin_counter(std::int32_t type_id, std::span<const std::byte> key,
                                                 std::string_view label) {
  const std::string name = fmt::format("counter {} of type {}", label, type_id);
  if (is_closed()) return closed_error(core_.get(), name);
  if (type_id < first_own_counter_type) {
    return make_error(ErrorCode::invalid_argument, "cannot add {}: type ids below {} belong to Aeron", name,
                      first_own_counter_type);
  }
  if (key.size() > max_key_bytes) {
    return make_error(ErrorCode::invalid_argument, "cannot add {}: its key has {} bytes, more than {}", name,
                      key.size(), max_key_bytes);
  }
  const std::string_view shown = label.substr(0, max_label_bytes);
  auto impl = std::make_unique<PendingCounter::Impl>(core_, name);
  impl->begun = monotonic_now();
  {
    const std::lock_guard guard(core_->conductor);
    if (aeron_async_add_counter(&impl->async, core_->client, type_id, reinterpret_cast<const std::uint8_t*>(key.data()),
                                key.size(), shown.data(), shown.size()) < 0) {
      return last_aeron_error("cannot add " + name);
    }
  }
  return PendingCounter(std::move(impl));
}

Result<std::optional<Counter>> PendingCounter::poll() {
  auto seen = look_in_time(*impl_->core, counter_registration, impl_->async, impl_->name, impl_->begun);
  if (seen && *seen == nullptr) return std::optional<Counter>();
  impl_->async = nullptr;
  if (!seen) return std::move(seen).error();
  auto counter = std::make_unique<Counter::Impl>(impl_->core, *seen);
  counter->address = aeron_counter_addr(counter->counter);
  aeron_counter_constants_t constants{};
  if (aeron_counter_constants(counter->counter, &constants) < 0) return last_aeron_error("cannot add " + impl_->name);
  counter->id = constants.counter_id;
  return std::optional<Counter>(Counter(std::move(counter)));
}

PendingCounter::Impl::~Impl() {
  if (async == nullptr) return;
  const auto late = look(*core, counter_registration, async, true);
  if (late && *late != nullptr) {
    const Counter::Impl unwanted(core, *late);  // closes it
  }
}

}  // namespace tensorpool::transport
