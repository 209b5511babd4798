#include "transport/media_driver.hpp"

#include <aeronmd.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/start_thread.hpp"
#include "tensorpool/idle.hpp"
#include "transport/cnc.hpp"
#include "transport/context_init.hpp"
#include "transport/error_text.hpp"
#include "transport/media_driver_directory.hpp"
#include "transport/media_driver_probe.hpp"

namespace tensorpool::transport {
namespace {

// A nap is at most about as long as it was quiet before. After quiet a producer's window is open, for 2 MiB of
// descriptors at our term length: it takes 3.6 million frames a second to meet back-pressure within the nap.
constexpr Nanos longest_nap_ns = 6 * nanos_per_milli;
constexpr Nanos error_log_interval = 200 * nanos_per_milli;
constexpr std::chrono::milliseconds predecessor_pause{20};

Error occupied(const std::string& dir, const std::string& detail) {
  return make_error(ErrorCode::already_exists, "cannot start a media driver in {}: {}", dir, detail);
}

bool may_be_alive(MediaDriverState state) noexcept {
  return state == MediaDriverState::alive || state == MediaDriverState::silent || state == MediaDriverState::maybe_dead;
}

// Looks at what is in the directory while we hold its lock; waits for a heartbeat to run out if told to.
// A heartbeat's age is told by the wall clock. Where that was set back it is young for hours; one that nobody renews
// is that of a dead process all the same.
MediaDriverProbe await_end_of_predecessor(const std::string& dir, const LockRecord& lock,
                                          const MediaDriverOptions& options) {
  const Nanos deadline = monotonic_now() + options.wait_for_predecessor_ns;
  Nanos heartbeat_at = 0;
  Nanos unchanged_since = 0;
  for (;;) {
    MediaDriverProbe probe = probe_with(dir, lock);
    const Nanos now = monotonic_now();
    if (std::exchange(heartbeat_at, probe.heartbeat_at_ns) != probe.heartbeat_at_ns) unchanged_since = now;
    if (probe.state == MediaDriverState::maybe_dead && now - unchanged_since >= heartbeat_timeout) {
      probe.state = MediaDriverState::stale;
    }
    if (probe.state != MediaDriverState::maybe_dead || now >= deadline) return probe;
    std::this_thread::sleep_for(predecessor_pause);
  }
}

// The thread's own umask, where the system lets it have one: the files of the media driver are made on it all along.
void set_own_umask(bool group_access) noexcept {
  if (::unshare(CLONE_FS) == 0) (void)::umask(group_access ? 0007 : 0077);
}

void block_signals() noexcept {
  sigset_t all;
  sigfillset(&all);
  (void)pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

// What a failed start left. Our lock keeps others of our kind out, but not one that knows no such lock: files of a
// media driver that may live are not ours, and neither are those that this process cannot examine.
void remove_half_made(const std::string& dir, Nanos begun_at) noexcept {
  try {
    const MediaDriverProbe found = probe_with(dir, {false, ::getpid(), begun_at});
    const bool foreign = found.pid != ::getpid() && may_be_alive(found.state);
    if (foreign || found.state == MediaDriverState::unexamined) return;
    std::error_code ignored;
    std::filesystem::remove_all(dir, ignored);
  } catch (const std::exception&) {  // no memory: the next start removes them
  }
}

struct DriverContextClose {
  void operator()(aeron_driver_context_t* context) const noexcept { (void)aeron_driver_context_close(context); }
};
using DriverContext = std::unique_ptr<aeron_driver_context_t, DriverContextClose>;

struct DriverClose {
  void operator()(aeron_driver_t* driver) const noexcept { (void)aeron_driver_close(driver); }
};
using Driver = std::unique_ptr<aeron_driver_t, DriverClose>;

// The settings of the design's section 1.5; every one is set, so that the environment's AERON_* cannot change them.
Result<DriverContext> make_context(const MediaDriverOptions& options) {
  aeron_driver_context_t* raw = nullptr;
  if (with_context_init_lock([&] { return aeron_driver_context_init(&raw); }) < 0) {
    return last_aeron_error("cannot prepare a media driver");
  }
  DriverContext context(raw);
  const auto ns = [](Nanos value) { return static_cast<std::uint64_t>(value); };
  const bool set =
      aeron_driver_context_set_dir(raw, options.aeron_dir.c_str()) >= 0 &&
      aeron_driver_context_set_threading_mode(raw, AERON_THREADING_MODE_SHARED) >= 0 &&
      aeron_driver_context_set_dir_warn_if_exists(raw, false) >= 0 &&
      aeron_driver_context_set_dir_delete_on_start(raw, true) >= 0 &&  // safe: our lock, after our probe
      aeron_driver_context_set_dir_delete_on_shutdown(raw, true) >= 0 &&
      aeron_driver_context_set_print_configuration(raw, false) >= 0 &&
      aeron_driver_context_set_term_buffer_sparse_file(raw, false) >= 0 &&
      aeron_driver_context_set_perform_storage_checks(raw, true) >= 0 &&
      aeron_driver_context_set_counters_buffer_length(raw, options.counters_bytes) >= 0 &&
      aeron_driver_context_set_error_buffer_length(raw, options.error_log_bytes) >= 0 &&
      aeron_driver_context_set_timer_interval_ns(raw, ns(options.timer_interval_ns)) >= 0 &&
      aeron_driver_context_set_client_liveness_timeout_ns(raw, ns(options.client_liveness_ns)) >= 0 &&
      aeron_driver_context_set_image_liveness_timeout_ns(raw, ns(options.image_liveness_ns)) >= 0 &&
      aeron_driver_context_set_publication_unblock_timeout_ns(raw, ns(options.publication_unblock_ns)) >= 0;
  if (!set) return last_aeron_error("cannot configure a media driver");
  return context;
}

}  // namespace

struct EmbeddedMediaDriver::Impl {
  Impl(MediaDriverOptions driver_options, FileLock held) : options(std::move(driver_options)), lock(std::move(held)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    stop.store(true, std::memory_order_release);
    if (thread.joinable()) thread.join();
  }

  void run(std::promise<Status> started) noexcept;
  Status start_driver(DriverContext& context, Driver& driver);
  void serve(aeron_driver_t* driver) noexcept;
  void report_errors(aeron_cnc_t* cnc) noexcept;

  MediaDriverOptions options;
  FileLock lock;  // released last: after the directory is gone
  std::atomic<bool> stop{false};
  std::atomic<bool> alive{false};
  std::atomic<std::uint64_t> errors{0};
  std::int64_t errors_seen_until_ms = 0;  // the thread's
  std::thread thread;
};

void EmbeddedMediaDriver::Impl::run(std::promise<Status> started) noexcept {
  (void)pthread_setname_np(pthread_self(), "media-driver");
  block_signals();
  set_own_umask(options.group_access);
  const Nanos begun_at = realtime_now();
  DriverContext context;
  Driver driver;
  const Status status = start_driver(context, driver);
  if (!status) {
    driver.reset();
    context.reset();
    remove_half_made(options.aeron_dir, begun_at);
    started.set_value(status);
    return;
  }
  alive.store(true, std::memory_order_release);
  started.set_value({});
  serve(driver.get());
  alive.store(false, std::memory_order_release);
}

Status EmbeddedMediaDriver::Impl::start_driver(DriverContext& context, Driver& driver) {
  Result<DriverContext> made = make_context(options);
  if (!made) return std::move(made).error();
  context = std::move(made).value();
  aeron_driver_t* raw = nullptr;
  if (aeron_driver_init(&raw, context.get()) < 0) {
    return last_aeron_error(fmt::format("cannot start a media driver in {}", options.aeron_dir));
  }
  driver.reset(raw);
  if (Status safe = protect_directory(options.aeron_dir, options.group_access); !safe) return safe;
  // "Manual": its duty cycle runs on this thread, whose umask and signal mask are set.
  if (aeron_driver_start(raw, true) < 0) return last_aeron_error("cannot start a media driver");
  return {};
}

void EmbeddedMediaDriver::Impl::serve(aeron_driver_t* driver) noexcept {
  Result<Cnc> cnc = open_cnc(options.aeron_dir);
  Idle idle(IdleMode::backoff, longest_nap_ns);
  Nanos now = monotonic_now();
  Nanos ticked = now;
  Nanos next_look = now + error_log_interval;
  for (; !stop.load(std::memory_order_acquire); now = monotonic_now()) {
    int work = aeron_driver_main_do_work(driver);
    // Its own timers are one of the work that it tells of. Nobody waits for what they do: they end no quiet.
    if (work > 0 && now - ticked >= options.timer_interval_ns) {
      ticked = now;
      --work;
    }
    idle.idle(work);
    if (cnc && now >= next_look) {
      next_look = now + error_log_interval;
      report_errors(cnc->get());
    }
  }
  if (cnc) report_errors(cnc->get());
}

void EmbeddedMediaDriver::Impl::report_errors(aeron_cnc_t* cnc) noexcept {
  const auto on_entry = [](std::int32_t, std::int64_t, std::int64_t last_ms, const char* text, std::size_t length,
                           void* self) {
    auto* const impl = static_cast<Impl*>(self);
    impl->errors_seen_until_ms = std::max(impl->errors_seen_until_ms, last_ms + 1);
    impl->errors.fetch_add(1, std::memory_order_relaxed);
    if (impl->options.on_error) impl->options.on_error(0, tidy_aeron_text({text, length}));
  };
  (void)aeron_cnc_error_log_read(cnc, on_entry, this, errors_seen_until_ms);
}

Result<EmbeddedMediaDriver> EmbeddedMediaDriver::start(const MediaDriverOptions& wanted) {
  silence_aeron();
  MediaDriverOptions options = wanted;
  Result<std::string> dir = tidy_directory(options.aeron_dir.empty() ? default_aeron_dir() : options.aeron_dir);
  if (!dir) return std::move(dir).error();
  options.aeron_dir = *dir;
  if (Status place = check_directory(*dir); !place) return place.error();

  const LockRecord before = read_lock(*dir);  // taking the lock overwrites what a killed predecessor left there
  Result<FileLock> lock = FileLock::try_acquire(*dir + ".lock");
  if (!lock && lock.error().code == ErrorCode::already_exists) return occupied(*dir, lock.error().message);
  if (!lock) return std::move(lock).error();
  const MediaDriverProbe found = await_end_of_predecessor(*dir, {false, before.pid, before.written_at}, options);
  if (found.state == MediaDriverState::no_permission) return Error{ErrorCode::permission_denied, found.detail};
  if (found.state == MediaDriverState::unexamined) {
    return make_error(found.code, "cannot start a media driver in {}: {}", *dir, found.detail);
  }
  if (may_be_alive(found.state)) return occupied(*dir, found.detail);

  auto impl = std::make_unique<Impl>(std::move(options), std::move(lock).value());
  std::promise<Status> started;
  std::future<Status> outcome = started.get_future();
  const Status running = start_thread([&] { impl->thread = std::thread(&Impl::run, impl.get(), std::move(started)); });
  if (!running) return running.error();
  if (Status status = outcome.get(); !status) return status.error();
  return EmbeddedMediaDriver(std::move(impl));
}

EmbeddedMediaDriver::EmbeddedMediaDriver(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
EmbeddedMediaDriver::EmbeddedMediaDriver(EmbeddedMediaDriver&&) noexcept = default;
EmbeddedMediaDriver& EmbeddedMediaDriver::operator=(EmbeddedMediaDriver&&) noexcept = default;
EmbeddedMediaDriver::~EmbeddedMediaDriver() = default;

bool EmbeddedMediaDriver::alive() const noexcept {
  return impl_ != nullptr && impl_->alive.load(std::memory_order_acquire);
}

const std::string& EmbeddedMediaDriver::dir() const noexcept {
  static const std::string none;
  return impl_ == nullptr ? none : impl_->options.aeron_dir;
}

std::uint64_t EmbeddedMediaDriver::errors() const noexcept {
  return impl_ == nullptr ? 0 : impl_->errors.load(std::memory_order_relaxed);
}

}  // namespace tensorpool::transport
