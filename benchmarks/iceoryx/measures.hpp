// The first process of a run: sends frames and measures.
#pragma once

#include <string>

#include "options.hpp"
#include "peer.hpp"

namespace tensorpool::bench {

// One JSON object. REQUIRES: the peer was started with the same options, and the runtime of this process is up.
[[nodiscard]] std::string measure(const Options& options, Peer& peer);

}  // namespace tensorpool::bench
