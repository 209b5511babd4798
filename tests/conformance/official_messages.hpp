// Says, once per message, which accessor of the official SBE codec is which field of ours. An Io makes of it what it
// needs: Fill invents values, Put writes them with the official encoder, Get reads them with the official decoder.
#pragma once

#include "protocol/messages.hpp"
#include "protocol/shm_layout.hpp"
#include "shm_tensorpool_bridge/BridgeFrameChunk.h"
#include "shm_tensorpool_control/ConsumerConfig.h"
#include "shm_tensorpool_control/ConsumerHello.h"
#include "shm_tensorpool_control/ControlResponse.h"
#include "shm_tensorpool_control/DataSourceAnnounce.h"
#include "shm_tensorpool_control/DataSourceMeta.h"
#include "shm_tensorpool_control/FrameDescriptor.h"
#include "shm_tensorpool_control/FrameProgress.h"
#include "shm_tensorpool_control/MetaBlobAnnounce.h"
#include "shm_tensorpool_control/MetaBlobChunk.h"
#include "shm_tensorpool_control/MetaBlobComplete.h"
#include "shm_tensorpool_control/QosConsumer.h"
#include "shm_tensorpool_control/QosProducer.h"
#include "shm_tensorpool_control/ShmPoolAnnounce.h"
#include "shm_tensorpool_control/ShmRegionSuperblock.h"
#include "shm_tensorpool_control/SlotHeader.h"
#include "shm_tensorpool_control/TensorHeader.h"
#include "shm_tensorpool_discovery/DiscoveryRequest.h"
#include "shm_tensorpool_discovery/DiscoveryResponse.h"
#include "shm_tensorpool_driver/ShmAttachRequest.h"
#include "shm_tensorpool_driver/ShmAttachResponse.h"
#include "shm_tensorpool_driver/ShmDetachRequest.h"
#include "shm_tensorpool_driver/ShmDetachResponse.h"
#include "shm_tensorpool_driver/ShmDriverShutdown.h"
#include "shm_tensorpool_driver/ShmDriverShutdownRequest.h"
#include "shm_tensorpool_driver/ShmLeaseKeepalive.h"
#include "shm_tensorpool_driver/ShmLeaseRevoked.h"
#include "shm_tensorpool_merge/SequenceMergeMapAnnounce.h"
#include "shm_tensorpool_merge/SequenceMergeMapRequest.h"
#include "shm_tensorpool_merge/TimestampMergeMapAnnounce.h"
#include "shm_tensorpool_merge/TimestampMergeMapRequest.h"
#include "shm_tensorpool_tracelink/TraceLinkSet.h"

namespace tensorpool::protocol {

namespace official {
using namespace shm::tensorpool;
}

// The accessor `name` of the official codec `o`: a getter without an argument, a setter with one. Overloads cannot be
// named in any other way.
#define SBE(name) [&o](auto&&... value) -> decltype(auto) { return o.name(value...); }
#define SBE_DATA(Name) SBE(get##Name##AsString), SBE(put##Name)
#define SBE_GROUP(name) SBE(name), SBE(name##Count)

template <class Io, class O>
void visit(Io& io, PayloadPool& m, O& o) {
  io.field(m.pool_id, SBE(poolId));
  io.field(m.pool_nslots, SBE(poolNslots));
  io.field(m.stride_bytes, SBE(strideBytes));
  io.data(m.region_uri, SBE_DATA(RegionUri));
}

template <class Io>
void visit(Io& io, ShmPoolAnnounce& m, official::control::ShmPoolAnnounce& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.producer_id, SBE(producerId));
  io.field(m.epoch, SBE(epoch));
  io.field(m.announce_timestamp_ns, SBE(announceTimestampNs));
  io.field(m.announce_clock_domain, SBE(announceClockDomain));
  io.field(m.layout_version, SBE(layoutVersion));
  io.field(m.header_nslots, SBE(headerNslots));
  io.field(m.header_slot_bytes, SBE(headerSlotBytes));
  io.group(m.payload_pools, SBE_GROUP(payloadPools));
  io.data(m.header_region_uri, SBE_DATA(HeaderRegionUri));
}

template <class Io>
void visit(Io& io, ConsumerHello& m, official::control::ConsumerHello& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.consumer_id, SBE(consumerId));
  io.field(m.supports_shm, SBE(supportsShm));
  io.field(m.supports_progress, SBE(supportsProgress));
  io.field(m.mode, SBE(mode));
  io.field(m.max_rate_hz, SBE(maxRateHz));
  io.field(m.expected_layout_version, SBE(expectedLayoutVersion));
  io.optional(m.progress_interval_us, SBE(progressIntervalUs), o.progressIntervalUsNullValue());
  io.optional(m.progress_bytes_delta, SBE(progressBytesDelta), o.progressBytesDeltaNullValue());
  io.optional(m.progress_major_delta_units, SBE(progressMajorDeltaUnits), o.progressMajorDeltaUnitsNullValue());
  io.field(m.descriptor_stream_id, SBE(descriptorStreamId));
  io.field(m.control_stream_id, SBE(controlStreamId));
  io.data(m.descriptor_channel, SBE_DATA(DescriptorChannel));
  io.data(m.control_channel, SBE_DATA(ControlChannel));
}

template <class Io>
void visit(Io& io, ConsumerConfig& m, official::control::ConsumerConfig& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.consumer_id, SBE(consumerId));
  io.field(m.use_shm, SBE(useShm));
  io.field(m.mode, SBE(mode));
  io.field(m.descriptor_stream_id, SBE(descriptorStreamId));
  io.field(m.control_stream_id, SBE(controlStreamId));
  io.data(m.payload_fallback_uri, SBE_DATA(PayloadFallbackUri));
  io.data(m.descriptor_channel, SBE_DATA(DescriptorChannel));
  io.data(m.control_channel, SBE_DATA(ControlChannel));
}

template <class Io>
void visit(Io& io, FrameDescriptor& m, official::control::FrameDescriptor& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.epoch, SBE(epoch));
  io.field(m.seq, SBE(seq));
  io.optional(m.timestamp_ns, SBE(timestampNs), o.timestampNsNullValue());
  io.optional(m.meta_version, SBE(metaVersion), o.metaVersionNullValue());
  io.optional(m.trace_id, SBE(traceId), o.traceIdNullValue());
}

template <class Io>
void visit(Io& io, QosConsumer& m, official::control::QosConsumer& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.consumer_id, SBE(consumerId));
  io.field(m.epoch, SBE(epoch));
  io.field(m.last_seq_seen, SBE(lastSeqSeen));
  io.field(m.drops_gap, SBE(dropsGap));
  io.field(m.drops_late, SBE(dropsLate));
  io.field(m.mode, SBE(mode));
}

template <class Io>
void visit(Io& io, QosProducer& m, official::control::QosProducer& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.producer_id, SBE(producerId));
  io.field(m.epoch, SBE(epoch));
  io.field(m.current_seq, SBE(currentSeq));
  io.optional(m.watermark, SBE(watermark), o.watermarkNullValue());
}

template <class Io>
void visit(Io& io, DataSourceAnnounce& m, official::control::DataSourceAnnounce& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.producer_id, SBE(producerId));
  io.field(m.epoch, SBE(epoch));
  io.field(m.meta_version, SBE(metaVersion));
  io.data(m.name, SBE_DATA(Name));
  io.data(m.summary, SBE_DATA(Summary));
}

template <class Io, class O>
void visit(Io& io, DataSourceAttribute& m, O& o) {
  io.data(m.key, SBE_DATA(Key));
  io.data(m.format, SBE_DATA(Format));
  io.data(m.value, SBE_DATA(Value));
}

template <class Io>
void visit(Io& io, DataSourceMeta& m, official::control::DataSourceMeta& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.meta_version, SBE(metaVersion));
  io.field(m.timestamp_ns, SBE(timestampNs));
  io.group(m.attributes, SBE_GROUP(attributes));
}

template <class Io>
void visit(Io& io, ControlResponse& m, official::control::ControlResponse& o) {
  io.field(m.correlation_id, SBE(correlationId));
  io.field(m.code, SBE(code));
  io.data(m.error_message, SBE_DATA(ErrorMessage));
}

template <class Io>
void visit(Io& io, MetaBlobAnnounce& m, official::control::MetaBlobAnnounce& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.meta_version, SBE(metaVersion));
  io.field(m.blob_type, SBE(blobType));
  io.field(m.total_len, SBE(totalLen));
  io.field(m.checksum, SBE(checksum));
}

template <class Io>
void visit(Io& io, FrameProgress& m, official::control::FrameProgress& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.epoch, SBE(epoch));
  io.field(m.seq, SBE(seq));
  io.field(m.payload_bytes_filled, SBE(payloadBytesFilled));
  io.field(m.state, SBE(state));
}

template <class Io>
void visit(Io& io, MetaBlobChunk& m, official::control::MetaBlobChunk& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.meta_version, SBE(metaVersion));
  io.field(m.chunk_offset, SBE(chunkOffset));
  io.data(m.bytes, SBE_DATA(Bytes));
}

template <class Io>
void visit(Io& io, MetaBlobComplete& m, official::control::MetaBlobComplete& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.meta_version, SBE(metaVersion));
  io.field(m.checksum, SBE(checksum));
}

template <class Io>
void visit(Io& io, ShmAttachRequest& m, official::driver::ShmAttachRequest& o) {
  io.field(m.correlation_id, SBE(correlationId));
  io.field(m.stream_id, SBE(streamId));
  io.field(m.client_id, SBE(clientId));
  io.field(m.role, SBE(role));
  io.field(m.expected_layout_version, SBE(expectedLayoutVersion));
  io.optional(m.publish_mode, SBE(publishMode), official::driver::PublishMode::NULL_VALUE);
  io.field(m.require_hugepages, SBE(requireHugepages));
  io.optional(m.desired_node_id, SBE(desiredNodeId), o.desiredNodeIdNullValue());
}

template <class Io>
void visit(Io& io, ShmAttachResponse& m, official::driver::ShmAttachResponse& o) {
  io.field(m.correlation_id, SBE(correlationId));
  io.field(m.code, SBE(code));
  io.optional(m.lease_id, SBE(leaseId), o.leaseIdNullValue());
  io.optional(m.lease_expiry_timestamp_ns, SBE(leaseExpiryTimestampNs), o.leaseExpiryTimestampNsNullValue());
  io.optional(m.stream_id, SBE(streamId), o.streamIdNullValue());
  io.optional(m.epoch, SBE(epoch), o.epochNullValue());
  io.optional(m.layout_version, SBE(layoutVersion), o.layoutVersionNullValue());
  io.optional(m.header_nslots, SBE(headerNslots), o.headerNslotsNullValue());
  io.optional(m.header_slot_bytes, SBE(headerSlotBytes), o.headerSlotBytesNullValue());
  io.optional(m.node_id, SBE(nodeId), o.nodeIdNullValue());
  io.group(m.payload_pools, SBE_GROUP(payloadPools));
  io.data(m.header_region_uri, SBE_DATA(HeaderRegionUri));
  io.data(m.error_message, SBE_DATA(ErrorMessage));
}

template <class Io>
void visit(Io& io, ShmDetachRequest& m, official::driver::ShmDetachRequest& o) {
  io.field(m.correlation_id, SBE(correlationId));
  io.field(m.lease_id, SBE(leaseId));
  io.field(m.stream_id, SBE(streamId));
  io.field(m.client_id, SBE(clientId));
  io.field(m.role, SBE(role));
}

template <class Io>
void visit(Io& io, ShmDetachResponse& m, official::driver::ShmDetachResponse& o) {
  io.field(m.correlation_id, SBE(correlationId));
  io.field(m.code, SBE(code));
  io.data(m.error_message, SBE_DATA(ErrorMessage));
}

template <class Io>
void visit(Io& io, ShmLeaseKeepalive& m, official::driver::ShmLeaseKeepalive& o) {
  io.field(m.lease_id, SBE(leaseId));
  io.field(m.stream_id, SBE(streamId));
  io.field(m.client_id, SBE(clientId));
  io.field(m.role, SBE(role));
  io.field(m.client_timestamp_ns, SBE(clientTimestampNs));
}

template <class Io>
void visit(Io& io, ShmDriverShutdown& m, official::driver::ShmDriverShutdown& o) {
  io.field(m.timestamp_ns, SBE(timestampNs));
  io.field(m.reason, SBE(reason));
  io.data(m.error_message, SBE_DATA(ErrorMessage));
}

template <class Io>
void visit(Io& io, ShmLeaseRevoked& m, official::driver::ShmLeaseRevoked& o) {
  io.field(m.timestamp_ns, SBE(timestampNs));
  io.field(m.lease_id, SBE(leaseId));
  io.field(m.stream_id, SBE(streamId));
  io.field(m.client_id, SBE(clientId));
  io.field(m.role, SBE(role));
  io.field(m.reason, SBE(reason));
  io.data(m.error_message, SBE_DATA(ErrorMessage));
}

template <class Io>
void visit(Io& io, ShmDriverShutdownRequest& m, official::driver::ShmDriverShutdownRequest& o) {
  io.field(m.correlation_id, SBE(correlationId));
  io.field(m.reason, SBE(reason));
  io.data(m.token, SBE_DATA(Token));
  io.data(m.error_message, SBE_DATA(ErrorMessage));
}

template <class Io>
void visit(Io& io, BridgeFrameChunk& m, official::bridge::BridgeFrameChunk& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.epoch, SBE(epoch));
  io.field(m.seq, SBE(seq));
  io.optional(m.trace_id, SBE(traceId), o.traceIdNullValue());
  io.field(m.chunk_index, SBE(chunkIndex));
  io.field(m.chunk_count, SBE(chunkCount));
  io.field(m.chunk_offset, SBE(chunkOffset));
  io.field(m.chunk_length, SBE(chunkLength));
  io.field(m.payload_length, SBE(payloadLength));
  io.field(m.payload_crc32c, SBE(payloadCrc32c));
  io.field(m.header_included, SBE(headerIncluded));
  io.data(m.header_bytes, SBE_DATA(HeaderBytes));
  io.data(m.payload_bytes, SBE_DATA(PayloadBytes));
}

template <class Io, class O>
void visit(Io& io, SequenceMergeRule& m, O& o) {
  io.field(m.input_stream_id, SBE(inputStreamId));
  io.field(m.rule_type, SBE(ruleType));
  io.optional(m.offset, SBE(offset), o.offsetNullValue());
  io.optional(m.window_size, SBE(windowSize), o.windowSizeNullValue());
}

template <class Io>
void visit(Io& io, SequenceMergeMapAnnounce& m, official::merge::SequenceMergeMapAnnounce& o) {
  io.field(m.out_stream_id, SBE(outStreamId));
  io.field(m.epoch, SBE(epoch));
  io.optional(m.stale_timeout_ns, SBE(staleTimeoutNs), o.staleTimeoutNsNullValue());
  io.group(m.rules, SBE_GROUP(rules));
}

template <class Io>
void visit(Io& io, SequenceMergeMapRequest& m, official::merge::SequenceMergeMapRequest& o) {
  io.field(m.out_stream_id, SBE(outStreamId));
  io.field(m.epoch, SBE(epoch));
}

template <class Io, class O>
void visit(Io& io, TimestampMergeRule& m, O& o) {
  io.field(m.input_stream_id, SBE(inputStreamId));
  io.field(m.rule_type, SBE(ruleType));
  io.field(m.timestamp_source, SBE(timestampSource));
  io.optional(m.offset_ns, SBE(offsetNs), o.offsetNsNullValue());
  io.optional(m.window_ns, SBE(windowNs), o.windowNsNullValue());
}

template <class Io>
void visit(Io& io, TimestampMergeMapAnnounce& m, official::merge::TimestampMergeMapAnnounce& o) {
  io.field(m.out_stream_id, SBE(outStreamId));
  io.field(m.epoch, SBE(epoch));
  io.optional(m.stale_timeout_ns, SBE(staleTimeoutNs), o.staleTimeoutNsNullValue());
  io.field(m.clock_domain, SBE(clockDomain));
  io.optional(m.lateness_ns, SBE(latenessNs), o.latenessNsNullValue());
  io.group(m.rules, SBE_GROUP(rules));
}

template <class Io>
void visit(Io& io, TimestampMergeMapRequest& m, official::merge::TimestampMergeMapRequest& o) {
  io.field(m.out_stream_id, SBE(outStreamId));
  io.field(m.epoch, SBE(epoch));
}

template <class Io, class O>
void visit(Io& io, TraceParent& m, O& o) {
  io.field(m.trace_id, SBE(traceId));
}

template <class Io>
void visit(Io& io, TraceLinkSet& m, official::tracelink::TraceLinkSet& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.epoch, SBE(epoch));
  io.field(m.seq, SBE(seq));
  io.field(m.trace_id, SBE(traceId));
  io.group(m.parents, SBE_GROUP(parents));
}

// A tag.
template <class Io, class O>
void visit(Io& io, std::string& m, O& o) {
  io.data(m, SBE_DATA(Tag));
}

template <class Io>
void visit(Io& io, DiscoveryRequest& m, official::discovery::DiscoveryRequest& o) {
  io.field(m.request_id, SBE(requestId));
  io.field(m.client_id, SBE(clientId));
  io.field(m.response_stream_id, SBE(responseStreamId));
  io.optional(m.stream_id, SBE(streamId), o.streamIdNullValue());
  io.optional(m.producer_id, SBE(producerId), o.producerIdNullValue());
  io.optional(m.data_source_id, SBE(dataSourceId), o.dataSourceIdNullValue());
  io.group(m.tags, SBE_GROUP(tags));
  io.data(m.response_channel, SBE_DATA(ResponseChannel));
  io.data(m.data_source_name, SBE_DATA(DataSourceName));
}

template <class Io, class O>
void visit(Io& io, DiscoveryResult& m, O& o) {
  io.field(m.stream_id, SBE(streamId));
  io.field(m.producer_id, SBE(producerId));
  io.field(m.epoch, SBE(epoch));
  io.field(m.layout_version, SBE(layoutVersion));
  io.field(m.header_nslots, SBE(headerNslots));
  io.field(m.header_slot_bytes, SBE(headerSlotBytes));
  io.field(m.max_dims, SBE(maxDims));
  io.optional(m.data_source_id, SBE(dataSourceId), o.dataSourceIdNullValue());
  io.field(m.driver_control_stream_id, SBE(driverControlStreamId));
  io.group(m.payload_pools, SBE_GROUP(payloadPools));
  io.group(m.tags, SBE_GROUP(tags));
  io.data(m.header_region_uri, SBE_DATA(HeaderRegionUri));
  io.data(m.data_source_name, SBE_DATA(DataSourceName));
  io.data(m.driver_instance_id, SBE_DATA(DriverInstanceId));
  io.data(m.driver_control_channel, SBE_DATA(DriverControlChannel));
}

template <class Io>
void visit(Io& io, DiscoveryResponse& m, official::discovery::DiscoveryResponse& o) {
  io.field(m.request_id, SBE(requestId));
  io.field(m.status, SBE(status));
  io.group(m.results, SBE_GROUP(results));
  io.data(m.error_message, SBE_DATA(ErrorMessage));
}

// The bodies in shared memory.
template <class Io>
void visit(Io& io, Superblock& m, official::control::ShmRegionSuperblock& o) {
  io.field(m.magic, SBE(magic));
  io.field(m.layout_version, SBE(layoutVersion));
  io.field(m.epoch, SBE(epoch));
  io.field(m.stream_id, SBE(streamId));
  io.field(m.region_type, SBE(regionType));
  io.field(m.pool_id, SBE(poolId));
  io.field(m.nslots, SBE(nslots));
  io.field(m.slot_bytes, SBE(slotBytes));
  io.field(m.stride_bytes, SBE(strideBytes));
  io.field(m.pid, SBE(pid));
  io.field(m.start_timestamp_ns, SBE(startTimestampNs));
  io.field(m.activity_timestamp_ns, SBE(activityTimestampNs));
}

template <class Io>
void visit(Io& io, SlotHeader& m, official::control::SlotHeader& o) {
  io.field(m.seq_commit, SBE(seqCommit));
  io.field(m.values_len_bytes, SBE(valuesLenBytes));
  io.field(m.payload_slot, SBE(payloadSlot));
  io.field(m.pool_id, SBE(poolId));
  io.field(m.payload_offset, SBE(payloadOffset));
  io.field(m.timestamp_ns, SBE(timestampNs));
  io.field(m.meta_version, SBE(metaVersion));
}

template <class Io>
void visit(Io& io, TensorLayout& m, official::control::TensorHeader& o) {
  io.field(m.dtype, SBE(dtype));
  io.field(m.major_order, SBE(majorOrder));
  io.field(m.ndims, SBE(ndims));
  io.field(m.progress_unit, SBE(progressUnit));
  io.field(m.progress_stride_bytes, SBE(progressStrideBytes));
}

#undef SBE_GROUP
#undef SBE_DATA
#undef SBE

}  // namespace tensorpool::protocol
