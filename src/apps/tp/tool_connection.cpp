#include "apps/tp/tool_connection.hpp"

#include "tensorpool/idle.hpp"

namespace tensorpool::apps::tp {

Result<transport::Connection> connect_tool(const ClientOptions& client) {
  transport::ConnectionOptions options;
  options.aeron_dir = client.aeron_dir;
  options.client_name = "tp";
  Result<transport::Connection> connection = transport::Connection::open(options);
  if (!connection && connection.error().code == ErrorCode::not_found) {
    return Error{ErrorCode::unavailable, connection.error().message};  // for the exit status: nobody is there
  }
  return connection;
}

bool pump(transport::Connection& connection, Nanos deadline, const std::atomic<bool>& stop,
          const std::function<bool()>& step) {
  Idle idle(IdleMode::sleep, nanos_per_milli);
  while (!stop.load(std::memory_order_relaxed)) {
    const int work = connection.do_work();
    if (step()) {
      return true;
    }
    if (monotonic_now() >= deadline || connection.is_closed()) {
      return false;
    }
    idle.idle(work);
  }
  return false;
}

}  // namespace tensorpool::apps::tp
