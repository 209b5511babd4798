// The conductor: one duty cycle drives the Aeron client, the control streams and every attachment. It runs on a thread
// of its own, or on the caller's in invoker mode, and it alone opens, maps, unmaps, subscribes and publishes control
// messages. Application threads only ask for attachments (under a lock, a cold path) and wait for their tickets.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/origin.hpp"
#include "client/attach_session.hpp"
#include "client/attachment.hpp"
#include "client/consumer_core.hpp"
#include "client/control_plane.hpp"
#include "client/metadata_follower.hpp"
#include "client/producer_core.hpp"
#include "tensorpool/agent_runner.hpp"

namespace tensorpool::detail {

class ClientCore {
 public:
  static Result<std::unique_ptr<ClientCore>> create(ClientOptions options, RandomSource random = {});
  ~ClientCore();
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  const Origin origin{};

  [[nodiscard]] std::string_view name() const noexcept { return options_.name; }
  // One duty cycle. REQUIRES: the conductor's thread.
  int do_work(Nanos now) noexcept;

  // An attachment that was asked for: `core` is what the handle will stand on, the ticket tells how it ended.
  template <class Core>
  struct Pending {
    std::shared_ptr<Core> core;
    std::shared_ptr<AttachTicket> ticket;
  };
  // Any thread; all return at once.
  Pending<ProducerCore> begin_attach(const ProducerOptions& options);
  Pending<ConsumerCore> begin_attach(const ConsumerOptions& options);
  Result<std::shared_ptr<MetadataFollower>> follow_metadata(MetadataOptions options);
  // Waits for a ticket; in invoker mode by running duty cycles.
  Status wait(AttachTicket& ticket);

 private:
  ClientCore(ClientOptions options, RandomSource random);
  void close() noexcept;
  Nanos pause();
  void make_room() const;
  void note_stall(Nanos now);
  int take_new(Nanos now);
  void follow_connection(Nanos now, int& work);
  int read_messages(Nanos now);
  void listen_to_metadata();
  int read_metadata(Nanos now);
  template <class Message>
  void pass_on(const Message& message, Nanos now);
  template <class F>
  void each_of(std::uint32_t stream_id, F&& f);
  void emit(EventKind kind, std::string message) const;
  [[nodiscard]] AttachSettings settings(protocol::Role role, Nanos attach_timeout_ns) const;
  void add(std::unique_ptr<Attachment> attachment);

  const ClientOptions options_;
  const shm::PathPolicy policy_;
  RandomSource random_;

  // The conductor's thread only.
  ControlPlane plane_;
  std::vector<std::unique_ptr<Attachment>> attachments_;
  std::vector<std::shared_ptr<MetadataFollower>> followers_;
  Nanos last_cycle_ = 0;
  std::uint64_t malformed_ = 0;
  Nanos next_malformed_report_ = 0;
  std::uint64_t malformed_told_ = 0;

  // From application threads to the conductor.
  std::mutex new_mutex_;
  std::vector<std::unique_ptr<Attachment>> new_;
  std::vector<std::shared_ptr<MetadataFollower>> new_followers_;
  std::atomic<bool> has_new_{false};

  std::unique_ptr<AgentRunner> runner_;  // the last member: stops first
};

}  // namespace tensorpool::detail
