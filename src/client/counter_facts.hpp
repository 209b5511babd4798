// What the Aeron counters of a tensorpool tell that no message does.
#pragma once

#include <cstdint>
#include <vector>

#include "client/stream_watch.hpp"
#include "transport/counters.hpp"

namespace tensorpool::detail {

// The leases of the driver on that control stream; at most `limit`.
[[nodiscard]] std::vector<LeaseFact> leases_in(const std::vector<transport::CounterValue>& counters,
                                               std::int32_t control_stream_id, std::size_t limit);

// The figures of the clients that show them, of the driver on that control stream; at most `limit` clients.
[[nodiscard]] std::vector<ClientFact> clients_in(const std::vector<transport::CounterValue>& counters,
                                                 std::int32_t control_stream_id, std::size_t limit);

}  // namespace tensorpool::detail
