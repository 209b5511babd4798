// Publication: the sending end of one stream. Exclusive: it has its own log and one thread at a time that offers, so
// nobody else's death can block it (Aeron's shared publications stop for everybody when one process dies inside a
// claim).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace tensorpool::transport {

enum class OfferResult : unsigned char {
  ok,
  back_pressured,  // the slowest subscriber is a window behind; nothing was sent
  admin_action,    // a log rotation came in between twice in a row; try again
  not_connected,   // nobody subscribes
  closed,          // this publication or its connection is closed for good
  too_long,        // longer than max_message_length (offer) or max_payload_length (try_claim)
  error,           // anything else
};

[[nodiscard]] std::string_view to_string(OfferResult result) noexcept;

// Thread: one application thread at a time offers; is_connected, position and admin_retries are for that thread too.
class Publication {
 public:
  Publication() noexcept;  // empty: offers answer `closed`
  Publication(Publication&&) noexcept;
  Publication& operator=(Publication&&) noexcept;
  ~Publication();

  // Copies the message into the log; above max_payload_length() it is cut into fragments. One admin_action is retried
  // at once.
  OfferResult offer(std::span<const std::byte> message) noexcept;

  // Gives `fill` (void(std::span<std::byte>), not throwing) `length` bytes of the log to write, then publishes them.
  template <class Fill>
  OfferResult try_claim(std::size_t length, Fill&& fill) noexcept {
    const Claimed claimed = claim(length);
    if (claimed.result == OfferResult::ok) [[likely]] {
      fill(std::span<std::byte>(claimed.data, length));
      commit();
    }
    return claimed.result;
  }

  [[nodiscard]] std::size_t max_payload_length() const noexcept;  // the longest try_claim
  [[nodiscard]] std::size_t max_message_length() const noexcept;  // the longest offer
  [[nodiscard]] bool is_connected() const noexcept;
  [[nodiscard]] bool is_closed() const noexcept;
  [[nodiscard]] std::int64_t position() const noexcept;  // bytes of log written so far, headers and padding included
  [[nodiscard]] std::int32_t session_id() const noexcept;
  [[nodiscard]] std::int32_t stream_id() const noexcept;
  [[nodiscard]] std::uint64_t admin_retries() const noexcept;

  struct Impl;  // the implementation's own
  explicit Publication(std::unique_ptr<Impl> impl) noexcept;

 private:
  struct Claimed {
    OfferResult result;
    std::byte* data;
  };
  Claimed claim(std::size_t length) noexcept;
  void commit() noexcept;

  std::unique_ptr<Impl> impl_;
};

}  // namespace tensorpool::transport
