// The client's side of the message plane but for the descriptors: one Aeron connection, one control publication for all
// attachments (exclusive: a shared one falls silent when any process dies inside a claim), the control, announce and
// QoS streams. It notices that the media driver is gone and comes back by itself. Conductor's thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/backoff.hpp"
#include "protocol/codec.hpp"
#include "protocol/messages.hpp"
#include "tensorpool/client.hpp"
#include "transport/connection.hpp"
#include "transport/counter_requests.hpp"
#include "transport/media_driver_claim.hpp"

namespace tensorpool::detail {

class ControlPlane {
 public:
  enum class Change : std::uint8_t { none, lost, back };
  using ChannelBuilder = Result<std::string> (*)(std::string_view);

  // listening: nothing is published, and send answers false.
  enum class Ends : std::uint8_t { both, listening };

  ControlPlane(const ClientOptions& options, RandomSource random, Ends ends = Ends::both);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // Connects now, with at most attach_timeout of patience with a media driver that is there and slow; the error is for
  // the caller of Client::connect.
  Status open(Nanos now);
  // Runs the Aeron client, and reconnects with back-off when it was lost.
  Change tick(Nanos now, int& work);

  [[nodiscard]] bool up() const noexcept { return wires_ != nullptr; }
  // Why it was lost, or why it does not come back.
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }
  // When the streams of this connection were subscribed to.
  [[nodiscard]] Nanos listening_since() const noexcept { return listening_since_; }
  // Counts connections: what was added on an earlier one is dead.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

  // True if the message went out; false is back-pressure, nobody there, or no connection: try again.
  template <class Message>
  bool send(const Message& message) {
    return up() && offer(wires_->control_out, message);
  }
  // REQUIRES: open_announces() on this connection, where announces have a stream of their own.
  bool send(const protocol::ShmPoolAnnounce& announce) {
    return up() && offer(announces_apart() ? wires_->announce_out : wires_->control_out, announce);
  }
  template <class Message>
  bool send_qos(const Message& message) {
    return up() && offer(wires_->qos_out, message);
  }
  // False is back-pressure: try again. Nobody there is as good as sent. The publication is added at the first call. An
  // error is a message that the stream cannot carry, or no stream.
  template <class Message>
  Result<bool> send_metadata(const Message& message) {
    if (auto there = open_metadata_out(); !there) return there.error();
    encode(message);
    return outcome_of_metadata(wires_->metadata_out->offer(scratch_));
  }
  // Calls on_message(bytes) for what has arrived on the metadata stream; 0 unless it is listened to.
  template <class F>
  int poll_metadata(F&& on_message) {
    return up() ? wires_->metadata_in.poll_assembled(on_message, fragment_limit) : 0;
  }
  // Subscribes to the metadata stream, from now on or no more; the error is why it cannot.
  Status listen_to_metadata(bool wanted);

  // Whether anybody at all subscribes to the control stream beside us.
  [[nodiscard]] bool control_connected() const noexcept { return up() && wires_->control_out.is_connected(); }

  // How many publish on the control stream: the driver and the clients, ourselves included.
  [[nodiscard]] int company() const noexcept { return up() ? wires_->control_in.image_count() : 0; }

  // Calls on_message(bytes) for what has arrived on the control, announce and QoS streams.
  template <class F>
  int poll(F&& on_message) {
    if (!up()) return 0;
    int work = wires_->control_in.poll_assembled(on_message, fragment_limit);
    work += wires_->announce_in.poll_assembled(on_message, fragment_limit);
    return work + wires_->qos_in.poll_assembled(on_message, fragment_limit);
  }

  // For a client that announces: regions of its own.
  Status open_announces();
  // The longest announce that goes out.
  [[nodiscard]] std::size_t max_announce_length() const noexcept;
  Result<std::shared_ptr<transport::Publication>> add_descriptor_publication();
  Result<std::shared_ptr<transport::Subscription>> add_descriptor_subscription();
  // To what one publication sends there alone.
  Result<std::shared_ptr<transport::Subscription>> add_descriptor_subscription(std::int32_t session_id);
  // Whether something may be added that could as well be added later: for a few milliseconds of each duty cycle. The
  // first addition takes as long as the media driver naps; it is awake for those behind it.
  [[nodiscard]] bool may_add_now() noexcept;
  // The two ends of a stream of a consumer's own.
  Result<std::shared_ptr<transport::Publication>> add_own_publication(const ChannelOptions& own);
  Result<std::shared_ptr<transport::Subscription>> add_own_subscription(const ChannelOptions& own);
  // The application thread's own on the control stream, beside ours.
  Result<transport::Publication> add_progress_publication();
  Result<std::shared_ptr<transport::Subscription>> add_progress_subscription();

  // The counters of these labels, of type ids from `first_type` on: all of them, or none when the client shows no
  // counters, or so many that it may not take more.
  std::vector<std::shared_ptr<transport::Counter>> want_counters(std::int32_t first_type,
                                                                 std::vector<std::string> labels);

  // "aeron directory /dev/shm/aeron-me, control channel aeron:ipc stream 1000"
  [[nodiscard]] std::string describe() const;

 private:
  static constexpr int fragment_limit = 64;
  // A media driver has room for a few thousand counters, and every client wants its share.
  static constexpr std::size_t max_counters = 512;

  // Everything that lives and dies with one connection; the connection is first, so it goes last.
  struct Wires {
    explicit Wires(transport::Connection opened) : connection(std::move(opened)) {}
    transport::Connection connection;
    transport::Publication control_out;
    transport::Subscription control_in;
    transport::Subscription announce_in;  // empty when announces come on the control stream
    transport::Publication announce_out;  // empty until open_announces(), or when they go on the control stream
    transport::Publication qos_out;
    transport::Subscription qos_in;
    std::optional<transport::Publication> metadata_out;  // once there is something to say
    transport::Subscription metadata_in;                 // empty unless listened to
  };

  Result<std::shared_ptr<transport::Publication>> add_publication(std::string_view what, const ChannelOptions& channel,
                                                                  ChannelBuilder build);
  Result<std::shared_ptr<transport::Subscription>> add_subscription(std::string_view what,
                                                                    const ChannelOptions& channel);
  Result<std::optional<transport::MediaDriverClaim>> take_turn(bool wait);
  Status connect(Nanos now, bool wait_for_driver);
  Status subscribe(Wires& wires);
  [[nodiscard]] bool announces_apart() const noexcept;
  [[nodiscard]] std::string aeron_dir() const;

  Status subscribe_to_metadata(Wires& wires);
  Status open_metadata_out();
  [[nodiscard]] Result<bool> outcome_of_metadata(transport::OfferResult result) const;

  template <class Message>
  bool encode(const Message& message) {
    scratch_.resize(protocol::encoded_length(message));
    return protocol::encode(message, std::span(scratch_)) != 0;
  }
  template <class Message>
  bool offer(transport::Publication& publication, const Message& message) {
    return encode(message) && publication.offer(scratch_) == transport::OfferResult::ok;
  }

  const ClientOptions& options_;
  RandomSource random_;
  const Ends ends_;
  std::unique_ptr<Wires> wires_;
  bool listens_to_metadata_ = false;
  Nanos listening_since_ = 0;
  std::uint64_t generation_ = 0;
  std::optional<Nanos> adding_since_;  // in this duty cycle
  std::optional<Nanos> reconnect_at_;
  int turns_passed_ = 0;  // of reconnecting
  Backoff backoff_{50 * nanos_per_milli, 500 * nanos_per_milli};
  std::string trouble_;
  std::vector<std::byte> scratch_;
  transport::CounterRequests counter_requests_;
  std::vector<std::weak_ptr<transport::Counter>> counters_;
};

}  // namespace tensorpool::detail
