// Says what a producer's metadata is: at once after a change, and once per period for late joiners. Conductor's thread.
#pragma once

#include <cstdint>
#include <string>

#include "client/control_plane.hpp"
#include "client/metadata_book.hpp"

namespace tensorpool::detail {

class MetadataPublisher {
 public:
  struct Source {
    std::uint32_t stream_id = 0;
    std::uint32_t producer_id = 0;
    std::uint64_t epoch = 0;
  };

  // Whether something is to be said that was not said yet; costs one load when there is not.
  [[nodiscard]] bool due(const MetadataBook& book) const noexcept { return book.version() != said_; }
  // Says everything, unless nothing was ever set. Back-pressure leaves it due. An error is metadata that cannot go out
  // at all, told once for each version.
  Status say(ControlPlane& plane, const MetadataBook& book, const Source& source);

 private:
  std::uint32_t said_ = 0;
  std::uint32_t complained_ = 0;
};

}  // namespace tensorpool::detail
