// The conductor's side of a consumer: maps granted and announced epochs for reading, says hello and obeys the answers,
// subscribes to the shared descriptor stream or to one of its own, reports QoS.
//
// The shared stream carries everything, so it is read until a stream of our own has a producer, and again once that
// producer is gone or a new epoch begins. The application's side (ConsumerCore) makes each change without a loss.
#pragma once

#include <memory>
#include <optional>

#include "base/silence_watch.hpp"
#include "client/attachment.hpp"
#include "client/attachment_counters.hpp"
#include "client/consumer_core.hpp"
#include "client/producer_watch.hpp"
#include "client/stream_wishes.hpp"

namespace tensorpool::detail {

class ConsumerAttachment final : public Attachment {
 public:
  ConsumerAttachment(ClientContext context, std::unique_ptr<Tenancy> tenancy, std::shared_ptr<ConsumerCore> core);
  ~ConsumerAttachment() override { core_->set_attached(false); }

  void on_consumer_config(const protocol::ConsumerConfig& config, Nanos now) override;
  void on_producer_revoked(const protocol::ShmLeaseRevoked& revoked, Nanos now) override;

 protected:
  Status adopt(const Grant& grant, Nanos now) override;
  void withdraw() override;
  // spec: behaviour, Mapping: map first, then adopt the epoch; a lower or equal epoch changes nothing.
  void on_epoch_announced(const protocol::ShmPoolAnnounce& announce, Nanos now) override;
  [[nodiscard]] bool handle_closed() const noexcept override { return core_->closed(); }
  void each_period(Nanos now) override;
  int each_cycle(Nanos now) override;
  void report_qos() override;
  [[nodiscard]] const shm::RegionSet* regions() const noexcept override { return regions_.get(); }
  void lose_regions() override;
  bool reclaim() noexcept override;

 private:
  Result<std::shared_ptr<shm::RegionSet>> map(const shm::RegionLayout& layout) const;
  Status read_shared_stream(std::shared_ptr<shm::RegionSet> regions);
  // Whether the producer of announced regions lives; else they are leftovers.
  [[nodiscard]] Status check_activity(const shm::RegionSet& regions, Nanos now) const;
  void subscribe_own_streams();
  std::shared_ptr<transport::Subscription> subscribe(const char* kind, const ChannelOptions& where);
  int follow_source(Nanos now);
  int read_from(ConsumerSession::Source source, const std::shared_ptr<transport::Subscription>& subscription);
  int narrow();
  [[nodiscard]] bool is_starved(Nanos now);
  void listen_for_progress();
  int follow_own_control();
  void apply_terms();
  bool report_producer_end(Nanos now);
  [[nodiscard]] bool frames_came();
  [[nodiscard]] std::string describe_producer() const;
  void complain(std::uint64_t epoch, const std::string& why);

  std::shared_ptr<ConsumerCore> core_;
  AttachmentCounters counters_;
  StreamWishes wishes_;
  Nanos next_hello_ = 0;
  Nanos next_latency_sample_ = 0;
  Nanos next_refusal_report_ = 0;

  std::shared_ptr<shm::RegionSet> regions_;          // the newest that were mapped
  std::shared_ptr<transport::Subscription> shared_;  // null while another source is read
  std::shared_ptr<transport::Subscription> one_;     // to our producer's publication there, where there are more
  std::shared_ptr<transport::Subscription> own_;     // null unless granted
  std::uint64_t generation_ = 0;                     // of the connection that all are of
  bool own_granted_ = false;                         // streams, not subscribed to yet
  ConsumerSession::Source source_ = ConsumerSession::Source::shared_stream;  // of the session that was offered last
  bool may_narrow_ = false;                                                  // to one publication, in this epoch
  Nanos next_starvation_look_ = 0;
  std::uint64_t newest_due_ = 0;                          // was committed at the last look
  std::uint64_t accounted_ = 0, unannounced_ = 0;         // of the books at the last look
  std::shared_ptr<transport::Subscription> own_control_;  // null unless granted
  bool own_control_heard_ = false;         // progress is heard on it, and not on the shared control stream
  std::uint64_t progress_generation_ = 0;  // of the connection that progress is heard on; 0: on none
  std::uint64_t mapped_epoch_ = 0;
  std::uint64_t complained_epoch_ = 0;
  ProducerWatch producer_;
  SilenceWatch silence_;
  std::optional<std::uint64_t> newest_seq_;                  // committed, at the last look
  std::uint64_t newest_epoch_ = 0;                           // of it
  std::optional<protocol::ShmPoolAnnounce> early_announce_;  // heard between the grant and its mapping
};

}  // namespace tensorpool::detail
