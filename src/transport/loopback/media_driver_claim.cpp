#include "transport/media_driver_claim.hpp"

#include <map>
#include <mutex>
#include <tuple>

#include "base/error.hpp"
#include "transport/loopback/bus.hpp"

namespace tensorpool::transport {

Result<MediaDriverClaim> MediaDriverClaim::take(const std::string& aeron_dir, std::uint32_t number) {
  static std::mutex mutex;
  static std::map<std::tuple<std::string, std::uint64_t, std::uint32_t>, std::weak_ptr<void>> claims;
  const std::uint64_t generation = loopback::Bus::of(aeron_dir)->generation();
  if (generation == 0) return make_error(ErrorCode::unavailable, "there is no media driver in {}", aeron_dir);
  const std::lock_guard guard(mutex);
  std::weak_ptr<void>& claim = claims[{aeron_dir, generation, number}];
  if (!claim.expired())
    return make_error(ErrorCode::already_exists, "number {} of {} is somebody else's", number, aeron_dir);
  std::shared_ptr<void> held = std::make_shared<int>();
  claim = held;
  return MediaDriverClaim(std::move(held));
}

}  // namespace tensorpool::transport
