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

// On one line, and in ASCII: other characters are escaped, and bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string json_text(const Json& json);

// As print_line(), of the object in one line.
void print_json(const Json& json);

}  // namespace tensorpool::apps
