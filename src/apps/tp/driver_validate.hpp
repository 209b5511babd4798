// What `tp driver validate` finds out about a configuration without starting anything.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/config/node_config.hpp"
#include "apps/flow/stats_json.hpp"
#include "apps/tp/cache_fit.hpp"

namespace tensorpool::apps::tp {

struct Verdict {
  std::string file;
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  std::optional<driver::Footprint> footprint;   // when there is no error
  std::map<std::string, std::string> profiles;  // of each static stream, by its name
  std::vector<std::string> notes;               // memory per stream and in sum, what fits in cache, descriptor rate
  std::vector<CacheFit> pools;                  // of every profile
  Caches caches;                                // of this machine

  [[nodiscard]] bool ok() const { return errors.empty(); }
};

[[nodiscard]] Verdict validate_config(const std::string& path, const Result<NodeConfig>& loaded);

// Frames per second of one producer up to which a stalled consumer is evicted before its descriptors back up
// (aeron.md 1.2): window / 8 >= rate * 96 bytes * 140 ms, the window being half a term. Nothing when the channel is no
// IPC channel.
[[nodiscard]] std::optional<std::uint64_t> descriptor_rate_limit(const std::string& channel);

[[nodiscard]] std::string describe(const Verdict& verdict);
[[nodiscard]] Json to_json(const Verdict& verdict);

}  // namespace tensorpool::apps::tp
