// `tp shm validate`: every file below a namespace, checked against its path, its neighbours and the slots it describes.
// Reads with read calls, follows no link, changes nothing; a live producer is no fault.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/flow/stats_json.hpp"

namespace tensorpool::apps::tp {

struct ShmFault {
  std::string path;
  std::string why;
};

struct ShmVerdict {
  std::uint64_t files = 0;
  std::uint64_t epochs = 0;
  std::uint64_t committed_slots = 0;  // looked at, and plausible unless a fault says otherwise
  std::vector<ShmFault> faults;

  [[nodiscard]] bool ok() const { return faults.empty(); }
};

// `dir` is a namespace's directory: <stream_id>/<epoch>/{header.ring,<pool_id>.pool} and driver.lock. Half-made
// directories are a driver's at work while `in_use`, else a fault.
void validate_namespace(const std::string& dir, bool in_use, ShmVerdict& verdict);

[[nodiscard]] std::string describe(const ShmVerdict& verdict);
[[nodiscard]] Json to_json(const ShmVerdict& verdict);

}  // namespace tensorpool::apps::tp
