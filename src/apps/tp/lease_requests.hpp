// What `tp driver attach|keepalive|detach` say and what they are answered: single messages, no Client behind them.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "apps/flow/stats_json.hpp"
#include "apps/tp/control_line.hpp"
#include "client/grant.hpp"
#include "protocol/messages.hpp"

namespace tensorpool::apps::tp {

// A lease as its holder must name it.
struct LeaseName {
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  protocol::Role role = protocol::Role::consumer;
};

struct Attached {
  protocol::ShmAttachResponse response;
  detail::Grant grant;
  std::uint32_t client_id = 0;
  protocol::Role role = protocol::Role::consumer;

  [[nodiscard]] LeaseName name() const { return {grant.lease_id, grant.layout.stream_id, client_id, role}; }
};

struct AttachWait {
  Nanos timeout_ns = 0;
  Nanos predecessor_ns = 0;                     // as in ClientOptions
  std::function<void(const std::string&)> say;  // told once that a predecessor's lease is waited for; may be empty
};

// Waits for the driver's answer to `request`, whose correlation id is chosen here; asks again while a killed
// predecessor may hold the place. Errors: refused with the driver's reason, timed_out, protocol_error when the answer
// lacks what a client needs.
[[nodiscard]] Result<Attached> attach_by_hand(ControlLine& line, protocol::ShmAttachRequest request,
                                              const AttachWait& wait, const std::atomic<bool>& stop);

// A driver answers no keepalive that it accepts, so the lease's Aeron counter is asked. refused: the driver revoked the
// lease, or it is somebody else's. timed_out: neither counted nor contradicted.
[[nodiscard]] Status keep_alive_by_hand(ControlLine& line, const LeaseName& lease, Nanos timeout_ns,
                                        const std::atomic<bool>& stop);

[[nodiscard]] Result<protocol::ShmDetachResponse> detach_by_hand(ControlLine& line, const LeaseName& lease,
                                                                 Nanos timeout_ns, const std::atomic<bool>& stop);

// Keeps the lease alive for `time_ns` (0: until stopped). refused when the driver ends it meanwhile.
[[nodiscard]] Status hold_lease(ControlLine& line, const Attached& attached, Nanos time_ns,
                                const std::atomic<bool>& stop);

// Lines of key=value, named as the published tool names them.
[[nodiscard]] std::string describe(const Attached& attached, Nanos now);
[[nodiscard]] Json to_json(const Attached& attached, Nanos now);
[[nodiscard]] std::string describe(const protocol::ShmDetachResponse& response);
[[nodiscard]] Json to_json(const protocol::ShmDetachResponse& response);

}  // namespace tensorpool::apps::tp
