// A driver's words for the end of a lease, as the library tells them.
#pragma once

#include "protocol/enums.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::detail {

[[nodiscard]] constexpr EndReason end_reason_of(protocol::LeaseRevokeReason reason) noexcept {
  switch (reason) {
    case protocol::LeaseRevokeReason::detached:
      return EndReason::detached;
    case protocol::LeaseRevokeReason::expired:
      return EndReason::expired;
    case protocol::LeaseRevokeReason::revoked:
      return EndReason::revoked;
  }
  return EndReason::unknown;  // a newer driver's
}

}  // namespace tensorpool::detail
