// The descriptor streams that single consumers have of their own, as the application's thread of a producer uses them:
// made whole by the conductor, handed over by one atomic pointer, never changed but for what each consumer's rate limit
// has let through. Nothing allocates or waits; what a full stream does not take is dropped for its consumer alone.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "client/rate_gate.hpp"
#include "protocol/descriptor_bytes.hpp"
#include "transport/publication.hpp"

namespace tensorpool::detail {

class OwnStreams {
 public:
  // The conductor's thread, before it is handed over.
  void add(std::shared_ptr<transport::Publication> publication, std::uint32_t max_rate_hz) {
    streams_.push_back({std::move(publication), RateGate(max_rate_hz)});
  }

  // --- The application's thread ---
  [[nodiscard]] bool empty() const noexcept { return streams_.empty(); }
  // What was there before: a consumer's budget goes with it.
  void continue_from(const OwnStreams& before) noexcept;
  // The descriptor of a frame of `time`, to everybody whose limit lets it through; how many streams were full.
  std::uint32_t send(const protocol::DescriptorBytes& descriptor, Nanos time) noexcept;

  OwnStreams* next_retired = nullptr;  // the handoff's

 private:
  struct Stream {
    std::shared_ptr<transport::Publication> publication;
    RateGate gate;
  };
  std::vector<Stream> streams_;
};

}  // namespace tensorpool::detail
