// A decoded message on one line, for people or as JSON. Whatever a peer sent is escaped.
#pragma once

#include <string>

#include "apps/flow/stats_json.hpp"
#include "protocol/described.hpp"

namespace tensorpool::apps::tp {

// "QosProducer stream_id=1001 producer_id=7 epoch=1795332659 current_seq=41 watermark=-"; for anything that is no
// message, why: "malformed: short block (QosProducer, schema 900, template 6, version 1, 36 bytes)".
[[nodiscard]] std::string to_text(const protocol::DescribedMessage& message, std::size_t length);
// 64-bit numbers are strings, but for sequences and times.
[[nodiscard]] Json to_json(const protocol::DescribedMessage& message, std::size_t length);

// Whether the message is about that stream.
[[nodiscard]] bool is_about(const protocol::DescribedMessage& message, std::uint32_t stream_id);

}  // namespace tensorpool::apps::tp
