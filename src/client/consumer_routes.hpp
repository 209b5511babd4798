// Which consumers of a stream get a descriptor stream of their own from its producer, and which a control stream of
// their own, for progress. Hellos, ConsumerConfigs, leases
// that end and time go in; the publications that are wanted come out. It does not matter who sent a ConsumerConfig: the
// driver, or, without one, the producer itself. Pure: no Aeron, no clock. Conductor's thread only.
//
// Everybody may write on the control stream, so it takes both: a hello that asks and a config that grants, on a channel
// and an id that nobody else uses; and there are at most `most_routes`. Who is not heard of for `patience` is gone.
// (wire §10.1.3)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/messages.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::detail {

class ConsumerRoutes {
 public:
  static constexpr std::size_t most_routes = 16;
  static constexpr std::size_t most_askers = 64;

  enum class Kind : std::uint8_t { descriptor, control };
  struct Route {
    Kind kind = Kind::descriptor;
    std::uint32_t consumer_id = 0;
    ChannelOptions where;
    std::uint32_t max_rate_hz = 0;  // of descriptors; 0 = every frame
  };

  // REQUIRES: client outlives this.
  ConsumerRoutes(const ClientOptions& client, Nanos patience_ns) : client_(client), patience_ns_(patience_ns) {}

  void on(const protocol::ConsumerHello& hello, Nanos now);
  // REQUIRES for both: of this stream. An error says why the config was not obeyed; one that concerns nobody here is
  // fine.
  Status on(const protocol::ConsumerConfig& config, Nanos now);
  // A sign of life beside the hellos.
  void on_alive(std::uint32_t consumer_id, Nanos now) noexcept;
  // Its lease ended, or its stream cannot be opened.
  void on_gone(std::uint32_t consumer_id);
  void expire(Nanos now);
  void clear();

  // Changes whenever wanted() does.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  [[nodiscard]] std::vector<Route> wanted() const;
  // Hellos that asked when there was no room for them.
  [[nodiscard]] std::uint64_t turned_away() const noexcept { return turned_away_; }

 private:
  struct Asker {
    std::uint32_t consumer_id = 0;
    std::uint32_t max_rate_hz = 0;
    Nanos last_heard = 0;
    struct Stream {
      bool asked = false;
      std::int32_t named = 0;  // by its last hello: what it was granted, as far as it knows
      std::optional<ChannelOptions> granted;
    };
    Stream descriptor;
    Stream control;
    [[nodiscard]] bool has_any() const noexcept { return descriptor.granted || control.granted; }
  };
  using StreamOf = Asker::Stream Asker::*;

  [[nodiscard]] Asker* find(std::uint32_t consumer_id) noexcept;
  [[nodiscard]] std::size_t granted(StreamOf kind) const noexcept;
  // Whose own it is; nobody's: nullptr, or it is taken from who does not name it any more.
  [[nodiscard]] const Asker* holder_of(std::int32_t stream_id) noexcept;
  void ask(Asker::Stream& stream, bool asks, std::uint32_t names);
  Status grant(Asker& asker, StreamOf kind, std::string_view channel, std::uint32_t stream_id);
  template <class Predicate>
  void forget(Predicate&& predicate);

  const ClientOptions& client_;
  const Nanos patience_ns_;
  std::vector<Asker> askers_;
  std::uint64_t version_ = 0;
  std::uint64_t turned_away_ = 0;
};

}  // namespace tensorpool::detail
