// A media driver in a process of its own, with the settings of the product's embedded one: it is that one.
#pragma once

#include "process.hpp"
#include "scratch.hpp"

namespace tensorpool::bench {

// Starts it and waits until it serves the directory. It ends in good order on SIGTERM. `patience_ns`: how long it may
// wait for the heartbeat of one that was killed there.
[[nodiscard]] Process start_media_driver(const Scratch& scratch, Nanos patience_ns = 0);
void await_media_driver(const Scratch& scratch);

// SIGTERM, and waits for the end.
void stop(Process& process);

}  // namespace tensorpool::bench
