// Sees what goes on in a tensorpool without taking part: no lease, no shared memory, nothing sent. It listens to the
// control, announce and QoS streams, reads Aeron counters, and, if asked to, drains the descriptors: the data path does
// not notice it. Everything it hears was said by other processes: tables, events and work are bounded, and what does
// not fit is counted.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/client.hpp"
#include "tensorpool/consumer.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

// alive: heard of within half of the liveness time-out. stale: silent for longer. gone: silent for the whole time-out,
// or its lease ended; it stays in the snapshot for six more time-outs.
enum class Liveness : std::uint8_t { alive, stale, gone };
[[nodiscard]] std::string_view to_string(Liveness liveness) noexcept;

// unknown: never heard. silent: no stream was announced for the liveness time-out. shut_down: it said goodbye.
enum class DriverState : std::uint8_t { unknown, alive, silent, shut_down };
[[nodiscard]] std::string_view to_string(DriverState state) noexcept;

// From the driver's Aeron counters.
struct LeaseView {
  std::uint64_t lease_id = 0;
  std::uint64_t keepalives = 0;
  Nanos age_ns = 0;         // since it was granted
  Nanos expires_in_ns = 0;  // unless it is kept alive; negative: overdue
};

struct StreamView {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t producer_id = 0;  // 0 = nobody produces
  std::uint32_t slots = 0;        // of the header ring
  std::uint64_t pool_bytes = 0;   // of all its pools together
  Nanos announced_ago_ns = 0;
  std::optional<double> bytes_per_s{};  // its producer's
  // Only where descriptors are watched. Latency is from a frame's timestamp, where that is of CLOCK_MONOTONIC, until
  // the monitor read its descriptor: what the producer and Aeron took, and the monitor's own nap. The least and the
  // most of the last second.
  std::optional<double> frames_per_s{};
  std::optional<Nanos> latency_least_ns{};
  std::optional<Nanos> latency_most_ns{};
};

struct ProducerView {
  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;              // 0 = not yet told
  std::uint64_t current_seq = 0;        // as its QoS says: the newest committed
  double frames_per_s = 0;              // between its last two QoS messages
  Nanos no_frames_ns = 0;               // since a new frame of it was last noticed, or since it appeared
  bool frames_missing = false;          // for the whole timeout, as event no_frames said
  std::optional<double> bytes_per_s{};  // of payload, from its Aeron counters
  Liveness liveness = Liveness::alive;
  Nanos silent_ns = 0;     // since its last sign of life
  bool confirmed = false;  // has a lease or is announced; otherwise QoS alone speaks for it, and anybody may send that
  std::optional<LeaseView> lease{};
};

struct ConsumerView {
  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t last_seq_seen = 0;
  double frames_per_s = 0;              // delivered, by its Aeron counters; else passed and not lost
  std::optional<double> bytes_per_s{};  // of payload delivered, from its Aeron counters
  // Of frames until they were handed over, from their time stamp: the mean since its Aeron counters were last read.
  std::optional<Nanos> latency_mean_ns{};
  // Frames behind the newest that was known when its QoS came: to a descriptor where those are watched, else to the
  // producer's QoS, which may be an interval old, so that the true lag may be larger. Only within one epoch.
  std::optional<std::uint64_t> lag_frames{};
  std::uint64_t drops_gap = 0;                                   // never attempted
  std::uint64_t drops_late = 0;                                  // attempted and rejected
  std::optional<std::array<std::uint64_t, loss_causes>> lost{};  // by LossCause, from its Aeron counters
  bool rate_limited = false;                                     // the mode it is in
  bool supports_shm = false;                                     // as its hello says
  Liveness liveness = Liveness::alive;
  Nanos silent_ns = 0;
  bool confirmed = false;  // has a lease
  std::optional<LeaseView> lease{};
};

// What the monitor could not use; none of it is lost silently.
struct MonitorCounts {
  std::uint64_t malformed = 0;          // messages that could not be decoded
  std::uint64_t implausible = 0;        // figures of an older epoch, or that go backwards
  std::uint64_t untracked = 0;          // messages of streams or clients for which there is no room
  std::uint64_t events_suppressed = 0;  // beyond 200 a second
  std::uint64_t reconnects = 0;         // to the media driver
};

// Sorted by stream, then by client.
struct MonitorSnapshot {
  Nanos taken_at_ns = 0;
  bool connected = false;  // to the media driver
  DriverState driver = DriverState::unknown;
  std::vector<StreamView> streams;
  std::vector<ProducerView> producers;
  std::vector<ConsumerView> consumers;
  MonitorCounts counts;
};

enum class MonitorEventKind : std::uint8_t {
  producer_appeared,
  producer_stale,
  producer_gone,
  consumer_appeared,
  consumer_stale,
  consumer_gone,
  epoch_changed,
  drops_rising,  // at most once per liveness time-out for one consumer
  driver_silent,
  driver_shutdown,
  driver_back,
  media_driver_lost,
  media_driver_back,
  no_frames,       // a producer with a lease committed no new frame for the timeout; once, until frames_resumed
  frames_resumed,  // it commits frames again
  // Only of a Supervisor:
  config_sent,     // a consumer was told what its policy says
  config_ignored,  // told several times, and it does otherwise
};
[[nodiscard]] std::string_view to_string(MonitorEventKind kind) noexcept;

struct MonitorEvent {
  MonitorEventKind kind = MonitorEventKind::producer_appeared;
  std::uint32_t stream_id = 0;  // 0 = none in particular
  std::uint32_t client_id = 0;  // producer or consumer
  std::string message{};
  std::uint64_t epoch = 0;                  // of the client, or the new one; 0 = not known
  EndReason reason = EndReason::unknown;    // of producer_gone and consumer_gone; unknown: it fell silent
  std::optional<std::uint64_t> last_seq{};  // of no_frames and frames_resumed: the newest committed frame
  Nanos silent_ns = 0;                      // of no_frames, frames_resumed, stale, gone and driver_silent
};
// Whether the event needs attention: a client stale, or gone without a detach; no frames; drops rising; a driver or
// media driver silent or gone; a config ignored. A client that detaches is no alert.
[[nodiscard]] bool is_alert(const MonitorEvent& event) noexcept;

// How long the producers of one stream may go without a new frame.
struct NoFramesTimeout {
  std::uint32_t stream_id = 0;
  Nanos timeout_ns = 0;  // 0 = for ever
};

struct MonitorOptions {
  std::uint32_t stream_id = 0;  // 0 = all streams
  Nanos liveness_timeout_ns = 5 * nanos_per_second;
  // How long a producer may go without a new frame before event no_frames; 0 = for ever. It is judged by the producer's
  // QoS, so a timeout below two QoS intervals (ClientOptions::qos_interval_ns) is late by up to one.
  Nanos no_frames_timeout_ns = 5 * nanos_per_second;
  std::vector<NoFramesTimeout> no_frames_timeouts{};  // of single streams, instead
  // Drains the descriptor stream too: exact rates and lags, and latencies. It does so as every consumer does: one that
  // cannot keep up is left behind and holds up nobody.
  bool descriptors = false;
  // How often leases, bytes and causes of loss are read from the Aeron counters; 0: never. In invoker mode do_work then
  // maps a file so often.
  Nanos counters_interval_ns = nanos_per_second;
  // Called on the monitor's thread, in invoker mode by do_work. Must not block or throw, nor destroy the Monitor.
  std::function<void(const MonitorEvent&)> on_event{};
};

namespace detail {
class MonitorCore;
}

// One that was moved from may only be destroyed or assigned to.
class Monitor {
 public:
  // `where`: the Aeron directory, channels and stream ids; its name, conductor_nap_ns and invoker hold for the monitor.
  // Errors: no media driver, no permission, a time out of range. A media driver that goes and comes back is followed.
  [[nodiscard]] static Result<Monitor> open(ClientOptions where, MonitorOptions options = {});
  Monitor(Monitor&&) noexcept;
  Monitor& operator=(Monitor&&) noexcept;
  ~Monitor();

  // What is known now, copied. Any thread.
  [[nodiscard]] MonitorSnapshot snapshot() const;

  [[nodiscard]] std::string_view name() const noexcept { return "monitor"; }
  // One duty cycle; only in invoker mode. Returns the work done; 0 lets the caller idle.
  int do_work(Nanos now) noexcept;

 private:
  explicit Monitor(std::unique_ptr<detail::MonitorCore> core) noexcept;
  std::unique_ptr<detail::MonitorCore> core_;
};

}  // namespace tensorpool
