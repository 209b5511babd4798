// The duty cycle of the driver, and what it needs at its start.
#include "roles/driver/driver.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "protocol/codec.hpp"
#include "roles/driver/announcer.hpp"
#include "roles/driver/books.hpp"
#include "roles/driver/control_desk.hpp"
#include "roles/driver/driver_counters.hpp"
#include "roles/driver/driver_start.hpp"
#include "roles/driver/farewell.hpp"
#include "roles/driver/media_link.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::driver {

namespace {

constexpr int control_fragments_per_cycle = 64;
constexpr int descriptor_fragments_per_cycle = 512;
constexpr Nanos housekeeping_period_ns = 100 * nanos_per_milli;
constexpr Nanos dynamic_stream_linger_ns = 60 * nanos_per_second;
constexpr Nanos first_reconnect_delay_ns = 50 * nanos_per_milli;
constexpr Nanos longest_reconnect_delay_ns = nanos_per_second;
constexpr int no_request = -1;

}  // namespace

class Driver::Impl {
 public:
  Impl(DriverStart start, DriverDeps deps)
      : deps_(std::move(deps)),
        control_stream_lock_(std::move(start.control_stream)),
        books_(std::move(start.books)),
        announcer_(*books_),
        desk_(*books_, announcer_),
        farewell_(*books_, announcer_, desk_),
        link_(std::move(start.link)) {
    counters_.open(static_cast<std::int32_t>(books_->config.driver.control_stream_id),
                   books_->config.driver.instance_id);
    for (const auto& [id, stream] : books_->streams.all()) {
      books_->provisioning.want_idle_epoch(id, std::nullopt);
    }
  }
  ~Impl() { close_link(); }

  int do_work(Nanos now) noexcept;
  [[nodiscard]] DriverStatus status() const;
  [[nodiscard]] const std::optional<Error>& failure() const noexcept { return books_->failure; }

  std::atomic<int> requested{no_request};  // a ShutdownReason; set by any thread
  std::atomic<bool> finished{false};

 private:
  int serve(Nanos now);
  void notice_pause(Nanos now);
  int reconnect(Nanos now);
  void lose_link(Nanos now);
  void close_link();
  int poll_inbox(Nanos now);
  int drain_descriptors();
  int expire(Nanos now);
  int provision(Nanos now);
  void keep_house(Nanos now);
  void look_at_directories(Nanos now);
  void take_shutdown_requests(Nanos now);
  int advance_shutdown(Nanos now);

  DriverDeps deps_;
  FileLock control_stream_lock_;
  std::unique_ptr<Books> books_;
  Announcer announcer_;
  ControlDesk desk_;
  Farewell farewell_;
  DriverCounters counters_;
  std::optional<MediaLink> link_;

  std::optional<Nanos> started_at_;
  Nanos last_now_ = 0;
  bool drained_ = false;      // the last poll saw the end of the inbox
  Nanos drained_at_ = 0;      // when it last did
  bool catching_up_ = false;  // after a pause: nobody is expired before the inbox is drained
  Nanos next_connect_at_ = 0;
  Nanos reconnect_delay_ = first_reconnect_delay_ns;
  Nanos next_housekeeping_at_ = 0;
  Nanos next_retry_at_ = 0;  // of streams that could not be provisioned
};

int Driver::Impl::do_work(Nanos now) noexcept {
  if (farewell_.state() == DriverState::finished) {
    return 0;
  }
  notice_pause(now);
  take_shutdown_requests(now);
  const int work = link_ ? serve(now) : reconnect(now);
  return work + advance_shutdown(now);
}

int Driver::Impl::serve(Nanos now) {
  int work = link_->connection.do_work();
  if (link_->connection.is_closed()) {
    lose_link(now);
    return work + 1;
  }
  work += poll_inbox(now);
  work += drain_descriptors();
  if (farewell_.state() != DriverState::closing) {
    work += expire(now);
    work += provision(now);
    work += announcer_.announce_due(now);
    work += books_->collector.step(now);
  }
  work += books_->control_outbox.flush(now) + books_->announce_outbox.flush(now);
  work += counters_.step(link_->connection);
  keep_house(now);
  return work;
}

// A stopped process, a suspended laptop, a slow connect: what the clients sent meanwhile lies in the inbox.
void Driver::Impl::notice_pause(Nanos now) {
  if (!started_at_) {
    started_at_ = now;
    drained_at_ = now;
  } else if (now - last_now_ > books_->config.lease_duration_ns() / 2) {
    catching_up_ = true;
    drained_at_ = now;  // the time that a flood may take starts here
    ++books_->counts.pauses;
    books_->log.limited(now, "pause", LogLevel::warning,
                        "no duty cycle for {} ms: answers and announces were late; what clients sent meanwhile is read "
                        "before any lease expires",
                        (now - last_now_) / nanos_per_milli);
  }
  last_now_ = now;
}

int Driver::Impl::poll_inbox(Nanos now) {
  // What comes over a later link this driver has answered itself, and knows.
  const bool is_first_link = books_->counts.reconnects == 0;
  const int fragments = link_->inbox.poll_assembled(
      [&](std::span<const std::byte> bytes) {
        if (is_first_link && link_->former_life.has_sent(link_->inbox, now - *started_at_)) {
          books_->counts.discarded_at_start += ControlDesk::is_for_driver(bytes) ? 1U : 0U;
        } else {
          desk_.receive(bytes, now);
        }
      },
      control_fragments_per_cycle);
  drained_ = fragments < control_fragments_per_cycle;
  if (drained_) {
    drained_at_ = now;
  }
  return fragments;
}

// Only a reader that falls behind has work to do: waking for each frame of a kilohertz costs a quarter of a core.
int Driver::Impl::drain_descriptors() {
  const int fragments = link_->descriptors.poll(
      [this](std::span<const std::byte> bytes) {
        const auto header = protocol::peek(bytes);
        if (header && (header->schema_id != protocol::FrameDescriptor::schema_id ||
                       header->template_id != protocol::FrameDescriptor::template_id)) {
          return;  // some other message of the same stream
        }
        const auto descriptor = protocol::decode<protocol::FrameDescriptor>(bytes);
        if (!descriptor) {
          ++books_->counts.malformed_descriptors;
        } else if (Stream* const stream = books_->streams.find(descriptor->stream_id)) {
          ++stream->descriptors;
        }
      },
      descriptor_fragments_per_cycle);
  return fragments == descriptor_fragments_per_cycle ? fragments : 0;
}

// Nobody is blamed for silence before his messages were read; a flood may delay that by one lease at most.
int Driver::Impl::expire(Nanos now) {
  const bool flooded_for_long = now - drained_at_ >= books_->config.lease_duration_ns();
  if (!drained_ && !flooded_for_long) {
    return 0;
  }
  if (catching_up_) {
    catching_up_ = false;
    books_->leases.extend_all_to(now + books_->config.keepalive_interval_ns());
  }
  return desk_.expire(now);
}

int Driver::Impl::provision(Nanos now) {
  if (books_->provisioning.rests(now)) {
    return 0;
  }
  if (const auto outcome = books_->provisioning.step(now)) {
    desk_.finish(*outcome, now);
  }
  return 1;
}

void Driver::Impl::keep_house(Nanos now) {
  if (now < next_housekeeping_at_) {
    return;
  }
  next_housekeeping_at_ = now + housekeeping_period_ns;
  const DriverStatus current = status();
  counters_.update(current.counts, current.bytes_reserved, books_->leases);
  const auto in_use = [this](std::uint32_t id) {
    return books_->leases.in_use(id) || books_->provisioning.has_job(id);
  };
  if (const Stream* const unused = books_->streams.longest_unused(now, dynamic_stream_linger_ns, in_use)) {
    books_->streams.remove(unused->stream_id);  // the collector finds its files
  }
  if (now >= next_retry_at_ && farewell_.state() == DriverState::running) {
    next_retry_at_ = now + books_->config.announce_period_ns();
    look_at_directories(now);
    for (const auto& [id, stream] : books_->streams.all()) {
      if (!stream.provisioned() && !books_->provisioning.has_job(id)) {
        books_->provisioning.want_idle_epoch(id, std::nullopt);
      }
    }
  }
}

// Whoever has them mapped does not notice when somebody removes them; nobody else comes in.
void Driver::Impl::look_at_directories(Nanos now) {
  if (const Status kept = books_->keep_namespace(); !kept) {
    books_->log.limited(now, "namespace", LogLevel::error, "{}", kept.error().message);
  }
  if (link_ && ::access((deps_.aeron_dir + "/cnc.dat").c_str(), F_OK) != 0 &&
      transport::probe_media_driver(deps_.aeron_dir).state == transport::MediaDriverState::absent) {
    books_->log.limited(now, "aeron_dir", LogLevel::error,
                        "{} was removed by somebody, and its media driver lives on: who is connected goes on, and "
                        "nobody else can connect; end this driver and its media driver, and start them again",
                        deps_.aeron_dir);
  }
}

void Driver::Impl::close_link() {
  counters_.close();
  books_->control_outbox.close();
  books_->announce_outbox.close();
  link_.reset();
}

// Leases and epochs stay; the clients come back to the same books.
void Driver::Impl::lose_link(Nanos now) {
  books_->log.warning("the media driver is lost ({}); reconnecting, leases are kept", link_->connection.last_error());
  close_link();
  reconnect_delay_ = first_reconnect_delay_ns;
  next_connect_at_ = now + reconnect_delay_;
}

int Driver::Impl::reconnect(Nanos now) {
  if (now < next_connect_at_) {
    return 0;
  }
  auto link = MediaLink::open(deps_.connect, *books_);
  const Status sole = link ? link->claim_control_stream(books_->config.driver.control_stream_id) : Status(link.error());
  if (!sole) {
    books_->control_outbox.close();
    books_->announce_outbox.close();
    books_->log.limited(now, "reconnect", LogLevel::warning, "no media driver yet: {}", sole.error().message);
    reconnect_delay_ = std::min(2 * reconnect_delay_, longest_reconnect_delay_ns);
    next_connect_at_ = now + reconnect_delay_;
    return 1;
  }
  link_.emplace(std::move(*link));
  ++books_->counts.reconnects;
  counters_.open(static_cast<std::int32_t>(books_->config.driver.control_stream_id), books_->config.driver.instance_id);
  books_->leases.extend_all_to(now + books_->config.lease_duration_ns());  // the silence was the media driver's
  books_->log.info("reconnected to the media driver; {} leases go on", books_->leases.size());
  announcer_.announce_all(now);
  return 1;
}

void Driver::Impl::take_shutdown_requests(Nanos now) {
  const int asked = requested.exchange(no_request, std::memory_order_acquire);
  if (asked != no_request) {
    books_->shutdown_asked = static_cast<protocol::ShutdownReason>(asked);
  }
  farewell_.begin_if_asked(now);
}

int Driver::Impl::advance_shutdown(Nanos now) {
  const int work = farewell_.advance(now, link_.has_value());
  if (farewell_.state() == DriverState::finished) {
    close_link();
    finished.store(true, std::memory_order_release);
  }
  return work;
}

DriverStatus Driver::Impl::status() const {
  DriverStatus status;
  status.state = farewell_.state() == DriverState::running && !link_ ? DriverState::disconnected : farewell_.state();
  status.instance_id = books_->config.driver.instance_id;
  for (const auto& [id, stream] : books_->streams.all()) {
    const std::uint64_t epoch = stream.provisioned() ? stream.layout->epoch : 0;
    status.streams.push_back({id, stream.name, stream.profile->name, stream.dynamic, epoch,
                              books_->leases.producer_of(id).value_or(0), books_->leases.consumers_of(id),
                              stream.bytes_reserved, stream.descriptors});
    status.bytes_reserved += stream.bytes_reserved;
  }
  for (const auto& [id, lease] : books_->leases.all()) {
    if (!lease.pending) {
      status.leases.push_back(
          {id, lease.key.stream_id, lease.key.client_id, lease.key.role, lease.expires_at, lease.keepalives});
    }
  }
  status.jobs_pending = static_cast<std::uint32_t>(books_->provisioning.jobs());
  status.counts = books_->counts;
  status.counts.epochs_made = books_->provisioning.epochs_made();
  status.counts.epochs_collected = books_->collector.collected();
  status.counts.unsent = books_->control_outbox.given_up() + books_->announce_outbox.given_up();
  status.malformed_by_fault = books_->malformed_by_fault;
  return status;
}

Result<std::unique_ptr<Driver>> Driver::create(DriverConfig config, DriverDeps deps) {
  auto start = DriverStart::make(std::move(config), deps);
  if (!start) {
    return start.error();
  }
  return std::unique_ptr<Driver>(new Driver(std::make_unique<Impl>(std::move(*start), std::move(deps))));
}

Driver::Driver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Driver::~Driver() = default;

int Driver::do_work(Nanos now) noexcept { return impl_->do_work(now); }

void Driver::request_shutdown(protocol::ShutdownReason reason) noexcept {
  impl_->requested.store(static_cast<int>(reason), std::memory_order_release);
}

bool Driver::finished() const noexcept { return impl_->finished.load(std::memory_order_acquire); }

const std::optional<Error>& Driver::failure() const noexcept { return impl_->failure(); }

DriverStatus Driver::status() const { return impl_->status(); }

std::string_view to_string(DriverState state) noexcept {
  switch (state) {
    case DriverState::running:
      return "running";
    case DriverState::disconnected:
      return "disconnected";
    case DriverState::draining:
      return "draining";
    case DriverState::closing:
      return "closing";
    case DriverState::finished:
      return "finished";
  }
  return "unknown";
}

}  // namespace tensorpool::driver
