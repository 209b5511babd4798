// By what right an attachment uses its stream: a lease from a driver (AttachSession), its own regions
// (StandaloneOwner), or the announces of such an owner (StandaloneFollower). All take messages and `now`, say what to
// send (due) and what happened (take_notice); the Attachment around them sends, maps and reports. Conductor's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "client/grant.hpp"
#include "protocol/messages.hpp"
#include "tensorpool/client.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::detail {

// Something that happened, told once.
struct AttachNotice {
  enum class Kind : std::uint8_t {
    granted,   // `grant` is to be mapped; answer with on_mapped or on_mapping_failed
    failed,    // the first attach ended without success; `error` says why. What may still be granted is given back.
    refused,   // a later attach was refused; it will be tried again
    broken,    // a response broke the protocol; it was dropped and will be asked for again
    lost,      // the lease ended: revoked, expired, or overtaken by a higher epoch
    shutdown,  // the driver said goodbye
    driver_silent,  // no sign of life for 3 announce periods
    producer_gone,  // standalone: the producer said goodbye, or gave no sign of life for 3 announce periods
    trouble,        // something that a person should look at, and that stops nothing
    closed,         // detach() is done. The session is over.
  };
  Kind kind = Kind::failed;
  Error error;
  std::optional<Grant> grant{};
  EndReason reason = EndReason::unknown;  // of lost and producer_gone
  std::uint32_t producer_id = 0;          // of producer_gone
};
using NoticeKind = AttachNotice::Kind;

class Tenancy {
 public:
  enum class State : std::uint8_t { unattached, attaching, attached, detaching, backoff };
  using Message = std::variant<protocol::ShmDetachRequest, protocol::ShmAttachRequest, protocol::ShmLeaseKeepalive,
                               protocol::ShmPoolAnnounce>;

  Tenancy() = default;
  Tenancy(const Tenancy&) = delete;
  Tenancy& operator=(const Tenancy&) = delete;
  virtual ~Tenancy() = default;

  // Begins; also after on_connection_lost, once there is a connection again.
  virtual void start(Nanos now) = 0;
  // Gives everything back; `closed` follows.
  virtual void detach(Nanos now) = 0;

  // Bounded work of its own; how much was done.
  virtual int do_work(Nanos) { return 0; }
  // The message to send now, if any. It stays due until sent() says that it went out: back-pressure is simply tried
  // again.
  [[nodiscard]] virtual std::optional<Message> due(Nanos now) = 0;
  virtual void sent(const Message& message, Nanos now) = 0;

  virtual void on(const protocol::ShmAttachResponse&, Nanos) {}
  virtual void on(const protocol::ShmDetachResponse&) {}
  virtual void on(const protocol::ShmLeaseRevoked&, Nanos) {}
  virtual void on(const protocol::ShmLeaseKeepalive&, Nanos) {}
  virtual void on(const protocol::ShmDriverShutdown&, Nanos) {}
  // A fresh announce of this stream by whoever owns the regions that are used, or by anybody while none are.
  virtual void on(const protocol::ShmPoolAnnounce& announce, Nanos now) = 0;
  // The consumer follows an announced epoch.
  virtual void on_epoch_mapped(std::uint64_t epoch) noexcept = 0;
  virtual void on_mapped(Nanos now) = 0;
  virtual void on_mapping_failed(const Error& error, Nanos now) = 0;
  virtual void on_connection_lost() = 0;

  [[nodiscard]] virtual std::optional<AttachNotice> take_notice() = 0;

  [[nodiscard]] virtual State state() const noexcept = 0;
  [[nodiscard]] virtual bool over() const noexcept = 0;
  [[nodiscard]] virtual std::uint32_t client_id() const noexcept = 0;
  [[nodiscard]] virtual std::uint32_t stream_id() const noexcept = 0;
  [[nodiscard]] virtual protocol::Role role() const noexcept = 0;
  // Since when a lease has run out that could not be kept alive; nothing while it lasts, or where there is none.
  [[nodiscard]] virtual std::optional<Nanos> overdue(Nanos) const noexcept { return std::nullopt; }
  // For a time-out: what usually is the reason that nothing came.
  [[nodiscard]] virtual std::string likely_reason() const = 0;
};

}  // namespace tensorpool::detail
