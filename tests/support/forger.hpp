// Forger: somebody with access to the Aeron directory who says on its streams whatever a test wants, such as the words
// of a driver that lies. It answers attach requests from a thread of its own.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "protocol/codec.hpp"
#include "protocol/messages.hpp"
#include "shm/region_layout.hpp"
#include "tensorpool/agent_runner.hpp"
#include "tensorpool/client.hpp"
#include "transport/connection.hpp"

namespace tensorpool {

class Forger {
 public:
  using Answer = std::function<protocol::ShmAttachResponse(const protocol::ShmAttachRequest&)>;

  // REQUIRES: a media driver serves the directory; throws otherwise.
  explicit Forger(const ClientOptions& where);

  // From now on answers every attach request so. Empty: silence.
  void answer_attaches(Answer answer);
  // Says it on the stream; waits while the log is full, false if nobody takes it for a watchdog's time.
  bool say_on(std::int32_t stream_id, std::span<const std::byte> bytes);
  template <class Message>
  bool say_on(std::int32_t stream_id, const Message& message) {
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    return protocol::encode(message, bytes) == bytes.size() && say_on(stream_id, std::span<const std::byte>(bytes));
  }
  template <class Message>
  bool say(const Message& message) {
    return say_on(control_, message);
  }

 private:
  struct Voice {
    std::int32_t stream_id;
    transport::Publication publication;
  };

  int do_work();
  Voice& voice(std::int32_t stream_id);

  std::int32_t control_;
  std::mutex mutex_;
  transport::Connection connection_;
  std::vector<std::unique_ptr<Voice>> voices_;
  transport::Subscription requests_;
  Answer answer_;
  std::unique_ptr<AgentRunner> thread_;  // last: it uses all of the above
};

// What an honest driver would say of these regions.
[[nodiscard]] protocol::ShmAttachResponse grant_of(const shm::RegionLayout& layout,
                                                   const protocol::ShmAttachRequest& request);
[[nodiscard]] protocol::ShmPoolAnnounce announce_of(const shm::RegionLayout& layout);

}  // namespace tensorpool
