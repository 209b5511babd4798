// The ends of the run's two topics: frames go `there`, the peer's answers come `back`. None ever loses a frame: a
// publisher waits for a subscriber whose queue is full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "iceoryx_posh/popo/untyped_publisher.hpp"
#include "iceoryx_posh/popo/untyped_subscriber.hpp"
#include "options.hpp"

namespace tensorpool::bench {

using Sender = iox::popo::UntypedPublisher;
using Receiver = iox::popo::UntypedSubscriber;

[[nodiscard]] std::unique_ptr<Sender> make_sender(const char* topic);
[[nodiscard]] std::unique_ptr<Receiver> make_receiver(const char* topic, std::size_t queue_frames);

// What is put into a frame.
struct Content {
  enum class Kind { untouched, written, copied } kind = Kind::untouched;
  std::uint64_t word = 0;                            // written: every word of it
  const std::vector<std::uint64_t>* from = nullptr;  // copied
};

// Throws std::runtime_error if no chunk is free.
void send(Sender& sender, std::size_t bytes, const Content& content);
// Takes a frame of `bytes` if one waits, and reads every word of it if that is wished.
[[nodiscard]] bool take(Receiver& receiver, std::size_t bytes, bool touch);

// Keeps this thread on one core, where the machine has it.
void pin_to_core(int core);

}  // namespace tensorpool::bench
