#include "apps/tp/driver_shutdown.hpp"

#include <fmt/format.h>

#include <optional>

#include "apps/support/number_options.hpp"
#include "apps/tp/control_line.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "protocol/dispatch.hpp"

namespace tensorpool::apps::tp {
namespace {

protocol::ShmDriverShutdownRequest request_with(const std::string& token) {
  protocol::ShmDriverShutdownRequest request;
  request.correlation_id = static_cast<std::int64_t>(random_u64() >> 1);
  request.reason = protocol::ShutdownReason::admin;
  request.token = token;
  return request;
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

}  // namespace

Result<std::string> shut_down_driver(const ClientOptions& client, const ShutdownOptions& options,
                                     const std::atomic<bool>& stop) {
  Result<ControlLine> line = ControlLine::open(client);
  if (!line) {
    return line.error();
  }
  Goodbye goodbye{monotonic_now(), {}};
  line->ask(encoded(request_with(options.token)), options.timeout_ns, stop, [&](std::span<const std::byte> bytes) {
    protocol::dispatch<protocol::ShmDriverShutdown>(bytes, goodbye);
    return goodbye.heard.has_value();
  });
  if (!goodbye.heard) {
    return make_error(ErrorCode::timed_out,
                      "no driver said goodbye within {} s on {}: the token is wrong, the driver has an empty "
                      "policies.shutdown_token, or none is there",
                      to_seconds(options.timeout_ns), line->where());
  }
  return fmt::format("the driver shut down ({}){}{}", protocol::to_string(goodbye.heard->reason),
                     goodbye.heard->error_message.empty() ? "" : ": ", escape(goodbye.heard->error_message));
}

}  // namespace tensorpool::apps::tp
