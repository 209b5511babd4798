// The conductor's side of a consumer: maps granted and announced epochs for reading, says hello, reports QoS.
#pragma once

#include <memory>

#include "client/attachment.hpp"
#include "client/attachment_counters.hpp"
#include "client/consumer_core.hpp"

namespace tensorpool::detail {

class ConsumerAttachment final : public Attachment {
 public:
  ConsumerAttachment(ClientContext context, std::unique_ptr<Tenancy> tenancy, std::shared_ptr<ConsumerCore> core)
      : Attachment(context, std::move(tenancy)), core_(std::move(core)) {}
  ~ConsumerAttachment() override { core_->set_attached(false); }

 protected:
  Status adopt(const Grant& grant, Nanos now) override;
  void withdraw() override { core_->set_attached(false); }
  // spec: behaviour, Mapping: map first, then adopt the epoch; a lower or equal epoch changes nothing.
  void on_epoch_announced(const protocol::ShmPoolAnnounce& announce, Nanos now) override;
  [[nodiscard]] bool handle_closed() const noexcept override { return core_->closed(); }
  void each_period(Nanos now) override;
  void report_qos() override;
  bool reclaim() noexcept override { return core_->sessions.reclaim(); }

 private:
  Result<std::unique_ptr<shm::RegionSet>> map(const shm::RegionLayout& layout) const;
  Status hand_over(std::unique_ptr<shm::RegionSet> regions);
  // Whether the producer of announced regions lives; else they are leftovers.
  [[nodiscard]] Status check_activity(const shm::RegionSet& regions, Nanos now) const;
  void complain(std::uint64_t epoch, const std::string& why);

  std::shared_ptr<ConsumerCore> core_;
  AttachmentCounters counters_;
  std::shared_ptr<transport::Subscription> subscription_;
  std::uint64_t subscription_generation_ = 0;
  std::uint64_t mapped_epoch_ = 0;
  std::uint64_t complained_epoch_ = 0;
};

}  // namespace tensorpool::detail
