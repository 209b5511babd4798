// `tp shm gc`: what lies in a namespace whose driver does not run, and the removal of what nobody can need any more.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/config/node_config.hpp"
#include "apps/flow/stats_json.hpp"
#include "shm/epoch_store.hpp"

namespace tensorpool::apps::tp {

struct FoundEpoch {
  enum class State : std::uint8_t {
    fresh,  // somebody wrote it within the minimum age: a producer that has not noticed its driver's end
    kept,   // dead, but among the newest that were asked to be kept
    dead,
  };

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::string path;
  std::uint64_t held_bytes = 0;
  State state = State::dead;
};
[[nodiscard]] std::string_view to_string(FoundEpoch::State state) noexcept;

struct Survey {
  std::vector<FoundEpoch> epochs;      // by stream, newest first
  std::vector<std::string> half_made;  // directories that a killed driver left
  [[nodiscard]] std::uint64_t dead_bytes() const;
  [[nodiscard]] std::size_t dead_epochs() const;
};

struct GcOptions {
  std::uint32_t keep = 0;  // newest epochs of each stream
  Nanos min_age_ns = 0;    // of the last activity
};

// The namespace, opened as the driver of `config` opens it if it runs as this user. not_found where there is none.
[[nodiscard]] Result<shm::EpochStore> open_namespace(const driver::DriverConfig& config,
                                                     const std::string& effective_user);

[[nodiscard]] Result<Survey> survey(const shm::EpochStore& store, const GcOptions& options, Nanos now);

// Removes what the survey calls dead and half-made. REQUIRES: the caller holds the namespace's lock.
[[nodiscard]] Status collect(shm::EpochStore& store, const Survey& survey);

[[nodiscard]] std::string describe(const Survey& survey, bool removed);
[[nodiscard]] Json to_json(const Survey& survey, bool removed);

}  // namespace tensorpool::apps::tp
