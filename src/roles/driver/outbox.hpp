// Outbox: what the driver says on one publication, in order, whole, and for a bounded time: what a slow subscriber's
// back-pressure holds up is kept and retried every cycle, and given up (and counted) when its time is over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "protocol/codec.hpp"
#include "tensorpool/time.hpp"
#include "transport/publication.hpp"

namespace tensorpool::driver {

class Outbox {
 public:
  enum class Posted : std::uint8_t {
    sent,
    queued,
    no_listener,  // nobody subscribes, and the message is not one to keep
    too_long,     // longer than the channel's terms allow; will never go
    failed,       // the queue is full, or the publication is gone
  };
  // What to do while nobody subscribes: a periodic announce is repeated anyhow.
  enum class WithoutListener : std::uint8_t { keep, drop };

  Outbox(std::size_t limit, Nanos patience_ns, WithoutListener without_listener)
      : limit_(limit), patience_ns_(patience_ns), without_listener_(without_listener) {}

  // Takes the publication of a new connection; what is still queued goes there.
  void open(transport::Publication publication) { publication_ = std::move(publication); }
  // The connection is lost: what is queued is given up, the clients will ask again.
  void close();

  template <class Message>
  Posted post(const Message& message, Nanos now) {
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    if (protocol::encode(message, bytes) != bytes.size()) {
      ++given_up_;
      return Posted::too_long;
    }
    return post_bytes(std::move(bytes), now);
  }

  // Retries what is queued; the number of messages that went.
  int flush(Nanos now);

  [[nodiscard]] bool empty() const noexcept { return queue_.empty(); }
  [[nodiscard]] std::uint64_t given_up() const noexcept { return given_up_; }
  [[nodiscard]] std::size_t max_message_length() const noexcept { return publication_.max_message_length(); }

 private:
  struct Waiting {
    std::vector<std::byte> bytes;
    Nanos deadline = 0;
  };
  enum class Offered : std::uint8_t { gone, retry, drop, too_long, dead };

  Posted post_bytes(std::vector<std::byte> bytes, Nanos now);
  [[nodiscard]] Offered offer(const std::vector<std::byte>& bytes);

  std::size_t limit_;
  Nanos patience_ns_;
  WithoutListener without_listener_;
  transport::Publication publication_;
  std::deque<Waiting> queue_;
  std::uint64_t given_up_ = 0;
};

}  // namespace tensorpool::driver
