#include "client/own_streams.hpp"

#include <cstring>

namespace tensorpool::detail {

void OwnStreams::continue_from(const OwnStreams& before) noexcept {
  for (Stream& stream : streams_) {
    for (const Stream& old : before.streams_) {
      if (old.publication == stream.publication && old.gate.interval_ns() == stream.gate.interval_ns())
        stream.gate = old.gate;
    }
  }
}

std::uint32_t OwnStreams::send(const protocol::DescriptorBytes& descriptor, Nanos stamp) noexcept {
  const Nanos now = paced_ ? monotonic_now() : 0;
  std::uint32_t full = 0;
  const auto fill = [&](std::span<std::byte> out) { std::memcpy(out.data(), descriptor.data(), descriptor.size()); };
  for (Stream& stream : streams_) {
    if (!stream.gate.opens_at(stamp, now)) continue;
    switch (stream.publication->try_claim(descriptor.size(), fill)) {
      case transport::OfferResult::ok:
        stream.gate.pass();
        break;
      case transport::OfferResult::not_connected:
        break;  // the consumer does not listen yet, or no more
      default:
        ++full;
    }
  }
  return full;
}

}  // namespace tensorpool::detail
