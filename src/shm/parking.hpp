// Sleeping until a slot changes: a futex on the low half of its commit word. The kernel takes a read-only mapping for
// it, so that a consumer can sleep on memory that it must not write, and nothing of the wire changes.
#pragma once

#include <cstdint>

#include "tensorpool/time.hpp"

namespace tensorpool::shm {

enum class Parked : std::uint8_t {
  woken,      // somebody called wake_parked on this word
  changed,    // the word was another one already: not slept at all
  timed_out,  // nobody woke us, whatever the word says now
  refused,    // a signal came, or the kernel would not sleep here
};

// Sleeps while the word is `seen`, until it is woken, at most for `longest`. The kernel compares the word and goes to
// sleep in one step with respect to wake_parked, so that whoever changes the word and then wakes is never missed.
// Only the low half is compared: `seen` again means 2^31 frames later.
Parked park_while(const std::uint64_t* commit_word, std::uint64_t seen, Nanos longest) noexcept;

// Wakes all who sleep on the word, in whatever process. A system call, also when nobody sleeps.
void wake_parked(const std::uint64_t* commit_word) noexcept;

}  // namespace tensorpool::shm
