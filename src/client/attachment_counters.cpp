#include "client/attachment_counters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <concepts>

#include "client/control_plane.hpp"

namespace tensorpool::detail {
namespace {

// Takes `text` from the front of `from`; false, and nothing taken, if something else stands there.
bool take(std::string_view& from, std::string_view text) {
  if (!from.starts_with(text)) return false;
  from.remove_prefix(text.size());
  return true;
}

template <std::integral Number>
bool take(std::string_view& from, Number& number) {
  const auto [end, fault] = std::from_chars(from.data(), from.data() + from.size(), number);
  if (fault != std::errc{}) return false;
  from.remove_prefix(static_cast<std::size_t>(end - from.data()));
  return true;
}

std::string_view word_of(protocol::Role role) { return role == protocol::Role::producer ? "producer" : "consumer"; }

bool take(std::string_view& from, protocol::Role& role) {
  for (const auto known : {protocol::Role::producer, protocol::Role::consumer}) {
    if (!take(from, word_of(known))) continue;
    role = known;
    return true;
  }
  return false;
}

std::string figure_name(protocol::Role role, std::size_t place) {
  if (role == protocol::Role::producer) return std::string(producer_figures.at(place));
  if (place < consumer_figures.size()) return std::string(consumer_figures.at(place));
  const std::size_t cause = place - consumer_figures.size();
  if (cause >= loss_causes) return std::string(later_consumer_figures.at(cause - loss_causes));
  return fmt::format("lost {}", to_string(static_cast<LossCause>(cause)));
}

}  // namespace

std::string to_label(const CounterOwner& owner, std::string_view figure) {
  return fmt::format("{}{} {} stream {}: {}", transport::counter_label_prefix(owner.control_stream_id),
                     word_of(owner.role), owner.client_id, owner.stream_id, figure);
}

std::optional<CounterLabel> parse_counter_label(std::string_view label) {
  const std::string_view all = label;
  CounterLabel read;
  CounterOwner& owner = read.owner;
  const bool whole = take(label, "tensorpool ") && take(label, owner.control_stream_id) && take(label, ", ") &&
                     take(label, owner.role) && take(label, " ") && take(label, owner.client_id) &&
                     take(label, " stream ") && take(label, owner.stream_id) && take(label, ": ");
  if (!whole || label.empty()) return std::nullopt;
  read.figure = label;
  if (to_label(owner, label) != all) return std::nullopt;  // a number with leading zeros
  return read;
}

void AttachmentCounters::show(ControlPlane& plane, const CounterOwner& owner, const ProducerStats& stats,
                              std::uint64_t open_claims) {
  show(plane, owner,
       std::array<std::uint64_t, producer_figures.size()>{
           stats.published, stats.payload_bytes, stats.abandoned, stats.descriptors_dropped,
           stats.too_large + stats.invalid_layout, stats.claims_refused, stats.not_attached, open_claims, stats.epoch,
           stats.next_seq, stats.own_streams_full, stats.progress_sent, stats.progress_dropped, stats.progress_refused,
           stats.regions_lost, stats.descriptor_stalls});
}

void AttachmentCounters::show(ControlPlane& plane, const CounterOwner& owner, const ConsumerStats& stats) {
  std::array<std::uint64_t, consumer_figure_count> values{stats.delivered, stats.accounted, stats.last_seq,
                                                          stats.epoch,     stats.abandoned, stats.wrong_epoch,
                                                          stats.malformed};
  const std::array<std::uint64_t, later_consumer_figures.size()> later{
      stats.payload_bytes,   stats.latency_samples, stats.latency_sum_ns, stats.remaps,
      stats.configs_refused, stats.regions_lost,    stats.no_frames,      stats.stale_seen};
  const auto losses_end = std::copy(stats.lost.begin(), stats.lost.end(), values.begin() + consumer_figures.size());
  std::copy(later.begin(), later.end(), losses_end);
  show(plane, owner, values);
}

void AttachmentCounters::show(ControlPlane& plane, const CounterOwner& owner, std::span<const std::uint64_t> values) {
  if (generation_ != plane.generation() || owner_ != owner) {
    counters_.clear();
    owner_ = owner;
    generation_ = plane.generation();
    const std::int32_t first =
        owner.role == protocol::Role::producer ? first_producer_counter_type : first_consumer_counter_type;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < values.size(); ++i) names.push_back(to_label(owner, figure_name(owner.role, i)));
    counters_ = plane.want_counters(first, std::move(names));
  }
  for (std::size_t i = 0; i < counters_.size(); ++i) counters_[i]->set(static_cast<std::int64_t>(values[i]));
}

}  // namespace tensorpool::detail
