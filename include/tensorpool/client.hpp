// The door to a tensorpool: one Client per process (or per trust domain) attaches producers and consumers to streams.
// A conductor thread of its own keeps leases alive, maps regions, follows epochs and reconnects; in invoker mode the
// caller is that thread and calls do_work. A restarted driver or media driver never ends the application: the client
// reconnects, reattaches and says so through on_event.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/consumer.hpp"
#include "tensorpool/metadata.hpp"
#include "tensorpool/producer.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

// How the attachment of a producer or a consumer ended, as its driver says.
enum class EndReason : std::uint8_t {
  unknown,   // not said: another epoch was announced, or the message was lost
  detached,  // it gave its lease back: a clean end
  expired,   // it sent no keepalive for a whole lease: killed, stopped or cut off
  revoked,   // the driver took the lease away
};
[[nodiscard]] std::string_view to_string(EndReason reason) noexcept;

enum class EventKind : std::uint8_t {
  attached,        // a lease was granted, or standalone regions are there; they are mapped
  remapped,        // a new epoch of the stream was mapped
  revoked,         // the lease ended: detached elsewhere, expired or revoked
  refused,         // the driver refused an attach that is tried again, and why
  mapping_failed,  // regions could not be mapped; it will be tried again
  driver_silent,   // no announce for 3 periods
  // The producer of a consumer's stream ended, `reason` says how. Standalone: detached by its goodbye, expired after 3
  // periods without an announce.
  producer_gone,
  driver_shutdown,    // the driver said goodbye
  stalled,            // no duty cycle for longer than an announce period: what was late, and which leases ran out
  media_driver_lost,  // Aeron connection lost; reconnecting
  media_driver_back,  // reconnected
  no_frames,          // no new frame in a consumer's stream for ConsumerOptions::no_frames_timeout_ns; told once
  frames_resumed,     // the first new frame after that
  // For more than a second all descriptors of a producer were dropped, because a subscriber does not read; told again
  // after a second without a drop.
  descriptors_blocked,
  configured,  // a ConsumerConfig changed what a consumer reads (Consumer::terms)
  log,         // something worth a line, nothing to act on
};
[[nodiscard]] std::string_view to_string(EventKind kind) noexcept;

struct Event {
  EventKind kind = EventKind::log;
  std::uint32_t stream_id = 0;              // 0 = the whole client
  std::uint32_t client_id = 0;              // of the attachment; 0 = the whole client
  std::string message{};                    // what, which stream, epoch, path or id, why, and the remedy
  std::uint64_t epoch = 0;                  // of the stream, as mapped or lost; 0 = none
  std::uint32_t producer_id = 0;            // of producer_gone, no_frames and frames_resumed; 0 = none, or not known
  EndReason reason = EndReason::unknown;    // of revoked and producer_gone
  std::optional<std::uint64_t> last_seq{};  // of no_frames and frames_resumed: the newest committed frame, if any
  Nanos silent_ns = 0;                      // of no_frames and frames_resumed: since the last new frame
};

struct ChannelOptions {
  std::string channel = "aeron:ipc";
  std::int32_t stream_id = 0;
};

// Times are nanoseconds. A period, interval or nap is positive and at most an hour, a time-out positive; connect
// refuses anything else.
struct ClientOptions {
  std::string aeron_dir{};  // empty = Aeron's default, /dev/shm/aeron-<user>
  ChannelOptions control{"aeron:ipc", 1000};
  ChannelOptions announce{"aeron:ipc", 0};  // stream 0 = control's channel and stream
  ChannelOptions descriptor{"aeron:ipc", 1100};
  ChannelOptions qos{"aeron:ipc", 1200};
  ChannelOptions metadata{"aeron:ipc", 1300};
  std::vector<std::string> allowed_base_dirs{"/dev/shm"};  // regions are mapped below these only; empty refuses all
  std::string name = "tensorpool";                         // shown in Aeron's tools
  Nanos attach_timeout_ns = 30 * nanos_per_second;
  // How long a first attach repeats its request while another client holds the stream's one place for a producer, or
  // the client id. A killed holder loses both when its lease ends, 3 s after its last keepalive unless the driver is
  // configured otherwise; so the attach goes on beyond this time while the holder sends no keepalive, at most for
  // attach_timeout. A living holder is then the error `refused`. 0: refused at once.
  Nanos predecessor_ns = 5 * nanos_per_second;
  Nanos qos_interval_ns = nanos_per_second;
  // The driver's, or a standalone producer's; freshness and silence are 3 periods.
  Nanos announce_period_ns = nanos_per_second;
  // How long the conductor's thread naps at most when there is nothing to do. It begins with a millisecond, if that is
  // shorter, and each nap in a row is twice as long as the one before.
  Nanos conductor_nap_ns = 8 * nanos_per_milli;
  // Shows the figures of its producers and consumers as Aeron counters, written once per qos_interval_ns: at most 512
  // counters for a client; the attachments beyond that go without.
  bool counters = true;
  bool invoker = false;  // true: no thread; the caller calls do_work
  // Invoker mode only: called between the duty cycles of an attach that waits; may run other agents of this thread, and
  // returns the time (CLOCK_MONOTONIC) of the next cycle. Empty: naps a millisecond and reads the clock.
  std::function<Nanos()> wait{};
  // Asked on the calling thread while connect or an attach waits, at once and then about ten times a second; false
  // gives up (error `closed`). For programs that end on a signal (keep_running), and to say what they wait for. Empty:
  // waits for the whole time-out.
  std::function<bool()> keep_waiting{};
  // Called on the conductor's thread, and on the one that destroys the Client. Must not block or throw, nor attach,
  // nor destroy the Client.
  std::function<void(const Event&)> on_event{};
};

// A region file that is truncated under its mapping kills whoever touches it next, by SIGBUS. With this guard the
// process lives: zeros take the place of the lost memory, which no frame is read from; producer and consumer give that
// epoch up (event mapping_failed, `regions_lost` in their statistics) and attach anew. For the whole process and for
// good, so it is the application's to ask for: call it once, after installing handlers of your own and before
// connecting. A SIGBUS that is not of a region goes to the handler that was there before. Nothing is paid per frame.
// Any thread; a second call does nothing. Error: what sigaction answers (not on a Linux that we know).
[[nodiscard]] Status install_sigbus_guard();

namespace detail {
class ClientCore;
}

// One that was moved from may only be destroyed or assigned to; so may, in a child, what fork() copied, and that ends
// nothing for the parent. The same goes for all that a Client makes. There, all that attaches or follows fails with
// ErrorCode::closed, and do_work does nothing.
class Client {
 public:
  // Connects to the media driver in aeron_dir. Of many who start at once one does so at a time; all of that takes at
  // most attach_timeout and a half of it. Errors: no media driver (after its time-out), no permission, a time in
  // `options` out of range.
  [[nodiscard]] static Result<Client> connect(ClientOptions options);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();  // detaches everything that is left and closes the connection

  // Attach and wait, at most attach_timeout: the error says what was tried (aeron dir, channel, stream, how long) or
  // what the driver refused and why. In invoker mode they run the duty cycle themselves while they wait.
  [[nodiscard]] Result<Producer> attach_producer(const ProducerOptions& options);
  [[nodiscard]] Result<Consumer> attach_consumer(const ConsumerOptions& options);

  // Follows what streams say of themselves; needs no attachment and no driver. Without a reader the metadata stream is
  // not even subscribed to. Error: a channel that cannot be.
  [[nodiscard]] Result<MetadataReader> metadata(MetadataOptions options = {});

  [[nodiscard]] std::string_view name() const noexcept;
  // One duty cycle; only in invoker mode. Returns the work done; 0 lets the caller idle.
  int do_work(Nanos now) noexcept;

 private:
  explicit Client(std::unique_ptr<detail::ClientCore> core) noexcept;
  std::unique_ptr<detail::ClientCore> core_;
};

}  // namespace tensorpool
