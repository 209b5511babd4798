#include "apps/tp/driver_shutdown.hpp"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "apps/tp/tool_connection.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "protocol/codec.hpp"
#include "protocol/dispatch.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr int fragments_per_poll = 64;
// A driver that has just started discards what it hears at first, so a request is said more than once.
constexpr Nanos repeat_ns = 300 * nanos_per_milli;

std::vector<std::byte> request_bytes(const std::string& token) {
  protocol::ShmDriverShutdownRequest request;
  request.correlation_id = static_cast<std::int64_t>(random_u64() >> 1);
  request.reason = protocol::ShutdownReason::admin;
  request.token = token;
  std::vector<std::byte> bytes(protocol::encoded_length(request));
  bytes.resize(protocol::encode(request, bytes));
  return bytes;
}

struct Goodbye {
  Nanos since;
  std::optional<protocol::ShmDriverShutdown> heard;

  void on(const protocol::ShmDriverShutdown& shutdown) {
    // The log may still hold an older driver's.
    if (static_cast<Nanos>(shutdown.timestamp_ns) >= since) {
      heard = shutdown;
    }
  }
};

// The control stream of `client`, both directions of it.
struct Line {
  transport::Publication publication;
  transport::Subscription subscription;
};

Result<Line> open_line(transport::Connection& connection, const ClientOptions& client) {
  const Result<std::string> channel = transport::control_channel(client.control.channel);
  if (!channel) {
    return channel.error();
  }
  Result<transport::Subscription> subscription = connection.add_subscription(*channel, client.control.stream_id);
  if (!subscription) {
    return subscription.error();
  }
  Result<transport::Publication> publication = connection.add_publication(*channel, client.control.stream_id);
  if (!publication) {
    return publication.error();
  }
  return Line{std::move(*publication), std::move(*subscription)};
}

}  // namespace

Result<std::string> shut_down_driver(const ClientOptions& client, const ShutdownOptions& options,
                                     const std::atomic<bool>& stop) {
  Result<transport::Connection> connection = connect_tool(client);
  if (!connection) {
    return connection.error();
  }
  Result<Line> line = open_line(*connection, client);
  if (!line) {
    return line.error();
  }
  const std::vector<std::byte> request = request_bytes(options.token);
  const Nanos begin = monotonic_now();
  Nanos next_request = begin;
  Goodbye goodbye{begin, {}};
  pump(*connection, begin + static_cast<Nanos>(options.timeout_s * 1e9), stop, [&] {
    if (const Nanos now = monotonic_now(); now >= next_request) {
      next_request = now + repeat_ns;
      (void)line->publication.offer(request);
    }
    line->subscription.poll_assembled(
        [&](std::span<const std::byte> bytes) { protocol::dispatch<protocol::ShmDriverShutdown>(bytes, goodbye); },
        fragments_per_poll);
    return goodbye.heard.has_value();
  });
  if (!goodbye.heard) {
    return make_error(
        ErrorCode::timed_out,
        "no driver said goodbye within {} s on control stream {} of {} in {}: the token is wrong, the driver has "
        "an empty policies.shutdown_token, or none is there",
        options.timeout_s, client.control.stream_id, client.control.channel, connection->aeron_dir());
  }
  return fmt::format("the driver shut down ({}){}{}", protocol::to_string(goodbye.heard->reason),
                     goodbye.heard->error_message.empty() ? "" : ": ", escape(goodbye.heard->error_message));
}

}  // namespace tensorpool::apps::tp
