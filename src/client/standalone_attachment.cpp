#include "client/standalone_attachment.hpp"

#include "base/error.hpp"
#include "shm/region_announce.hpp"

namespace tensorpool::detail {
namespace {

constexpr int drained_per_cycle = 1024;
constexpr int answers_per_period = 64;

}  // namespace

Status StandaloneProducerAttachment::adopt(const Grant& grant, Nanos now) {
  if (auto opened = context().plane.open_announces(); !opened) return opened;
  if (auto fits = check_announce(grant, now); !fits) return fits;
  auto drain = context().plane.add_descriptor_subscription();
  if (!drain) return drain.error();
  drain_ = *std::move(drain);
  return ProducerAttachment::adopt(grant, now);
}

Status StandaloneProducerAttachment::check_announce(const Grant& grant, Nanos now) const {
  const std::size_t needed = protocol::encoded_length(shm::make_announce(grant.layout, client_id(), now));
  const std::size_t most = context().plane.max_announce_length();
  if (needed <= most) return {};
  return make_error(ErrorCode::invalid_argument,
                    "its announce of {} bytes names {} pools, and the announce channel carries at most {}; give the "
                    "channel a longer term-length (for example \"aeron:ipc?term-length=1m\") or the stream fewer pools",
                    needed, grant.layout.pools.size(), most);
}

void StandaloneProducerAttachment::withdraw() {
  ProducerAttachment::withdraw();
  drain_.reset();
}

// Without a driver the producer answers who asks for streams of his own: there are none, the shared one is his.
void StandaloneProducerAttachment::on_hello(const protocol::ConsumerHello& hello, Nanos now) {
  ProducerAttachment::on_hello(hello, now);
  const bool asks = hello.descriptor_stream_id != 0 || hello.control_stream_id != 0;
  if (!asks || answers_left_ <= 0) return;
  --answers_left_;
  protocol::ConsumerConfig declined;
  declined.stream_id = hello.stream_id;
  declined.consumer_id = hello.consumer_id;
  declined.use_shm = hello.supports_shm;
  declined.mode = hello.mode;
  static_cast<void>(context().plane.send(declined));
}

void StandaloneProducerAttachment::each_period(Nanos now) {
  answers_left_ = answers_per_period;
  ProducerAttachment::each_period(now);
}

int StandaloneProducerAttachment::each_cycle(Nanos now) {
  const int work = ProducerAttachment::each_cycle(now);
  return work + (drain_ ? drain_->poll([](std::span<const std::byte>) {}, drained_per_cycle) : 0);
}

}  // namespace tensorpool::detail
