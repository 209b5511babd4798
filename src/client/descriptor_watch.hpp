// Notices that a producer's descriptors are dropped, all of them, for longer than a second. Pure; the conductor's
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "tensorpool/time.hpp"

namespace tensorpool::detail {

class DescriptorWatch {
 public:
  static constexpr Nanos patience_ns = nanos_per_second;

  // Takes the counts of frames and of dropped descriptors as they are now. True once for each stall; the next one is
  // news after frames were published for a second without a drop.
  bool see(std::uint64_t published, std::uint64_t dropped, Nanos now) noexcept {
    const bool drops = std::exchange(dropped_, dropped) != dropped;
    const bool frames = std::exchange(published_, published) != published;
    if (drops) {
      last_drop_ = now;
      if (!since_) since_ = now;
    } else if (frames && since_ && (!told_ || now - last_drop_ >= patience_ns)) {
      since_.reset();
      told_ = false;
    }
    if (!drops || told_ || now - *since_ < patience_ns) return false;
    return told_ = true;
  }

 private:
  std::uint64_t published_ = 0;
  std::uint64_t dropped_ = 0;
  std::optional<Nanos> since_;  // the first drop behind which no frame went out whole
  Nanos last_drop_ = 0;
  bool told_ = false;
};

}  // namespace tensorpool::detail
