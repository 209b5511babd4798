// The conductor's side of a standalone producer: what ProducerAttachment does, and what a driver would do for it:
// announces, and a subscription on the descriptor stream that is always drained. Without one, a consumer that is the
// only one and stalls is never evicted, and stalls the producer (docs: aeron 1.2).
#pragma once

#include <memory>
#include <string>

#include "client/producer_attachment.hpp"
#include "client/standalone_owner.hpp"

namespace tensorpool::detail {

class StandaloneProducerAttachment final : public ProducerAttachment {
 public:
  StandaloneProducerAttachment(ClientContext context, std::unique_ptr<StandaloneOwner> owner, std::string base_dir,
                               std::shared_ptr<ProducerCore> core)
      : ProducerAttachment(context, std::move(owner), std::move(core)), own_{{std::move(base_dir)}} {}

  void on_hello(const protocol::ConsumerHello& hello, Nanos now) override;

 protected:
  Status adopt(const Grant& grant, Nanos now) override;
  void withdraw() override;
  void each_period(Nanos now) override;
  int each_cycle(Nanos now) override;
  // Its own files, wherever other people's may lie.
  [[nodiscard]] const shm::PathPolicy& policy() const override { return own_; }

 private:
  Status check_announce(const Grant& grant, Nanos now) const;

  const shm::PathPolicy own_;
  std::shared_ptr<transport::Subscription> drain_;
  int answers_left_ = 0;  // in this period: a flood of hellos is no flood of answers
};

}  // namespace tensorpool::detail
