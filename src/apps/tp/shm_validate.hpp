// `tp shm validate`: every file below a namespace, checked against its path, its neighbours and the slots it describes.
// Reads with read calls, follows no link, changes nothing; a live producer is no fault.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/flow/stats_json.hpp"
#include "shm/listing.hpp"

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
  std::uint64_t faults_more = 0;     // beyond those that are kept
  std::vector<std::string> skipped;  // what was not looked at, for the user

  [[nodiscard]] bool ok() const { return faults.empty(); }
};

// `dir` is a namespace's directory: <stream_id>/<epoch>/{header.ring,<pool_id>.pool} and driver.lock. Half-made
// directories are a driver's at work while `in_use`, else a fault. `listing` says whose entries count. Fails only if
// `dir` is no directory that can be listed.
[[nodiscard]] Status validate_namespace(const std::string& dir, bool in_use, shm::Listing& listing,
                                        ShmVerdict& verdict);

[[nodiscard]] std::string describe(const ShmVerdict& verdict);
[[nodiscard]] Json to_json(const ShmVerdict& verdict);

}  // namespace tensorpool::apps::tp
