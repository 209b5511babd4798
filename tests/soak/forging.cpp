#include "forging.hpp"

#include <optional>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "peer_lines.hpp"
#include "protocol/codec.hpp"
#include "support/need.hpp"
#include "transport/channel_uri.hpp"
#include "transport/connection.hpp"

namespace tensorpool::soak {
namespace {

using Bytes = std::vector<std::byte>;

// What can be believed by whoever hears it, since who may write to these streams is trusted (docs/security.md): a
// goodbye in the driver's name.
bool is_goodbye(std::span<const std::byte> bytes) {
  const auto header = protocol::peek(bytes);
  return header && header->schema_id == protocol::ShmDriverShutdown::schema_id &&
         header->template_id == protocol::ShmDriverShutdown::template_id;
}

// Speaks on any stream, waits for nobody, and keeps what it hears on control.
class Voice {
 public:
  explicit Voice(const ClientOptions& where) : connection_(need(open(where))), control_(where.control.stream_id) {
    ear_.emplace(need(connection_.add_subscription(channel(), control_)));
    for (const std::int32_t stream :
         {control_, where.qos.stream_id, where.descriptor.stream_id, where.metadata.stream_id}) {
      streams_.push_back({stream, need(connection_.add_publication(channel(), stream))});
    }
  }
  [[nodiscard]] bool is_gone() const noexcept { return connection_.is_closed(); }
  void say_anywhere(std::uint64_t which, const Bytes& bytes) { streams_[which % streams_.size()].out.offer(bytes); }
  void say(const Bytes& bytes) { streams_.front().out.offer(bytes); }
  template <class Message>
  void say(const Message& message) {
    Bytes bytes(protocol::encoded_length(message));
    if (protocol::encode(message, bytes) == bytes.size()) say(bytes);
  }
  void listen(std::vector<Bytes>& heard) {
    connection_.do_work();
    ear_->poll_assembled(
        [&](std::span<const std::byte> bytes) {
          if (heard.size() < 512 && !is_goodbye(bytes)) heard.emplace_back(bytes.begin(), bytes.end());
        },
        64);
  }

 private:
  struct Stream {
    std::int32_t id;
    transport::Publication out;
  };
  static Result<transport::Connection> open(const ClientOptions& where) {
    transport::ConnectionOptions options;
    options.aeron_dir = where.aeron_dir;
    options.client_name = "soak forger";
    return transport::Connection::open(options);
  }
  static std::string channel() { return need(transport::control_channel("aeron:ipc")); }

  transport::Connection connection_;
  std::int32_t control_;
  std::vector<Stream> streams_;
  std::optional<transport::Subscription> ear_;
};

Bytes noise(std::mt19937_64& random, std::size_t length) {
  Bytes bytes(length);
  for (std::byte& one : bytes) one = static_cast<std::byte>(random());
  return bytes;
}

class Stranger {
 public:
  Stranger(const ClientOptions& where, std::uint64_t seed) : voice_(where), random_(seed) {}

  std::uint64_t speak_for(Nanos duration) {
    const Nanos end = monotonic_now() + duration;
    std::vector<Bytes> heard;
    for (Ticker ticker; monotonic_now() < end && !voice_.is_gone(); ++said_) {
      ticker.tick([&] { return Json{{"said", said_}}; });
      voice_.listen(heard);
      say_something(heard);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return said_;
  }

 private:
  void say_something(std::vector<Bytes>& heard) {
    switch (random_() % 6) {
      case 0:
        return voice_.say_anywhere(random_(), noise(random_, random_() % 300));
      case 1:  // again, or cut, or with a word of it changed
        if (heard.empty()) return;
        return again(heard[random_() % heard.size()]);
      case 2:
        return forge_keepalive();
      case 3: {
        protocol::ShmDriverShutdownRequest wrong{static_cast<std::int64_t>(random_()), {}, "a guess", "why not"};
        return voice_.say(wrong);
      }
      case 4:
        return forge_announce();
      default: {
        protocol::ShmLeaseRevoked nobodys;
        nobodys.timestamp_ns = static_cast<std::uint64_t>(monotonic_now());
        nobodys.lease_id = random_();
        nobodys.stream_id = static_cast<std::uint32_t>(1001 + random_() % 3);
        nobodys.client_id = static_cast<std::uint32_t>(random_());
        return voice_.say(nobodys);
      }
    }
  }

  void again(const Bytes& heard) {
    Bytes bytes = heard;
    if (random_() % 3 == 0) bytes.resize(random_() % (bytes.size() + 1));
    voice_.say(bytes);
  }

  void forge_keepalive() {
    protocol::ShmLeaseKeepalive keepalive;
    keepalive.lease_id = random_();
    keepalive.stream_id = static_cast<std::uint32_t>(1001 + random_() % 3);
    keepalive.client_id = static_cast<std::uint32_t>(random_());
    keepalive.role = random_() % 2 == 0 ? protocol::Role::producer : protocol::Role::consumer;
    voice_.say(keepalive);
  }

  // Of a higher epoch, in files that are not there.
  void forge_announce() {
    protocol::ShmPoolAnnounce announce;
    announce.stream_id = static_cast<std::uint32_t>(1001 + random_() % 3);
    announce.producer_id = 9;
    announce.epoch = ~std::uint64_t{0} - random_() % 1000;
    announce.announce_timestamp_ns = static_cast<std::uint64_t>(monotonic_now());
    announce.layout_version = 1;
    announce.header_nslots = 16;
    announce.header_slot_bytes = 256;
    announce.header_region_uri = "shm:file?path=/dev/shm/nowhere/header.ring";
    announce.payload_pools = {{1, 16, 4096, "shm:file?path=/dev/shm/nowhere/1.pool"}};
    voice_.say(announce);
  }

  Voice voice_;
  std::mt19937_64 random_;
  std::uint64_t said_ = 0;
};

}  // namespace

int forge(const ClientOptions& where, std::uint64_t milliseconds, std::uint64_t seed) {
  try {
    Stranger stranger(where, seed);
    say("done", {{"said", stranger.speak_for(static_cast<Nanos>(milliseconds) * nanos_per_milli)}});
  } catch (const std::runtime_error& gone) {
    say("refused", {{"code", "unavailable"}, {"message", gone.what()}});
  }
  return 0;
}

}  // namespace tensorpool::soak
