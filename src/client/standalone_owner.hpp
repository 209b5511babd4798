// The tenancy of a standalone producer: makes its regions, announces them each period, and takes them away at its end.
// A refusal (the stream is taken, no space, no permission) ends the first attach; later ones are tried again.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "client/attach_session.hpp"
#include "client/backoff.hpp"
#include "client/standalone_regions.hpp"
#include "client/tenancy.hpp"

namespace tensorpool::detail {

class StandaloneOwner final : public Tenancy {
 public:
  StandaloneOwner(const AttachSettings& settings, const StandaloneOptions& options, RandomSource random,
                  shm::SystemCalls& calls = shm::system_calls());

  void start(Nanos now) override;
  void detach(Nanos now) override;
  int do_work(Nanos now) override;
  [[nodiscard]] std::optional<Message> due(Nanos now) override;
  void sent(const Message& message, Nanos now) override;
  void on(const protocol::ShmPoolAnnounce&, Nanos) override {}  // its own
  void on_epoch_mapped(std::uint64_t) noexcept override {}
  void on_mapped(Nanos now) override;
  void on_mapping_failed(const Error& error, Nanos now) override;
  void on_connection_lost() override;
  [[nodiscard]] std::optional<AttachNotice> take_notice() override;
  [[nodiscard]] State state() const noexcept override;
  [[nodiscard]] bool over() const noexcept override { return over_; }
  [[nodiscard]] std::uint32_t client_id() const noexcept override { return client_id_; }
  [[nodiscard]] std::uint32_t stream_id() const noexcept override { return settings_.stream_id; }
  [[nodiscard]] protocol::Role role() const noexcept override { return protocol::Role::producer; }
  [[nodiscard]] std::string likely_reason() const override;

 private:
  int make_regions(Nanos now);
  int take_down(Nanos now);
  void give_up(Error error, Nanos now);
  void check_deadline(Nanos now);
  void notify(AttachNotice::Kind kind, Error error);

  const AttachSettings settings_;
  RandomSource random_;
  const std::uint32_t client_id_;
  StandaloneRegions regions_;

  State state_ = State::unattached;
  bool attached_once_ = false;
  bool failed_ = false;
  bool over_ = false;
  bool announced_ = false;  // this epoch, so that its end is to be announced too
  Nanos deadline_ = 0;      // of the first attach, or of saying goodbye
  bool started_ = false;
  std::optional<Nanos> next_announce_;
  Nanos retry_at_ = 0;
  Backoff backoff_{100 * nanos_per_milli, 2 * nanos_per_second};
  std::deque<AttachNotice> notices_;
};

}  // namespace tensorpool::detail
