// The figures of one attachment as Aeron counters, so that any tool can read them while everything runs. Written by the
// conductor from the figures that it reports anyway; the application's thread never sees them. Names and order of the
// figures are the interface of the tools: add at the end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/enums.hpp"
#include "tensorpool/consumer.hpp"
#include "tensorpool/producer.hpp"
#include "transport/counters.hpp"

namespace tensorpool::detail {

class ControlPlane;

// Type ids: the role's first one + the place of the figure in the role's list.
inline constexpr std::int32_t first_producer_counter_type = 1200;
inline constexpr std::int32_t first_consumer_counter_type = 1250;

inline constexpr std::array<std::string_view, 16> producer_figures{"published",
                                                                   "bytes",
                                                                   "abandoned",
                                                                   "descriptors dropped",
                                                                   "frames refused",
                                                                   "claims refused",
                                                                   "not attached",
                                                                   "claims open",
                                                                   "epoch",
                                                                   "next sequence",
                                                                   "own streams full",
                                                                   "progress sent",
                                                                   "progress dropped",
                                                                   "progress refused",
                                                                   "regions lost",
                                                                   "descriptor stalls"};
// Between these two come the losses, in the order of LossCause ("lost gap", "lost skipped" and so on).
inline constexpr std::array<std::string_view, 7> consumer_figures{"delivered", "accounted",   "last sequence", "epoch",
                                                                  "abandoned", "wrong epoch", "malformed"};

inline constexpr std::array<std::string_view, 8> later_consumer_figures{
    "bytes",           "latency samples", "latency sum ns", "remaps",
    "configs refused", "regions lost",    "no frames",      "stale seen"};
inline constexpr std::size_t consumer_figure_count =
    consumer_figures.size() + loss_causes + later_consumer_figures.size();

// Whose counter it is. On the label: "tensorpool 1000, producer 7 stream 1001: published".
struct CounterOwner {
  std::int32_t control_stream_id = 0;
  protocol::Role role = protocol::Role::producer;
  std::uint32_t client_id = 0;
  std::uint32_t stream_id = 0;

  bool operator==(const CounterOwner&) const = default;
};
struct CounterLabel {
  CounterOwner owner;
  std::string_view figure;  // part of the label that was read
};
[[nodiscard]] std::string to_label(const CounterOwner& owner, std::string_view figure);
// Nothing unless `label` is one that to_label could have made.
[[nodiscard]] std::optional<CounterLabel> parse_counter_label(std::string_view label);

// Thread: the conductor's.
class AttachmentCounters {
 public:
  // Asks for the counters when they are not there (a new connection, other ids), and writes what they show.
  void show(ControlPlane& plane, const CounterOwner& owner, const ProducerStats& stats, std::uint64_t open_claims);
  void show(ControlPlane& plane, const CounterOwner& owner, const ConsumerStats& stats);

 private:
  void show(ControlPlane& plane, const CounterOwner& owner, std::span<const std::uint64_t> values);

  CounterOwner owner_;
  std::uint64_t generation_ = 0;  // of the connection that they live on
  std::vector<std::shared_ptr<transport::Counter>> counters_;
};

}  // namespace tensorpool::detail
