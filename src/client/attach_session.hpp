// The life of one attachment as seen from the client: asks, waits, asks again, keeps the lease alive, loses it, starts
// over. A pure core: it takes messages and `now`, and says what to send (due) and what happened (take_notice). It knows
// neither Aeron nor shared memory; the Attachment around it sends, maps and reports.
//
// What always holds: a response counts only for the correlation id that is outstanding (random 63 bits: the response
// names no client); an OK is never undone by a later refusal; a lease that is given up is detached before a new one is
// asked for.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "client/backoff.hpp"
#include "client/place_holder.hpp"
#include "client/tenancy.hpp"
#include "protocol/messages.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::detail {

struct AttachSettings {
  protocol::Role role = protocol::Role::consumer;
  std::uint32_t stream_id = 0;  // 0: the driver allocates one
  std::uint32_t client_id = 0;  // 0: random, drawn again when it is taken
  std::uint32_t expected_layout_version = 0;
  bool create = false;
  bool require_hugepages = false;
  std::optional<std::uint32_t> desired_node_id{};
  Nanos attach_timeout_ns = 30 * nanos_per_second;
  Nanos announce_period_ns = nanos_per_second;
  Nanos predecessor_ns = 0;  // ClientOptions::predecessor_ns
};

class AttachSession final : public Tenancy {
 public:
  AttachSession(AttachSettings settings, RandomSource random);

  // Asks for the first time; also after on_connection_lost, once there is a connection again.
  void start(Nanos now) override;
  // Gives the lease back; `closed` follows. After a failure it cuts short the wait for a late answer.
  void detach(Nanos now) override;

  // The message to send now, if any. It stays due until sent() says that it went out: back-pressure is simply tried
  // again.
  [[nodiscard]] std::optional<Message> due(Nanos now) override;
  void sent(const Message& message, Nanos now) override;

  void on(const protocol::ShmAttachResponse& response, Nanos now) override;
  void on(const protocol::ShmDetachResponse& response) override;
  void on(const protocol::ShmLeaseRevoked& revoked, Nanos now) override;
  // Another client's: a place that it holds does not become free by itself.
  void on(const protocol::ShmLeaseKeepalive& keepalive, Nanos now) override { holder_.on_keepalive(keepalive, now); }
  void on(const protocol::ShmDriverShutdown& shutdown, Nanos now) override;
  void on(const protocol::ShmPoolAnnounce& announce, Nanos now) override { on_announce(announce.epoch, now); }
  // A fresh announce of this session's stream: a sign of life, whatever its epoch. A higher one is only a reason to ask
  // the driver by a keepalive, until the regions are mapped (consumer) or ours is announced no more (producer).
  void on_announce(std::uint64_t epoch, Nanos now);
  // The consumer follows an announced epoch.
  void on_epoch_mapped(std::uint64_t epoch) noexcept override;
  void on_mapped(Nanos now) override;
  void on_mapping_failed(const Error& error, Nanos now) override;
  void on_connection_lost() override;

  [[nodiscard]] std::optional<AttachNotice> take_notice() override;

  [[nodiscard]] State state() const noexcept override;
  [[nodiscard]] bool over() const noexcept override { return over_; }
  [[nodiscard]] std::uint32_t client_id() const noexcept override { return client_id_; }
  [[nodiscard]] std::uint32_t stream_id() const noexcept override { return settings_.stream_id; }
  [[nodiscard]] protocol::Role role() const noexcept override { return settings_.role; }
  [[nodiscard]] std::optional<Nanos> overdue(Nanos now) const noexcept override;
  [[nodiscard]] std::string likely_reason() const override;

 private:
  // One question to the driver; its repeats carry the same correlation id.
  struct Attempt {
    std::int64_t correlation_id = 0;
    Nanos started = 0;
    Nanos next_send = 0;
    bool probe = false;  // asks whether a lease that we hold still exists
    bool quiet = false;  // not repeated any more, but an answer still counts
    Backoff repeat{100 * nanos_per_milli, nanos_per_second};
  };
  // A lease that was given up. The detach is repeated only while closing; on the way to a new lease it is sent once.
  struct Parting {
    protocol::ShmDetachRequest request;
    Nanos next_send = 0;
    std::optional<Nanos> give_up_at{};  // since it was first sent
  };
  struct Lease {
    std::uint64_t lease_id = 0;
    std::uint64_t epoch = 0;
    Nanos duration_ns = 0;
    Nanos asked_at = 0;        // when the attempt began
    Nanos last_keepalive = 0;  // that went out
    Nanos next_keepalive = 0;
    std::optional<Nanos> overtaken_since;  // when a higher epoch was announced, and ours was not since
  };

  void begin_attempt(Nanos now, bool probe);
  void back_off(Nanos now);
  void end_lease(bool tell_driver);
  void give_back(std::uint64_t lease_id);
  void parted(std::size_t leases);
  void lose(std::string why, EndReason reason, Nanos now);
  void fail(Nanos now, Error error);
  void close();
  void close_if_done();
  void confirm_alive(Nanos now) noexcept;
  void on_overtaken(std::uint64_t epoch, Nanos now);
  [[nodiscard]] Nanos keepalive_interval(Nanos lease_duration_ns) const noexcept;
  void on_granted(const protocol::ShmAttachResponse& response, Nanos now);
  void on_refused(const protocol::ShmAttachResponse& response, Nanos now);
  void tell_refusal(std::string what_follows);
  [[nodiscard]] bool awaits_predecessor(Nanos now);
  void check_time(Nanos now);
  void check_lease(Nanos now);
  void notify(AttachNotice::Kind kind, ErrorCode code = ErrorCode::unavailable, std::string text = {});
  [[nodiscard]] std::int64_t new_correlation_id();
  [[nodiscard]] protocol::ShmAttachRequest request() const;
  [[nodiscard]] protocol::ShmDetachRequest detach_request(std::uint64_t lease_id);
  [[nodiscard]] std::string name() const;

  AttachSettings settings_;
  RandomSource random_;
  std::uint32_t client_id_;
  bool automatic_id_;
  bool attached_once_ = false;
  bool started_ = false;
  bool closing_ = false;
  bool over_ = false;
  bool silent_ = false;
  Nanos deadline_ = 0;    // of the first attach, or of closing
  Nanos last_alive_ = 0;  // the driver's last sign of life
  int rerolls_ = 0;
  std::optional<Attempt> attempt_;
  std::optional<Lease> lease_;
  std::optional<Nanos> retry_at_;
  PlaceHolder holder_;        // of the place that the first attach waits for
  bool way_is_free_ = false;  // nobody's lease keeps us waiting, so no answer to a detach ends the wait
  std::vector<Parting> partings_;
  Backoff backoff_{100 * nanos_per_milli, 2 * nanos_per_second};
  std::string last_refusal_;
  std::string last_remedy_;
  std::string told_refusal_;
  std::deque<AttachNotice> notices_;
};

}  // namespace tensorpool::detail
