// The conductor's side of a producer: maps each granted epoch for writing, refreshes the activity time, reports QoS,
// and watches whether anybody reads the stream.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "client/attachment.hpp"
#include "client/attachment_counters.hpp"
#include "client/descriptor_watch.hpp"
#include "client/metadata_publisher.hpp"
#include "client/own_stream_desk.hpp"
#include "client/producer_core.hpp"
#include "client/progress_wishes.hpp"

namespace tensorpool::detail {

class ProducerAttachment : public Attachment {
 public:
  ProducerAttachment(ClientContext context, std::unique_ptr<Tenancy> tenancy, std::shared_ptr<ProducerCore> core);
  ~ProducerAttachment() override { core_->set_attached(false); }

  void on_consumer_seen(std::uint32_t consumer_id, Nanos now) override;
  void on_hello(const protocol::ConsumerHello& hello, Nanos now) override;
  void on_consumer_config(const protocol::ConsumerConfig& config, Nanos now) override;
  void on_consumer_gone(std::uint32_t consumer_id) override;

 protected:
  Status adopt(const Grant& grant, Nanos now) override;
  void withdraw() override;
  void on_epoch_announced(const protocol::ShmPoolAnnounce& announce, Nanos now) override;
  [[nodiscard]] bool handle_closed() const noexcept override { return core_->closed(); }
  void each_period(Nanos now) override;
  int each_cycle(Nanos now) override;
  void report_qos() override;
  [[nodiscard]] const shm::RegionSet* regions() const noexcept override { return regions_.get(); }
  void lose_regions() override { core_->count_lost_regions(); }
  bool reclaim() noexcept override;
  // Where the regions may lie.
  [[nodiscard]] virtual const shm::PathPolicy& policy() const { return context().policy; }

 private:
  void watch_claims(Nanos now);
  void watch_descriptors(Nanos now);
  [[nodiscard]] std::string blocking_subscriber() const;
  int serve_progress(Nanos now);
  void say_metadata();

  std::shared_ptr<ProducerCore> core_;
  OwnStreamDesk own_streams_;
  AttachmentCounters counters_;
  MetadataPublisher metadata_;
  std::shared_ptr<shm::RegionSet> regions_;  // of the newest session, while attached
  std::shared_ptr<transport::Publication> publication_;
  std::uint64_t publication_generation_ = 0;
  std::uint64_t mapped_epoch_ = 0;
  std::optional<Nanos> consumer_seen_;
  bool rival_told_ = false;

  DescriptorWatch descriptor_watch_;
  ProgressWishes progress_wishes_;
  bool progress_asked_ = false;  // something changed about who asks for progress
  std::uint64_t progress_generation_ = 0;

  // For the event that names the claim which holds everything up.
  std::optional<std::uint64_t> oldest_claim_;
  Nanos oldest_claim_since_ = 0;
  std::uint64_t refusals_told_ = 0;
  Nanos next_refusal_report_ = 0;
  Nanos refusal_pause_ = 0;  // after the last report; 0: the next refusal is told at once
};

}  // namespace tensorpool::detail
