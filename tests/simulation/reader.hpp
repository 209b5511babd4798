// A consumer as its application sees it. Every frame that it accepts is held against the truth, and so are its books.
#pragma once

#include <memory>

#include "client/client_core.hpp"
#include "simulation/reader_books.hpp"
#include "simulation/stage.hpp"

namespace tensorpool::simulation {

class Reader {
 public:
  Reader(Stage& stage, const ReaderPlan& plan, std::string name);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { close(); }

  void attach(detail::ClientCore& client);
  void act();
  void act_quietly();
  void poll(int limit);
  void close();

  [[nodiscard]] bool attached() const noexcept { return core_ && core_->attached(); }
  [[nodiscard]] bool idle() const noexcept { return core_ == nullptr; }
  [[nodiscard]] std::uint32_t stream_id() const noexcept { return plan_.options.stream_id; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] ConsumerStats stats() const { return core_ ? core_->stats() : ConsumerStats{}; }
  // Frames accepted of the epoch that is read.
  [[nodiscard]] std::uint64_t accepted_in(std::uint64_t epoch) const noexcept {
    return last_epoch_ == epoch ? accepted_in_epoch_ : 0;
  }
  // Hears of every frame, if only to say that it did not want it.
  [[nodiscard]] bool hears_all() const noexcept {
    return !(plan_.options.own_streams && plan_.options.max_rate_hz != 0);
  }

 private:
  void look_at_ticket();
  void poll_progress();
  void look_before();
  void look_after();
  void on_frame(const Frame& frame);
  void on_progress(const PartialFrame& frame);
  [[nodiscard]] bool use(const Frame& frame, const FrameKey& key);
  void check_order(const FrameKey& key);
  void check_content(const Frame& frame, const FrameKey& key, std::span<const std::byte> content);
  void dream();
  void complain(std::string_view invariant, const std::string& what);

  Stage& stage_;
  const ReaderPlan plan_;
  const std::string name_;
  std::shared_ptr<detail::ConsumerCore> core_;
  std::shared_ptr<detail::AttachTicket> ticket_;
  Nanos retry_at_ = 0;
  std::optional<ReaderBooks> books_;
  std::uint64_t accepted_ = 0;  // since it was attached
  std::uint64_t accepted_in_epoch_ = 0;
  std::uint64_t last_epoch_ = 0;  // of the last frame
  std::uint64_t last_seq_ = 0;
};

}  // namespace tensorpool::simulation
