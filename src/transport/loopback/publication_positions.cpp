#include "transport/publication_positions.hpp"

#include "base/error.hpp"
#include "transport/loopback/bus.hpp"

namespace tensorpool::transport {

Result<std::vector<PublicationPosition>> publication_positions(const std::string& aeron_dir, std::int32_t stream_id) {
  const std::shared_ptr<loopback::Bus> bus = loopback::Bus::of(aeron_dir);
  if (!bus->alive()) return make_error(ErrorCode::not_found, "there is no media driver in {}", aeron_dir);
  return bus->publication_positions(stream_id);
}

}  // namespace tensorpool::transport
