#include "protocol/described.hpp"

#include <algorithm>

#include "protocol/dispatch.hpp"

namespace tensorpool::protocol {
namespace {

struct Describer {
  DescribedFields& fields;

  template <class Message>
  void on(const Message& message) {
    fields = Codec<Message>::describe(message);
  }
};

// Every message that there is.
DispatchOutcome dispatch_any(std::span<const std::byte> bytes, Describer describer) {
  return dispatch<ShmPoolAnnounce, ConsumerHello, ConsumerConfig, FrameDescriptor, QosConsumer, QosProducer,
                  DataSourceAnnounce, DataSourceMeta, ControlResponse, MetaBlobAnnounce, FrameProgress, MetaBlobChunk,
                  MetaBlobComplete, ShmAttachRequest, ShmAttachResponse, ShmDetachRequest, ShmDetachResponse,
                  ShmLeaseKeepalive, ShmDriverShutdown, ShmLeaseRevoked, ShmDriverShutdownRequest, BridgeFrameChunk,
                  SequenceMergeMapAnnounce, SequenceMergeMapRequest, TimestampMergeMapAnnounce,
                  TimestampMergeMapRequest, TraceLinkSet, DiscoveryRequest, DiscoveryResponse>(bytes, describer);
}

bool is_known_schema(std::uint16_t schema_id) {
  return schema_id == control_schema_id || schema_id == driver_schema_id || schema_id == bridge_schema_id ||
         schema_id == merge_schema_id || schema_id == trace_schema_id || schema_id == discovery_schema_id;
}

}  // namespace

const DescribedField* DescribedMessage::find(std::string_view field) const noexcept {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const DescribedField& one) { return one.name == field; });
  return found == fields.end() ? nullptr : &*found;
}

DescribedMessage describe(std::span<const std::byte> bytes) {
  DescribedMessage message;
  const DispatchOutcome outcome = dispatch_any(bytes, Describer{message.fields});
  message.header = outcome.header;
  message.name = message_name(outcome.header.schema_id, outcome.header.template_id);
  message.fault = outcome.fault;
  if (outcome.kind == DispatchOutcome::Kind::ignored) {
    message.fault =
        is_known_schema(outcome.header.schema_id) ? DecodeFault::unknown_template : DecodeFault::unknown_schema;
  }
  return message;
}

}  // namespace tensorpool::protocol
