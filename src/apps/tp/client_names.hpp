// What Aeron's counters tell of producers and consumers beside their figures: the name of the client that has each, and
// whether a stream has a producer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transport/counters.hpp"

namespace tensorpool::apps::tp {

// By stream id and client id. A name is whatever another process chose: escape it.
using ClientNames = std::map<std::pair<std::uint32_t, std::uint32_t>, std::string>;

// Of the clients that talk to the driver on that control stream.
[[nodiscard]] ClientNames client_names_in(const std::vector<transport::CounterValue>& counters,
                                          std::int32_t control_stream_id);

// The producer of the stream, by its lease or its counters; 0: none is known.
[[nodiscard]] std::uint32_t producer_in(const std::vector<transport::CounterValue>& counters,
                                        std::int32_t control_stream_id, std::uint32_t stream_id);

}  // namespace tensorpool::apps::tp
