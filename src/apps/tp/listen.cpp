// tp listen control|announce|qos|metadata|descriptors|progress
#include "apps/tp/listen.hpp"
#include "apps/support/number_options.hpp"

#include <fmt/format.h>

#include <limits>

#include "apps/flow/stats_json.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/message_text.hpp"
#include "apps/tp/tool_connection.hpp"
#include "base/error.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::apps::tp {
namespace {

// Where a kind of message passes, and which messages of that stream are meant.
struct Source {
  ChannelOptions from;
  Result<std::string> (*channel)(std::string_view);
  std::string_view only{};  // the one message of a stream of many kinds; empty: all
};

Source source_of(const ClientOptions& client, const std::string& what) {
  if (what == "announce") {
    return {client.announce.stream_id == 0 ? client.control : client.announce, transport::announce_channel,
            "ShmPoolAnnounce"};
  }
  if (what == "qos") return {client.qos, transport::qos_channel};
  if (what == "metadata") return {client.metadata, transport::metadata_channel};
  if (what == "descriptors") return {client.descriptor, transport::descriptor_subscription_channel};
  if (what == "progress") return {client.control, transport::control_channel, "FrameProgress"};
  return {client.control, transport::control_channel};
}

class Listener {
 public:
  Listener(const ListenOptions& options, std::string_view only, Nanos now)
      : options_(options), only_(only), began_(now) {}

  void hear(std::span<const std::byte> bytes, Nanos now) {
    if (done()) return;
    const protocol::DescribedMessage message = protocol::describe(bytes);
    if (!only_.empty() && message.name != only_) return;
    // What is malformed is about nobody knows whom.
    const bool whole = message.fault == protocol::DecodeFault::none;
    if (whole && options_.stream_id && !is_about(message, *options_.stream_id)) return;
    print(message, bytes.size(), static_cast<double>(now - began_) / 1e9);
    ++heard_;
  }
  [[nodiscard]] std::uint64_t heard() const { return heard_; }
  [[nodiscard]] bool done() const { return options_.count != 0 && heard_ >= options_.count; }

 private:
  void print(const protocol::DescribedMessage& message, std::size_t length, double seconds) const {
    if (!options_.json) return print_line(fmt::format("{:9.3f} {}", seconds, to_text(message, length)));
    Json json{{"seconds", seconds}};
    json.update(to_json(message, length));
    print_json(json);
  }

  const ListenOptions& options_;
  std::string_view only_;
  Nanos began_;
  std::uint64_t heard_ = 0;
};

Nanos deadline_of(const ListenOptions& options, Nanos now) {
  return options.limit_ns > 0 ? now + options.limit_ns : std::numeric_limits<Nanos>::max();
}

int run_listen(const Invocation& invocation, const ListenOptions& wanted) {
  const auto config = invocation.config();
  if (!config) return fail(config.error());
  log_warnings(config->warnings);
  ListenOptions options = wanted;
  options.json = invocation.json();
  const Status heard = listen(invocation.consumer_client(*config), options, stop_flag());
  return heard ? exit_ok : fail(heard.error());
}

}  // namespace

Status listen(const ClientOptions& client, const ListenOptions& options, const std::atomic<bool>& stop) {
  const Source source = source_of(client, options.what);
  const auto channel = source.channel(source.from.channel);
  if (!channel) return channel.error();
  auto connection = connect_tool(client);
  if (!connection) return connection.error();
  auto subscription = connection->add_subscription(*channel, source.from.stream_id);
  if (!subscription) return subscription.error();
  const Nanos began = monotonic_now();
  Listener listener(options, source.only, began);
  pump(*connection, deadline_of(options, began), stop, [&] {
    const Nanos now = monotonic_now();
    subscription->poll_assembled([&](std::span<const std::byte> bytes) { listener.hear(bytes, now); },
                                 fragments_per_poll);
    return listener.done() || !output_status();
  });
  if (connection->is_closed()) return Error{ErrorCode::unavailable, connection->last_error()};
  if (listener.heard() >= options.count || stop.load(std::memory_order_relaxed) || !output_status()) return {};
  return make_error(ErrorCode::timed_out, "{} of {} messages in {} s on {} stream {}", listener.heard(), options.count,
                    to_seconds(options.limit_ns), source.from.channel, source.from.stream_id);
}

void register_listen(Registry& registry) {
  const auto options = std::make_shared<ListenOptions>();
  CLI::App& command =
      registry.add(registry.top(), "listen", "Show what passes on a stream, decoded, one message a line",
                   "tp listen metadata --stream 1001 --format json",
                   [options](const Invocation& invocation) { return run_listen(invocation, *options); });
  command.add_option("WHAT", options->what, "control, announce, qos, metadata, descriptors or progress")
      ->required()
      ->check(CLI::IsMember({"control", "announce", "qos", "metadata", "descriptors", "progress"}));
  add_stream_id(command, "--stream", options->stream_id, "only messages about this stream, and malformed ones");
  add_count(command, "--count", options->count, "messages; 0: until stopped; fewer within --seconds are a failure");
  add_seconds(command, "--seconds", options->limit_ns, "end after so long; 0: until stopped");
}

}  // namespace tensorpool::apps::tp
