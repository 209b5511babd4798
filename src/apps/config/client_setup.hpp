// From configuration to what a client needs: CONFIG, the driver's file, supplies the Aeron directory, channels,
// control, announce and QoS ids, and the stream if it has only one; DEFAULTS, the role's file, the rest. The
// environment wins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "apps/config/node_config.hpp"
#include "tensorpool/client.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool::apps {

// `config` may stand for both files where there is only one.
[[nodiscard]] ClientOptions producer_client_options(const NodeConfig& config, const NodeConfig& defaults);
[[nodiscard]] ClientOptions consumer_client_options(const NodeConfig& config, const NodeConfig& defaults);

// What [consumer] says of what is to be read and how; the stream is the caller's choice.
[[nodiscard]] ProducerOptions producer_options(const ProducerSettings& settings);
[[nodiscard]] ConsumerOptions consumer_options(const ConsumerSettings& settings);

// What Supervisor::create needs, but for whom it tells.
[[nodiscard]] SupervisorOptions supervisor_options(const NodeConfig& config, const NodeConfig& defaults);

// The stream to attach to: `wanted` unless that is 0, else the only static stream of `config`. The error lists what
// there is, and names the setting `key` that chooses.
[[nodiscard]] Result<std::uint32_t> choose_stream(const NodeConfig& config, std::uint32_t wanted, std::string_view key);

// What [producer] says of a stream without a driver. The error names the key that cannot be.
[[nodiscard]] Result<StandaloneOptions> standalone_options(const NodeConfig& config);
// Makes them a standalone producer's, or its consumer's: [producer] says how often it announces.
void use_standalone(const NodeConfig& config, ClientOptions& options);

// Bytes of the first pool of a static stream's profile; nothing when `config` does not know the stream.
[[nodiscard]] std::optional<std::uint32_t> first_pool_stride(const NodeConfig& config, std::uint32_t stream_id);

}  // namespace tensorpool::apps
