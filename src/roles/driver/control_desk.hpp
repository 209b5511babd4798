// ControlDesk: takes what arrives on the control stream, acts on the books, and posts the answers (driver spec §4). It
// also ends leases, whatever the cause, since their holders are told on the same stream.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <unordered_set>

#include "protocol/dispatch.hpp"
#include "protocol/messages.hpp"
#include "roles/driver/announcer.hpp"
#include "roles/driver/books.hpp"

namespace tensorpool::driver {

class ControlDesk {
 public:
  ControlDesk(Books& books, Announcer& announcer) : books_(books), announcer_(announcer) {}

  // Whether the bytes claim to be a message for the driver; its own messages come back to it on the same stream.
  [[nodiscard]] static bool is_for_driver(std::span<const std::byte> bytes) noexcept;
  // One message, of whatever kind and origin.
  void receive(std::span<const std::byte> bytes, Nanos now);
  // A provisioning job ended: answers who waited for it, then announces.
  void finish(const ProvisioningOutcome& outcome, Nanos now);
  // Ends the leases whose time ran out, at most a bounded number; how many.
  int expire(Nanos now);
  // Refuses whatever is still pending: the driver goes.
  void refuse_pending(Nanos now);

  // For protocol::dispatch.
  void on(const protocol::ShmAttachRequest& request);
  void on(const protocol::ShmDetachRequest& request);
  void on(const protocol::ShmLeaseKeepalive& keepalive);
  void on(const protocol::ShmDriverShutdownRequest& request);
  void on(const protocol::ConsumerHello& hello);

 private:
  void answer_attach(const protocol::ShmAttachResponse& response, const LeaseKey& who);
  void grant_attach(std::uint64_t lease_id);
  void refuse_attach(std::uint64_t lease_id, protocol::ResponseCode code, std::string_view why);
  void count_answer(const protocol::ShmAttachResponse& response, const LeaseKey& who);
  void say_lease_ended(const Lease& lease, protocol::LeaseRevokeReason reason);
  void tell_unknown(const LeaseKey& key);
  void fail(Error why);
  void on_malformed(const protocol::DispatchOutcome& outcome, std::span<const std::byte> bytes);
  void answer_unsupported(const protocol::MessageHeader& header, std::span<const std::byte> bytes);

  Books& books_;
  Announcer& announcer_;
  Nanos now_ = 0;                                   // of the message in hand
  std::unordered_set<std::uint64_t> told_unknown_;  // lease ids that were told so since `told_since_`; bounded
  Nanos told_since_ = 0;
};

}  // namespace tensorpool::driver
