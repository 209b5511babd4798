// Channel URIs. Aeron accepts unknown keys, and known keys on the side where they mean nothing, without a word; so
// every channel of ours is built here, and tests pin the strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensorpool/result.hpp"

namespace tensorpool::transport {

enum class Media : unsigned char { ipc, udp };

// An "aeron:<media>?key=value|key=value" taken apart; the order of the keys is kept.
class ChannelUri {
 public:
  // Refuses what Aeron would refuse or silently ignore: other schemes and media, unknown or repeated keys, empty
  // values, sizes, durations and booleans that are none. The error quotes the URI and says what is wrong with it.
  static Result<ChannelUri> parse(std::string_view text);

  [[nodiscard]] Media media() const noexcept { return media_; }
  [[nodiscard]] const std::string* find(std::string_view key) const noexcept;  // nullptr if absent

  ChannelUri& set(std::string_view key, std::string_view value);
  ChannelUri& set_if_absent(std::string_view key, std::string_view value);
  [[nodiscard]] std::string str() const;

 private:
  Media media_ = Media::ipc;
  std::vector<std::pair<std::string, std::string>> parameters_;
};

// The user's URI plus the settings that its purpose needs, as far as the URI does not say otherwise. Only for
// aeron:ipc; any other medium is passed on as it is. The first five serve publications and subscriptions alike (a
// subscription ignores them).
[[nodiscard]] Result<std::string> control_channel(std::string_view user_uri);
[[nodiscard]] Result<std::string> announce_channel(std::string_view user_uri);
// For what a driver says on either of those two.
[[nodiscard]] Result<std::string> driver_channel(std::string_view user_uri);
[[nodiscard]] Result<std::string> qos_channel(std::string_view user_uri);
[[nodiscard]] Result<std::string> metadata_channel(std::string_view user_uri);
// A slow descriptor subscriber is evicted after 100 ms instead of stalling the stream.
[[nodiscard]] Result<std::string> descriptor_publication_channel(std::string_view user_uri);
// For a descriptor stream that one consumer has to itself: a small log, since nobody else is held up when it is full.
[[nodiscard]] Result<std::string> own_descriptor_publication_channel(std::string_view user_uri);
// tether=false: this subscriber may be evicted. One that always drains must exist beside it, see media_driver.hpp.
[[nodiscard]] Result<std::string> descriptor_subscription_channel(std::string_view user_uri);
// The same, to what one publication sends alone.
[[nodiscard]] Result<std::string> descriptor_subscription_channel(std::string_view user_uri, std::int32_t session_id);

}  // namespace tensorpool::transport
