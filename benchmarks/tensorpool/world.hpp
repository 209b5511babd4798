// One tensorpool of a run's own: a driver with its media driver in a process, and what clients need to reach it.
#pragma once

#include <optional>
#include <string>

#include "support/loops.hpp"
#include "support/media.hpp"
#include "tensorpool/tensorpool.hpp"

namespace tensorpool::bench {

inline constexpr std::uint32_t first_stream = 1001;

// Static streams first_stream, first_stream + 1, ..., all alike: one pool each.
struct StreamPlan {
  std::size_t streams = 1;
  std::size_t slots = 64;              // a power of two
  std::size_t payload_bytes = 64;      // the stride is this, rounded up to 64
  bool reserve_on_touch = false;       // sparse pools, neither reserved nor touched before they are used
  bool separate_media_driver = false;  // in a process of its own, that can be killed
};

class World {
 public:
  // Starts the processes and waits until the driver serves. Throws std::runtime_error.
  explicit World(const StreamPlan& plan);

  [[nodiscard]] const Scratch& scratch() const noexcept { return scratch_; }
  [[nodiscard]] Process& driver() noexcept { return *driver_; }
  [[nodiscard]] Process& media_driver() noexcept { return *media_; }
  // In the place of one that was killed. REQUIRES: separate_media_driver.
  void restart_media_driver();
  // Ends all of it.
  void end() noexcept;
  // What the parts of a run tell each other.
  [[nodiscard]] Progress& progress() const noexcept { return *progress_; }

  // For any process of the run; their errors are thrown as std::runtime_error.
  [[nodiscard]] ClientOptions client_options(const std::string& name) const;
  [[nodiscard]] Client connect(const std::string& name) const { return need(Client::connect(client_options(name))); }

 private:
  Scratch scratch_;
  Shared<Progress> progress_;
  std::optional<Process> media_;
  std::optional<Process> driver_;
};

[[nodiscard]] inline Producer attach_producer(Client& client, std::uint32_t stream_id = first_stream) {
  return need(client.attach_producer({.stream_id = stream_id}));
}
[[nodiscard]] inline Consumer attach_consumer(Client& client, std::uint32_t stream_id = first_stream) {
  return need(client.attach_consumer({.stream_id = stream_id, .start = StartAt::next}));
}

// Says that this part is set up, and waits until `parts` of them are.
void meet(Progress& progress, std::uint32_t parts);

// Waits for Progress::stop without taking the CPU that is measured.
void wait_for_stop(const Progress& progress);

// The layout of a payload of so many opaque bytes.
[[nodiscard]] inline TensorLayout bytes_layout(std::size_t bytes) noexcept {
  return TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes));
}

// Claims a slot, writes its first `bytes` bytes if told to, and commits. Throws when the frame was not committed.
// REQUIRES: bytes > 0 if `touch`.
void publish_in_place(Producer& producer, const TensorLayout& layout, bool touch, Nanos timestamp_ns);

// The names of `loss_causes` with how often each was counted, without those that were not.
[[nodiscard]] Json losses_of(const ConsumerStats& stats);

// The measures, by file.
Json measure_publish(Arguments& arguments);      // publish.cpp
Json measure_fan_out(Arguments& arguments);      // publish.cpp
Json measure_consume(Arguments& arguments);      // consume.cpp
Json measure_round_trip(Arguments& arguments);   // latency.cpp
Json measure_one_way(Arguments& arguments);      // latency.cpp
Json measure_throughput(Arguments& arguments);   // throughput.cpp
Json measure_overload(Arguments& arguments);     // throughput.cpp
Json measure_fault(Arguments& arguments);        // faults.cpp
Json measure_idle(Arguments& arguments);         // idle.cpp
Json measure_wake_up(Arguments& arguments);      // idle.cpp
Json measure_streams(Arguments& arguments);      // scale.cpp
Json measure_join(Arguments& arguments);         // scale.cpp
Json measure_attachments(Arguments& arguments);  // scale.cpp
Json measure_start_up(Arguments& arguments);     // recovery.cpp
Json measure_recovery(Arguments& arguments);     // recovery.cpp

}  // namespace tensorpool::bench
