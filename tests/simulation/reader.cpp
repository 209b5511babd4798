#include "simulation/reader.hpp"

#include <array>

namespace tensorpool::simulation {

Reader::Reader(Stage& stage, const ReaderPlan& plan, std::string name)
    : stage_(stage), plan_(plan), name_(std::move(name)) {}

void Reader::attach(detail::ClientCore& client) {
  if (core_ || stage_.clock.now < retry_at_) return;
  auto pending = client.begin_attach(plan_.options);
  core_ = std::move(pending.core);
  ticket_ = std::move(pending.ticket);
  books_.emplace(stage_.truth, stream_id());
  accepted_ = accepted_in_epoch_ = last_epoch_ = last_seq_ = 0;
  stage_.journal.note("{} asks for stream {}", name_, stream_id());
}

void Reader::look_at_ticket() {
  if (!ticket_ || !ticket_->settled()) return;
  const Status outcome = std::exchange(ticket_, nullptr)->outcome();
  if (outcome) return;
  stage_.journal.note("{} has no attachment: {}", name_, outcome.error().message);
  close();
  retry_at_ = stage_.clock.now + stage_.random.between(1, 100) * nanos_per_milli;
}

void Reader::act() {
  look_at_ticket();
  if (!core_ || stage_.random.chance(plan_.laziness)) return;
  if (plan_.options.progress) poll_progress();
  poll(static_cast<int>(stage_.random.between(0, 16)));
}

void Reader::act_quietly() {
  look_at_ticket();
  poll(64);
}

void Reader::complain(std::string_view invariant, const std::string& what) {
  stage_.journal.violated(invariant, "{} of stream {}: {}", name_, stream_id(), what);
}

void Reader::poll(int limit) {
  if (!core_) return;
  look_before();
  core_->poll([](void* self, const Frame& frame) { static_cast<Reader*>(self)->on_frame(frame); }, this, limit);
  look_after();
}

void Reader::look_before() {
  const ConsumerStats stats = core_->stats();
  if (const auto fault = books_->before_poll(stats)) complain("I5", *fault + ": " + shown(stats));
}

void Reader::look_after() {
  ConsumerStats stats = core_->stats();
  if (stage_.sabotaged(Sabotage::miscount) && stats.accounted > 20) ++stats.lost[0];
  if (const auto fault = books_->after_poll(stats)) complain("I5", *fault + ": " + shown(stats));
  if (stats.delivered != accepted_) {
    complain("I5", fmt::format("it accepted {} frames, its books say {}", accepted_, stats.delivered));
  }
  if (stats[LossCause::invalid_header] != 0 || stats.malformed != 0) {
    complain("I1", fmt::format("{} broken headers, {} broken descriptors", stats[LossCause::invalid_header],
                               stats.malformed));
  }
  for (const std::uint64_t figure : {stats.epoch, stats.last_seq, stats.accounted, stats.delivered}) {
    stage_.journal.mix(figure);
  }
}

// The stream goes on while a frame is held.
void Reader::dream() {
  if (stage_.dreams && stage_.random.chance(plan_.dreaming)) stage_.write_meanwhile(stream_id());
}

void Reader::on_frame(const Frame& frame) {
  const FrameKey key{frame.stream_id(), frame.epoch(), frame.seq()};
  check_order(key);
  if (stage_.sabotaged(Sabotage::deliver_twice)) check_order(key);
  if (!use(frame, key)) return;
  ++accepted_;
  ++accepted_in_epoch_;
  ++stage_.figures.accepted;
}

void Reader::check_order(const FrameKey& key) {
  if (key.stream_id != stream_id()) complain("I1", fmt::format("a frame of stream {}", key.stream_id));
  if (key.epoch < last_epoch_) complain("I3", fmt::format("epoch {} after {}", key.epoch, last_epoch_));
  if (key.epoch == last_epoch_ && key.seq <= last_seq_) {
    complain("I2", fmt::format("sequence {} after {} in epoch {}", key.seq, last_seq_, key.epoch));
  }
  if (key.epoch != last_epoch_) accepted_in_epoch_ = 0;
  last_epoch_ = key.epoch;
  last_seq_ = key.seq;
}

// By each way to read; whether the frame was whole to the end.
bool Reader::use(const Frame& frame, const FrameKey& key) {
  std::array<std::byte, 4096> bytes{};
  const std::span copy(bytes.data(), std::min(bytes.size(), frame.size_bytes()));
  bool whole = false;
  switch (stage_.random.below(4)) {
    case 0:
      whole = frame.copy_to(copy).has_value();
      if (whole) check_content(frame, key, copy);
      dream();
      return whole;
    case 1: {
      const auto read = frame.read<std::byte>([&](TensorView<const std::byte> view) {
        const std::size_t half = copy.size() / 2;
        std::copy_n(view.elements.begin(), half, copy.begin());
        dream();
        std::copy(view.elements.begin() + static_cast<std::ptrdiff_t>(half), view.elements.end(),
                  copy.begin() + static_cast<std::ptrdiff_t>(half));
      });
      if (read.has_value()) check_content(frame, key, copy);
      return read.has_value();
    }
    case 2:
      dream();
      std::copy(frame.unchecked().begin(), frame.unchecked().end(), copy.begin());
      whole = frame.still_valid();
      if (whole) check_content(frame, key, copy);
      return whole;
    default:
      dream();
      return frame.still_valid();
  }
}

void Reader::check_content(const Frame& frame, const FrameKey& key, std::span<const std::byte> content) {
  const EpochTruth* const truth = stage_.truth.find(key.stream_id, key.epoch);
  const std::string which = fmt::format("sequence {} of epoch {}", key.seq, key.epoch);
  if (truth == nullptr || key.seq >= truth->next_seq()) return complain("I1", which + " was never written");
  if (truth->frames[key.seq] != FrameFate::committed) return complain("I1", which + " was never committed");
  if (content.size() != key.size(stage_.setup.longest_frame)) {
    return complain("I1", fmt::format("{} has {} bytes", which, content.size()));
  }
  if (!is_content(content, key)) return complain("I1", which + " is torn or another's");
  if (frame.timestamp_ns() != truth->timestamps[key.seq]) complain("I1", which + " has another frame's time");
  if (frame.trace_id() && *frame.trace_id() != key.trace_id()) complain("I1", which + " has another frame's trace id");
}

// It may change to the next epoch as poll does.
void Reader::poll_progress() {
  look_before();
  core_->poll_progress([](void* self, const PartialFrame& frame) { static_cast<Reader*>(self)->on_progress(frame); },
                       this, static_cast<int>(stage_.random.between(0, 8)));
  look_after();
}

void Reader::on_progress(const PartialFrame& frame) {
  const FrameKey key{frame.stream_id(), frame.epoch(), frame.seq()};
  std::array<std::byte, 4096> bytes{};
  dream();
  const auto copied = frame.copy_to(bytes);
  if (!copied) return;
  ++stage_.figures.partial;
  if (!is_content(std::span<const std::byte>(bytes.data(), *copied), key)) {
    complain("I1", fmt::format("the first {} bytes of sequence {} of epoch {}, in flight, are torn or another's",
                               *copied, key.seq, key.epoch));
  }
}

void Reader::close() {
  if (!core_) return;
  stage_.figures.lost += core_->stats().lost_total();
  core_->close();
  core_.reset();
  ticket_.reset();
  stage_.journal.note("{} gives its handle up", name_);
}

}  // namespace tensorpool::simulation
