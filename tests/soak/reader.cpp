#include "reader.hpp"

#include <ctime>

namespace tensorpool::soak {
namespace {

void dawdle_for(Nanos duration) {
  const timespec time{duration / nanos_per_second, duration % nanos_per_second};
  ::nanosleep(&time, nullptr);
}

FrameName name_of(const Frame& frame) { return {frame.stream_id(), frame.epoch(), frame.seq()}; }

Json json_of(const FrameName& name) {
  return {{"stream", name.stream}, {"epoch", std::to_string(name.epoch)}, {"seq", name.seq}};
}

}  // namespace

int Reader::poll(int limit, const Sink& sink, Nanos dawdle_ns) {
  const Nanos began = monotonic_now();
  const ConsumerStats before = consumer_.stats();
  const int polled = consumer_.poll(
      [&](const Frame& frame) {
        ++calls_;
        check_order(frame);
        std::uint64_t first_word = 0;
        if (take(frame, first_word) && sink) sink({name_of(frame), first_word});
        if (dawdle_ns != 0) dawdle_for(dawdle_ns);
      },
      limit);
  check_books(before, began);
  return polled;
}

// False if it was overwritten meanwhile.
bool Reader::take(const Frame& frame, std::uint64_t& first_word) {
  const FrameName name = name_of(frame);
  bool right = false;
  bool whole = false;
  const auto look = [&](std::span<const std::byte> payload) {
    first_word = payload.size() >= 8 ? load_le<std::uint64_t>(payload.data()) : 0;
    right = is_right(payload, name);
  };
  switch (way_) {
    case Way::copies:
      copy_.resize(frame.size_bytes());
      whole = frame.copy_to(copy_).has_value();
      if (whole) look(copy_);
      break;
    case Way::reads:
      whole = frame.read<std::byte>([&](TensorView<const std::byte> view) { look(view.elements); }).has_value();
      break;
    case Way::looks:
      look(frame.unchecked());
      whole = frame.still_valid();
      break;
  }
  if (!whole) return false;
  ++whole_;
  // It travels with the descriptor; a frame that was found in the ring has none.
  if (right && !derived_) right = frame.trace_id().value_or(trace_of(name)) == trace_of(name);
  if (right) {
    ++right_;
  } else {
    say_fault("a frame is not what was written", json_of(name));
  }
  if (derived_ && right && origin_) {
    FrameName& newest = origins_[origin_->name.stream];
    const FrameName& now = origin_->name;
    if (now.epoch < newest.epoch || (now.epoch == newest.epoch && now.seq <= newest.seq && newest.stream != 0)) {
      say_fault("a derived frame comes from an earlier frame than the one before it", json_of(name));
    }
    newest = now;
  }
  return right;
}

bool Reader::is_right(std::span<const std::byte> payload, const FrameName& name) {
  if (!derived_) return !payload.empty() && !is_wrong(payload, key_of(name));
  origin_ = origin_of(payload, name);
  return origin_.has_value();
}

void Reader::check_order(const Frame& frame) {
  if (frame.epoch() < epoch_ || (frame.epoch() == epoch_ && frame.seq() <= seq_ && calls_ > 1)) {
    say_fault("sequence or epoch goes back",
              {{"frame", json_of(name_of(frame))}, {"after_epoch", std::to_string(epoch_)}, {"after_seq", seq_}});
  }
  if (frame.epoch() != epoch_) origins_.clear();
  epoch_ = frame.epoch();
  seq_ = frame.seq();
}

void Reader::check_books(const ConsumerStats& before, Nanos began) {
  const ConsumerStats after = consumer_.stats();
  const auto facts = [&] { return Json{{"stream", consumer_.stream_id()}, {"stats", apps::to_json(after)}}; };
  if (after.accounted != after.delivered + after.abandoned + after.lost_total()) {
    say_fault("delivered, abandoned and lost are not what was accounted for", facts());
  }
  // What was read whole was delivered, and the rest of the calls were late. A mere look may be followed by its end.
  const bool all_whole = way_ == Way::looks ? whole_ >= after.delivered : whole_ == after.delivered;
  if (calls_ != after.delivered + after[LossCause::late] || !all_whole) {
    say_fault("the callbacks are not those that are counted", {{"calls", calls_}, {"whole", whole_}, {"at", facts()}});
  }
  if (after[LossCause::invalid_header] != before[LossCause::invalid_header]) {
    say_fault("a slot header was invalid", facts());
  }
  if (after.epoch < before.epoch || after.accounted < before.accounted) say_fault("figures go back", facts());
  if (after.epoch != before.epoch) {
    say("switch", {{"stream", consumer_.stream_id()},
                   {"began", began},
                   {"before", apps::to_json(before)},
                   {"after", apps::to_json(after)}});
  }
}

Json Reader::figures() const {
  return {{"stream", consumer_.stream_id()},
          {"attached", consumer_.attached()},
          {"right", right_},
          {"stats", apps::to_json(consumer_.stats())}};
}

}  // namespace tensorpool::soak
