// The supervisor's figures as Aeron counters: its own, and for each stream how many are alive, went, and what was lost.
// Asked for and written once per check, never waited for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "client/control_plane.hpp"
#include "client/stream_watch.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool::supervisor {

// Type ids: the supervisor's figures from the first on, those of each stream from the second on, in the order of the
// names below. Labels: "tensorpool 1000, supervisor: alerts", "tensorpool 1000, supervisor stream 5: consumers alive".
inline constexpr std::int32_t first_supervisor_counter_type = 1300;
inline constexpr std::int32_t first_supervised_stream_counter_type = 1350;
inline constexpr std::size_t max_counted_streams = 32;

class SupervisorCounters {
 public:
  void show(detail::ControlPlane& plane, std::int32_t control_stream_id, const detail::StreamWatch& watch,
            const SupervisorStats& stats);

 private:
  using Counters = std::vector<std::shared_ptr<transport::Counter>>;

  std::uint64_t generation_ = 0;  // of the connection that they live on
  Counters own_;
  std::map<std::uint32_t, Counters> streams_;
};

}  // namespace tensorpool::supervisor
