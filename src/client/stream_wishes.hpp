// The consumer's half of ConsumerHello and ConsumerConfig: says what it wants, and what of an answer is in force. Pure:
// no Aeron, no clock. Conductor's thread only. (wire §10.1.2, §10.1.3)
//
// Everybody may write on the control stream, so an answer is checked whole before any of it counts: streams only when
// they were asked for, once for each lease, on a channel and id that nobody else uses. The driver's answer repeats what
// the hello said; so only what differs from the last hello is news, and a late repeat cannot undo what a supervisor has
// said since.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/messages.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::detail {

// Whether a stream of a consumer's own may lie there: a shared-memory channel, or the one that is configured for the
// shared stream, and an id that none of the client's five streams has. The error says what is wrong.
[[nodiscard]] Result<std::string> own_stream_channel(const ClientOptions& client, const ChannelOptions& shared,
                                                     std::string_view channel, std::uint32_t stream_id);

class StreamWishes {
 public:
  // REQUIRES: client outlives this.
  StreamWishes(const ConsumerOptions& options, const ClientOptions& client);

  // What an answer led to.
  struct Outcome {
    enum class Kind : std::uint8_t { none, changed, declined, refused };
    Kind kind = Kind::none;
    std::string message{};  // what changed, or what was wrong
  };

  protocol::ConsumerHello hello(std::uint32_t stream_id, std::uint32_t client_id);
  // REQUIRES: the config is for this stream and consumer.
  Outcome on(const protocol::ConsumerConfig& config);
  // Streams of its own go with the lease, and are asked for again.
  void lease_ended();
  // A granted stream cannot be used: as if it had been declined, until the next answer.
  void give_up_descriptor_stream();
  void give_up_control_stream();

  [[nodiscard]] const ConsumerTerms& terms() const noexcept { return terms_; }
  // Where the granted streams lie. REQUIRES: their ids in terms() are not 0.
  [[nodiscard]] ChannelOptions descriptor_stream() const {
    return {descriptor_channel_, static_cast<std::int32_t>(terms_.descriptor_stream_id)};
  }
  [[nodiscard]] ChannelOptions control_stream() const {
    return {control_channel_, static_cast<std::int32_t>(terms_.control_stream_id)};
  }

 private:
  // What a config says of one of the two, beside what is in force.
  struct Offer {
    const char* kind;
    const ChannelOptions& shared;
    bool wanted;
    std::uint32_t has;
    std::uint32_t id;
    const std::string& channel;
  };
  [[nodiscard]] Offer descriptor_offer(const protocol::ConsumerConfig& config) const;
  [[nodiscard]] Offer control_offer(const protocol::ConsumerConfig& config) const;
  [[nodiscard]] Status check(const protocol::ConsumerConfig& config) const;
  [[nodiscard]] Status check(const Offer& offer) const;
  [[nodiscard]] bool take_streams(const protocol::ConsumerConfig& config);
  // Only progress comes on a control stream of its own.
  [[nodiscard]] bool wants_control_stream() const noexcept {
    return options_.own_streams && options_.progress.has_value();
  }
  [[nodiscard]] bool take_mode(const protocol::ConsumerConfig& config);
  [[nodiscard]] bool take_shm(const protocol::ConsumerConfig& config);
  [[nodiscard]] std::string describe() const;

  const ConsumerOptions options_;
  const ClientOptions& client_;
  ConsumerTerms terms_;
  std::string descriptor_channel_;
  std::string control_channel_;
  // What the last hello said, and how often it asked for streams without being given any.
  ConsumerMode said_mode_;
  bool said_shm_;
  std::uint32_t times_asked_ = 0;
  bool told_declined_ = false;
};

}  // namespace tensorpool::detail
