// From bytes to the handler's on(const Message&): streams carry messages of several schemas, and a reader takes what it
// knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/codec.hpp"

namespace tensorpool::protocol {

// What became of one message, for the counters of its reader.
struct DispatchOutcome {
  enum class Kind : std::uint8_t {
    handled,    // decoded, and the handler was called
    ignored,    // not one of the messages asked for
    malformed,  // one of them by its ids, or too short for a header; see `fault`
  };

  Kind kind = Kind::ignored;
  DecodeFault fault = DecodeFault::none;
  MessageHeader header{};  // zeros if there was none

  [[nodiscard]] bool handled() const noexcept { return kind == Kind::handled; }
  [[nodiscard]] bool malformed() const noexcept { return kind == Kind::malformed; }
};

// Decodes `bytes` if it is one of Messages and calls handler.on(message); anything else is told by the outcome, never
// guessed.
template <class... Messages, class Handler>
DispatchOutcome dispatch(std::span<const std::byte> bytes, Handler&& handler) {
  using Kind = DispatchOutcome::Kind;
  const auto header = peek(bytes);
  if (!header) {
    return {Kind::malformed, header.error(), {}};
  }
  DispatchOutcome outcome{Kind::ignored, DecodeFault::none, *header};
  const auto try_one = [&]<class Message>() {
    if (header->schema_id != Message::schema_id || header->template_id != Message::template_id) {
      return false;
    }
    if (const auto message = decode<Message>(bytes)) {
      outcome.kind = Kind::handled;
      handler.on(*message);
    } else {
      outcome.kind = Kind::malformed;
      outcome.fault = message.error();
    }
    return true;
  };
  static_cast<void>((try_one.template operator()<Messages>() || ...));
  return outcome;
}

}  // namespace tensorpool::protocol
