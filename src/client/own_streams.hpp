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
  // The conductor's thread, before it is handed over. At most one frame in interval_ns; 0 = no limit.
  void add(std::shared_ptr<transport::Publication> publication, Nanos interval_ns) {
    streams_.push_back({std::move(publication), RateGate(interval_ns)});
    paced_ = paced_ || interval_ns != 0;
  }

  // --- The application's thread ---
  [[nodiscard]] bool empty() const noexcept { return streams_.empty(); }
  // What was there before: a consumer's budget goes with it.
  void continue_from(const OwnStreams& before) noexcept;
  // Sends the descriptor of a frame with this time stamp on every stream whose limit lets it through. Returns how many
  // streams were full.
  std::uint32_t send(const protocol::DescriptorBytes& descriptor, Nanos stamp) noexcept;

  OwnStreams* next_retired = nullptr;  // the handoff's

 private:
  struct Stream {
    std::shared_ptr<transport::Publication> publication;
    RateGate gate;
  };
  std::vector<Stream> streams_;
  bool paced_ = false;  // one of them at least has a limit
};

}  // namespace tensorpool::detail
