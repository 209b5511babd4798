// The counters of producers and consumers as JSON, for programs and for the demo's processes among themselves.
// 64-bit epochs are strings, because many JSON readers keep only 53 bits.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "apps/flow/epoch_spans.hpp"
#include "apps/support/print.hpp"
#include "tensorpool/consumer.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::apps {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json to_json(const ProducerStats& stats);
[[nodiscard]] Json to_json(const ConsumerStats& stats);
[[nodiscard]] Json to_json(const EpochSpans& spans);

// Nothing if a field is missing or of another type.
[[nodiscard]] std::optional<ProducerStats> producer_stats_from(const Json& json);
[[nodiscard]] std::optional<ConsumerStats> consumer_stats_from(const Json& json);

// "gap 3, late 1"; empty when nothing was lost.
[[nodiscard]] std::string describe_losses(const ConsumerStats& stats);

// As print_line(), of the object in one line. Text that is not UTF-8 is replaced.
void print_json(const Json& json);

}  // namespace tensorpool::apps
