// The tenancy of a consumer without a driver: takes the first fresh announce of a stream that has a producer, and says
// when that producer is gone; then anybody's next announce of the stream is taken. No lease, nothing to send.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "client/attach_session.hpp"
#include "client/tenancy.hpp"

namespace tensorpool::detail {

class StandaloneFollower final : public Tenancy {
 public:
  StandaloneFollower(const AttachSettings& settings, const RandomSource& random);

  void start(Nanos now) override;
  void detach(Nanos now) override;
  [[nodiscard]] std::optional<Message> due(Nanos now) override;
  void sent(const Message&, Nanos) override {}
  void on(const protocol::ShmPoolAnnounce& announce, Nanos now) override;
  void on_epoch_mapped(std::uint64_t epoch) noexcept override;
  void on_mapped(Nanos now) override;
  void on_mapping_failed(const Error& error, Nanos now) override;
  void on_connection_lost() override;
  [[nodiscard]] std::optional<AttachNotice> take_notice() override;
  [[nodiscard]] State state() const noexcept override { return state_; }
  [[nodiscard]] bool over() const noexcept override { return over_; }
  [[nodiscard]] std::uint32_t client_id() const noexcept override { return client_id_; }
  [[nodiscard]] std::uint32_t stream_id() const noexcept override { return settings_.stream_id; }
  [[nodiscard]] protocol::Role role() const noexcept override { return protocol::Role::consumer; }
  [[nodiscard]] std::string likely_reason() const override;

 private:
  void follow(const protocol::ShmPoolAnnounce& announce, Nanos now);
  void lose(std::string why, EndReason reason);
  void notify(AttachNotice::Kind kind, ErrorCode code, std::string text);

  const AttachSettings settings_;
  const std::uint32_t client_id_;
  State state_ = State::unattached;
  bool started_ = false;
  bool attached_once_ = false;
  bool over_ = false;
  Nanos deadline_ = 0;  // of the first attach
  Nanos last_alive_ = 0;
  Nanos last_higher_ = 0;  // when a higher epoch was announced
  std::uint32_t higher_producer_id_ = 0;
  std::uint32_t producer_id_ = 0;  // of the epoch in use
  std::uint64_t epoch_ = 0;        // in use, or about to be
  std::uint64_t mapped_epoch_ = 0;
  std::uint64_t bad_epoch_ = 0;  // could not be used; tried again when this much time has passed
  Nanos bad_until_ = 0;
  std::string trouble_;
  std::deque<AttachNotice> notices_;
};

}  // namespace tensorpool::detail
