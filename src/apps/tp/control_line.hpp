// A request by hand: says one message on the control stream until it is answered. A Client does more than that by
// itself (attaches anew, maps, keeps leases alive), which is not what somebody who asks by hand wants.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "protocol/codec.hpp"
#include "tensorpool/client.hpp"
#include "transport/connection.hpp"

namespace tensorpool::apps::tp {

template <class Message>
[[nodiscard]] std::vector<std::byte> encoded(const Message& message) {
  std::vector<std::byte> bytes(protocol::encoded_length(message));
  bytes.resize(protocol::encode(message, bytes));
  return bytes;
}

// One Aeron client with the control stream of `client` in both directions; one thread.
class ControlLine {
 public:
  // Errors: no media driver, no permission, a channel that Aeron refuses.
  [[nodiscard]] static Result<ControlLine> open(const ClientOptions& client);

  // Says `message` now and every 300 ms, because a driver may start meanwhile, and hands over what is heard, until
  // `heard` says true. False when `timeout_ns` passed, `stop` was set or the media driver went away. An empty message
  // is not said.
  bool ask(std::span<const std::byte> message, Nanos timeout_ns, const std::atomic<bool>& stop,
           const std::function<bool(std::span<const std::byte>)>& heard);
  void say(std::span<const std::byte> message) { (void)publication_.offer(message); }

  [[nodiscard]] bool is_closed() const noexcept { return connection_.is_closed(); }
  [[nodiscard]] const std::string& aeron_dir() const noexcept { return connection_.aeron_dir(); }
  // "control stream 1000 of aeron:ipc in /dev/shm/aeron-ada"
  [[nodiscard]] std::string where() const;

 private:
  ControlLine(transport::Connection connection, transport::Publication publication,
              transport::Subscription subscription, ChannelOptions channel);

  transport::Connection connection_;
  transport::Publication publication_;
  transport::Subscription subscription_;
  ChannelOptions channel_;
};

}  // namespace tensorpool::apps::tp
