// `tp listen`: what passes on one of the streams, one message a line.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "tensorpool/client.hpp"

namespace tensorpool::apps::tp {

struct ListenOptions {
  std::string what = "control";  // control, announce, qos, metadata, descriptors or progress
  std::optional<std::uint32_t> stream_id{};
  std::uint64_t count = 0;  // messages; 0: until stopped
  Nanos limit_ns = 0;       // 0: until stopped
  bool json = false;
};

// Prints until `count`, `seconds` or `stop`. Errors: no media driver, a channel that cannot be, fewer messages in time
// than asked for.
[[nodiscard]] Status listen(const ClientOptions& client, const ListenOptions& options, const std::atomic<bool>& stop);

}  // namespace tensorpool::apps::tp
