#include "apps/demo/processor.hpp"

#include "apps/flow/crc32c.hpp"
#include "apps/flow/drain.hpp"
#include "apps/flow/receiving_end.hpp"
#include "apps/flow/sending_end.hpp"
#include "tensorpool/idle.hpp"

namespace tensorpool::apps {
namespace {

class Processor {
 public:
  Processor(WorkKind kind, Producer& producer, ReceivingEnd& in, SendingEnd& out)
      : work_(kind), producer_(producer), in_(in), out_(out) {}

  void on_frame(const Frame& frame) {
    const auto layout = work_.output_of(frame.layout(), frame.size_bytes());
    if (!layout) {
      ++unsuitable_;
      return look_only(frame);
    }
    auto claim = producer_.claim(layout->extent_bytes());
    if (!claim) return look_only(frame);  // the producer counts why
    const auto result = claim->payload().first(layout->extent_bytes());
    const bool whole = frame.layout().dtype == Dtype::uint8 ? process<std::uint8_t>(frame, result)
                                                            : process<std::uint16_t>(frame, result);
    if (!whole) return;  // lost while it was read: the claim goes, and its sequence is a gap left on purpose
    work_.keep(*layout, result);
    publish(std::move(*claim), *layout, result, frame);
  }

  void tell_findings() {
    const Json finding = work_.finding();
    for (const auto& [name, value] : finding.items()) out_.extra()[name] = value;
    in_.extra()["unsuitable"] = unsuitable_;
  }

 private:
  // Works on live memory; says whether the frame was still whole afterwards.
  template <class T>
  bool process(const Frame& frame, std::span<std::byte> result) {
    const auto read = frame.read<T>([&](TensorView<const T> view) {
      work_.run(view.elements, view.layout, result);
      return in_.wants_crc() ? crc32c(std::as_bytes(view.elements)) : 0;
    });
    if (!read) return false;
    note(frame, *read);
    return true;
  }

  // A frame without a result is still checked, so that every delivered one is.
  void look_only(const Frame& frame) {
    const auto read = frame.read<std::byte>([](TensorView<const std::byte> view) { return crc32c(view.elements); });
    if (read) note(frame, *read);
  }

  void note(const Frame& frame, std::uint32_t crc) {
    in_.received({frame.epoch(), frame.seq(), crc, static_cast<std::uint32_t>(frame.size_bytes())},
                 latency_since(frame.timestamp_ns(), monotonic_now()));
  }

  void publish(SlotClaim claim, const TensorLayout& layout, std::span<const std::byte> result, const Frame& frame) {
    const CrcRecord record{claim.epoch(), claim.seq(), out_.wants_crc() ? crc32c(result) : 0,
                           static_cast<std::uint32_t>(result.size())};
    FrameInfo info;
    info.timestamp_ns = frame.timestamp_ns();
    out_.committed(std::move(claim).commit(layout, info), record);
  }

  PixelWork work_;
  Producer& producer_;
  ReceivingEnd& in_;
  SendingEnd& out_;
  std::uint64_t unsuitable_ = 0;  // frames of a type or shape that this work cannot be done on
};

}  // namespace

Status run_processor(const ProcessorOptions& options, const std::atomic<bool>& stop) {
  auto in_log = open_crc_log_if_named(options.in_crc_log);
  if (!in_log) return in_log.error();
  auto out_log = open_crc_log_if_named(options.out_crc_log);
  if (!out_log) return out_log.error();
  auto client = Client::connect(options.client);
  if (!client) return client.error();
  auto producer = client->attach_producer({.stream_id = options.out_stream_id, .create = true});
  if (!producer) return producer.error();
  auto consumer = client->attach_consumer({.stream_id = options.in_stream_id, .create = true});
  if (!consumer) return consumer.error();

  SendingEnd out(*producer, options.json, std::move(*out_log), monotonic_now());
  ReceivingEnd in(*consumer, options.json ? ReceivingEnd::Voice::json : ReceivingEnd::Voice::text, std::move(*in_log),
                  monotonic_now());
  Processor processor(options.kind, *producer, in, out);
  const auto on_frame = [&](const Frame& frame) { processor.on_frame(frame); };
  Idle idle(IdleMode::sleep, 100 * nanos_per_micro);
  while (!stop.load(std::memory_order_relaxed)) {
    const int work = consumer->poll(on_frame);
    if (work > 0) processor.tell_findings();
    idle.idle(work);
    in.tick(monotonic_now());
    out.tick(monotonic_now());
  }
  drain(*consumer, on_frame);
  processor.tell_findings();
  const Status in_finished = in.finish(monotonic_now());
  const Status out_finished = out.finish(monotonic_now());
  if (options.hold) wait_for_end_of_input();
  return in_finished ? out_finished : in_finished;
}

}  // namespace tensorpool::apps
