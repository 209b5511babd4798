#include "apps/tp/control_line.hpp"

#include <fmt/format.h>

#include "apps/tp/tool_connection.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr Nanos repeat_ns = 300 * nanos_per_milli;

}  // namespace

ControlLine::ControlLine(transport::Connection connection, transport::Publication publication,
                         transport::Subscription subscription, ChannelOptions channel)
    : connection_(std::move(connection)),
      publication_(std::move(publication)),
      subscription_(std::move(subscription)),
      channel_(std::move(channel)) {}

Result<ControlLine> ControlLine::open(const ClientOptions& client) {
  Result<transport::Connection> connection = connect_tool(client);
  if (!connection) {
    return connection.error();
  }
  const Result<std::string> channel = transport::control_channel(client.control.channel);
  if (!channel) {
    return channel.error();
  }
  Result<transport::Subscription> subscription = connection->add_subscription(*channel, client.control.stream_id);
  if (!subscription) {
    return subscription.error();
  }
  Result<transport::Publication> publication = connection->add_publication(*channel, client.control.stream_id);
  if (!publication) {
    return publication.error();
  }
  return ControlLine(std::move(*connection), std::move(*publication), std::move(*subscription), client.control);
}

bool ControlLine::ask(std::span<const std::byte> message, Nanos timeout_ns, const std::atomic<bool>& stop,
                      const std::function<bool(std::span<const std::byte>)>& heard) {
  const Nanos begin = monotonic_now();
  Nanos next_request = begin;
  bool answered = false;
  return pump(connection_, begin + timeout_ns, stop, [&] {
    if (const Nanos now = monotonic_now(); !message.empty() && now >= next_request) {
      next_request = now + repeat_ns;
      say(message);
    }
    subscription_.poll_assembled([&](std::span<const std::byte> bytes) { answered = heard(bytes) || answered; },
                                 fragments_per_poll);
    return answered;
  });
}

std::string ControlLine::where() const {
  return fmt::format("control stream {} of {} in {}", channel_.stream_id, channel_.channel, aeron_dir());
}

}  // namespace tensorpool::apps::tp
