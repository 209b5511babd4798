// Every message decoder on any bytes: what decodes must encode again, to bytes that decode to the same message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "protocol/codec.hpp"

namespace tensorpool::protocol {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

template <class Message>
void check(std::span<const std::byte> bytes) {
  const auto decoded = decode<Message>(bytes);
  if (!decoded) {
    require(decoded.error() != DecodeFault::none);
    return;
  }
  std::vector<std::byte> again(encoded_length(*decoded));
  require(encode(*decoded, again) == again.size());
  const auto decoded_again = decode<Message>(again);
  require(decoded_again.has_value() && *decoded_again == *decoded);
}

// Only the decoder that the header names: the others stop there.
template <class... Messages>
void check_named(const MessageHeader& header, std::span<const std::byte> bytes) {
  const auto check_one = [&]<class Message>() {
    if (header.schema_id == Message::schema_id && header.template_id == Message::template_id) check<Message>(bytes);
  };
  (check_one.template operator()<Messages>(), ...);
}

}  // namespace
}  // namespace tensorpool::protocol

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tensorpool::protocol;
  const auto bytes = std::as_bytes(std::span(data, size));
  static_cast<void>(peek_correlation_id(bytes));
  const auto header = peek(bytes);
  if (!header) return 0;
  check_named<ShmPoolAnnounce, ConsumerHello, ConsumerConfig, FrameDescriptor, QosConsumer, QosProducer,
              DataSourceAnnounce, DataSourceMeta, ControlResponse, MetaBlobAnnounce, FrameProgress, MetaBlobChunk,
              MetaBlobComplete, ShmAttachRequest, ShmAttachResponse, ShmDetachRequest, ShmDetachResponse,
              ShmLeaseKeepalive, ShmDriverShutdown, ShmLeaseRevoked, ShmDriverShutdownRequest, BridgeFrameChunk,
              SequenceMergeMapAnnounce, SequenceMergeMapRequest, TimestampMergeMapAnnounce, TimestampMergeMapRequest,
              TraceLinkSet, DiscoveryRequest, DiscoveryResponse>(*header, bytes);
  return 0;
}
