#include "client/own_streams.hpp"

#include "protocol/codec.hpp"
#include "protocol/constants.hpp"

namespace tensorpool::detail {
void OwnStreams::continue_from(const OwnStreams& before) noexcept {
  for (Stream& stream : streams_) {
    for (const Stream& old : before.streams_) {
      if (old.publication == stream.publication && old.gate.rate_hz() == stream.gate.rate_hz()) stream.gate = old.gate;
    }
  }
}

std::uint32_t OwnStreams::send(const protocol::FrameDescriptor& descriptor) noexcept {
  std::uint32_t full = 0;
  const auto time = static_cast<Nanos>(descriptor.timestamp_ns.value_or(0));
  const auto fill = [&](std::span<std::byte> out) { static_cast<void>(protocol::encode(descriptor, out)); };
  for (Stream& stream : streams_) {
    if (!stream.gate.opens_at(time)) continue;
    switch (stream.publication->try_claim(protocol::fixed_length<protocol::FrameDescriptor>, fill)) {
      case transport::OfferResult::ok:
        stream.gate.pass(time);
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
