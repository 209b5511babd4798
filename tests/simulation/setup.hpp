// How a world is made and how rough it is: all of it drawn from the seed, so that seeds differ in kind and not only in
// order.
#pragma once

#include <optional>
#include <vector>

#include "simulation/random.hpp"
#include "tensorpool/consumer.hpp"
#include "tensorpool/driver_config.hpp"
#include "tensorpool/producer.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool::simulation {

inline constexpr std::uint32_t first_stream = 5;
inline constexpr std::uint32_t second_stream = 6;
inline constexpr std::uint32_t standalone_stream = 7;
inline constexpr std::uint32_t dynamic_stream = 9000;
inline constexpr std::uint32_t own_descriptor_streams = 31000;
inline constexpr std::uint32_t own_control_streams = 32000;

// A precaution that a test takes away, or a lie that it tells, to see that the checks see it.
enum class Sabotage : std::uint8_t {
  none,
  change_content,    // I1: a byte of a committed frame
  deliver_twice,     // I2: each frame that a reader takes
  reuse_epochs,      // I3: a driver starts on an empty directory, by a clock that was set back
  share_a_stream,    // I4: a second producer's lease in the driver's books
  miscount,          // I5: one loss more than there was
  insist,            // I6: publishes again until the descriptor goes out
  deaf_at_the_end,   // I7: nothing is heard on the control stream when the faults are over
  leak,              // I8: a file that nobody closes
  forget_an_attach,  // books: one attach fewer than there were
};

struct WriterPlan {
  ProducerOptions options;
  bool describes = false;  // claims with a layout, and tells of progress
};

struct ReaderPlan {
  ConsumerOptions options;
  unsigned laziness = 0;  // percent of its turns in which it does not poll
  unsigned dreaming = 0;  // percent of its frames during which others write
};

struct NodePlan {
  std::vector<WriterPlan> writers;
  std::vector<ReaderPlan> readers;
  bool counters = false;
  bool follows_metadata = false;
};

// Percent per step of each fault, most of them 0 in most worlds.
struct Weather {
  unsigned drop = 0;  // of control, QoS and metadata messages, percent
  unsigned duplicate = 0;
  unsigned hold = 0;
  unsigned descriptor_drop = 0;  // the same of descriptors
  unsigned descriptor_duplicate = 0;
  unsigned descriptor_hold = 0;
  unsigned process_faults = 0;  // permille per step: a process dies, freezes, ends
  unsigned driver_faults = 0;   // likewise
  unsigned media_faults = 0;
  unsigned clock_faults = 0;
  unsigned offer_faults = 0;  // back-pressure, subscriptions that time out, no space for regions
  unsigned jumps = 0;         // nobody is served for a while
};

struct Setup {
  explicit Setup(std::uint64_t seed);

  Random random;                // of the setup; the scheduler goes on with it
  driver::DriverConfig driver;  // without its directories
  StandaloneOptions standalone;
  std::size_t longest_frame = 0;
  Nanos period_ns = 0;
  std::vector<NodePlan> nodes;
  bool supervised = false;
  SupervisorPolicy policy;
  std::optional<std::size_t> descriptor_window;
  Weather weather;
  int steps = 0;

 private:
  void draw_driver();
  void draw_nodes();
  WriterPlan draw_writer(std::uint32_t stream_id);
  ReaderPlan draw_reader(std::uint32_t stream_id);
  void draw_weather();

  std::uint32_t last_client_id_ = 100;
};

}  // namespace tensorpool::simulation
