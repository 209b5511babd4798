// A producer as its application sees it: it publishes, and claims slots that it fills, commits and gives up in any
// order; each frame goes into the book of truth.
#pragma once

#include <memory>
#include <vector>

#include "client/client_core.hpp"
#include "simulation/stage.hpp"

namespace tensorpool::simulation {

class Writer {
 public:
  Writer(Stage& stage, const WriterPlan& plan, std::string name);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { close(); }

  // Asks for an attachment unless it has one.
  void attach(detail::ClientCore& client);
  // Some of what an application does, at random.
  void act();
  // A frame, if wanted, once it is attached.
  void act_quietly(bool frame);
  void publish();
  void settle_claims();
  // Gives the handle up, sometimes before its claims.
  void close();

  [[nodiscard]] bool attached() const noexcept { return core_ && core_->attached(); }
  [[nodiscard]] bool idle() const noexcept { return core_ == nullptr; }
  [[nodiscard]] std::uint32_t stream_id() const noexcept { return plan_.options.stream_id; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return core_ ? core_->epoch() : 0; }
  [[nodiscard]] std::uint64_t next_seq() const noexcept { return core_ ? core_->next_seq() : 0; }

 private:
  struct OpenClaim {
    SlotClaim claim;
    FrameKey key;
    std::size_t size;
    std::size_t filled;
    bool described;
  };

  void look_at_ticket();
  void publish_next();
  void open_claim();
  void fill_some(OpenClaim& open);
  void end_claim(std::size_t index);
  void change_metadata();
  void spoil(const FrameKey& key);
  [[nodiscard]] FrameKey next_frame();
  EpochTruth& book(const FrameKey& key);
  void check_effort(std::uint64_t offers_before, std::size_t frames);

  Stage& stage_;
  const WriterPlan plan_;
  const std::string name_;
  int id_ = 0;
  std::shared_ptr<detail::ProducerCore> core_;
  std::shared_ptr<detail::AttachTicket> ticket_;  // until it is settled
  Nanos retry_at_ = 0;
  std::vector<OpenClaim> claims_;
};

}  // namespace tensorpool::simulation
