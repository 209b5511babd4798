// One attachment of a client: its Tenancy says what to do, the Attachment does it: sends, maps regions, hands
// sessions to the application's thread and tells the application. One subclass for each role. Conductor's thread only.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "client/attachment_counters.hpp"
#include "client/control_plane.hpp"
#include "client/tenancy.hpp"
#include "shm/path_policy.hpp"
#include "shm/region_set.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::detail {

// What an application thread waits for while it attaches.
class AttachTicket {
 public:
  void settle(Status outcome);
  [[nodiscard]] bool settled();
  // Blocks until settled, at most `timeout`; says whether it is.
  bool wait_for(Nanos timeout);
  // REQUIRES: settled().
  Status outcome();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Status> outcome_;
};

// What all attachments of a client share.
struct ClientContext {
  const ClientOptions& options;
  ControlPlane& plane;
  const shm::PathPolicy& policy;
};

class Attachment {
 public:
  Attachment(ClientContext context, std::unique_ptr<Tenancy> tenancy);
  virtual ~Attachment() = default;
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  [[nodiscard]] std::shared_ptr<AttachTicket> ticket() const { return ticket_; }

  void start(Nanos now) { tenancy_->start(now); }
  int do_work(Nanos now);
  template <class Message>
  void on(const Message& message, Nanos now) {
    if constexpr (requires { tenancy_->on(message, now); }) {
      tenancy_->on(message, now);
    } else {
      tenancy_->on(message);
    }
  }
  void on_announce(const protocol::ShmPoolAnnounce& announce, Nanos now, Nanos realtime);
  void on_connection_lost();
  // The client ends: gives the lease back.
  void detach(Nanos now);
  // Nothing is left to do or to wait for.
  [[nodiscard]] bool finished() const noexcept { return tenancy_->over(); }

  // See Tenancy.
  [[nodiscard]] std::optional<Nanos> overdue(Nanos now) const noexcept { return tenancy_->overdue(now); }
  [[nodiscard]] std::uint32_t stream_id() const noexcept { return tenancy_->stream_id(); }
  // Somebody reads this stream.
  virtual void on_consumer_seen(std::uint32_t /*consumer_id*/, Nanos) {}
  // What consumers of this stream ask for and are given, this attachment's own or others'.
  virtual void on_hello(const protocol::ConsumerHello&, Nanos) {}
  virtual void on_consumer_config(const protocol::ConsumerConfig&, Nanos) {}
  virtual void on_consumer_gone(std::uint32_t /*consumer_id*/) {}
  // The driver ended the lease of a producer of this stream.
  virtual void on_producer_revoked(const protocol::ShmLeaseRevoked&, Nanos) {}

 protected:
  // Maps what was granted and hands it over.
  virtual Status adopt(const Grant& grant, Nanos now) = 0;
  // There is no lease any more.
  virtual void withdraw() = 0;
  virtual void on_epoch_announced(const protocol::ShmPoolAnnounce&, Nanos) {}
  // Whether the application gave up its handle.
  [[nodiscard]] virtual bool handle_closed() const noexcept = 0;
  // What cannot wait for the next period; in every duty cycle while attached. How much was done.
  virtual int each_cycle(Nanos) { return 0; }
  // What is to be done once per announce period and once per QoS interval, while attached.
  virtual void each_period(Nanos now) = 0;
  virtual void report_qos() = 0;
  // The newest regions that were mapped; null while there are none.
  [[nodiscard]] virtual const shm::RegionSet* regions() const noexcept = 0;
  // They are of no use any more: counts that, and maps anew whatever is granted next.
  virtual void lose_regions() = 0;
  // Takes back and destroys what the application no longer uses.
  virtual bool reclaim() noexcept = 0;

  // The role follows an epoch that was announced and not granted.
  void note_mapped(std::uint64_t epoch) noexcept { tenancy_->on_epoch_mapped(epoch); }
  void emit(EventKind kind, std::string message) const;
  // Completes what every event of this attachment has: stream and client, and the epoch that is mapped unless given.
  void emit(Event event) const;
  // Of the regions in use; 0 = none.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return regions() == nullptr ? 0 : regions()->epoch(); }
  [[nodiscard]] const ClientContext& context() const noexcept { return context_; }
  [[nodiscard]] std::uint32_t client_id() const noexcept { return tenancy_->client_id(); }
  [[nodiscard]] CounterOwner counter_owner() const noexcept {
    return {context_.options.control.stream_id, tenancy_->role(), client_id(), stream_id()};
  }
  // Whether the regions lie where those lie that are used: a stream id may be announced by somebody else too, by a
  // standalone producer beside a driver.
  [[nodiscard]] bool same_owner(const std::string& header_path) const;
  [[nodiscard]] const std::string& owner_directory() const noexcept { return owner_directory_; }
  [[nodiscard]] Nanos freshness_ns() const noexcept { return 3 * context_.options.announce_period_ns; }

 private:
  void handle(AttachNotice notice, Nanos now);
  void map(const Grant& grant, Nanos now);
  int send_due(Nanos now);
  int check_regions(Nanos now);
  int run_timers(Nanos now);
  [[nodiscard]] Error explain(Error error) const;

  ClientContext context_;
  std::unique_ptr<Tenancy> tenancy_;
  std::shared_ptr<AttachTicket> ticket_ = std::make_shared<AttachTicket>();
  std::string owner_directory_;  // <base>/tensorpool-<user>/<namespace> of the regions in use; empty: none are
  Nanos next_period_ = 0;
  Nanos next_qos_ = 0;
};

}  // namespace tensorpool::detail
