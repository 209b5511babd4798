// Proves our codecs against the official ones: `./run codegen` lets the official SBE tool generate C++ from our
// schemas, then builds and runs this. Each message gets invented values, with and without nulls, groups and var-data,
// and must
//   - encode to the same bytes with both, - decode with ours from the official bytes, - decode with the official from
//   ours.
// usage: sbe_conformance [rounds] [seed]
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>

#include "official_messages.hpp"
#include "protocol/codec.hpp"

namespace tensorpool::protocol {
namespace {

bool is_valid(Dtype value) { return value >= Dtype::unknown && value <= Dtype::bit && static_cast<int>(value) != 12; }
bool is_valid(MajorOrder value) { return value >= MajorOrder::unknown && value <= MajorOrder::column; }
bool is_valid(ProgressUnit value) { return value <= ProgressUnit::columns; }

// Invents values; the official object only lends its types.
class Fill {
 public:
  explicit Fill(std::mt19937_64& random) : random_(random) {}

  template <class T, class Accessor>
  void field(T& value, Accessor&&) {
    if constexpr (std::is_enum_v<T>) {
      do {
        value = static_cast<T>(random_() % 16);
      } while (!is_valid(value));
    } else {
      value = static_cast<T>(random_());
    }
  }
  template <class T, class Accessor, class Null>
  void optional(std::optional<T>& value, Accessor&& accessor, Null null) {
    value.reset();
    if (random_() % 3 != 0) {
      field(value.emplace(), accessor);
      if (static_cast<Null>(*value) == null) value.reset();
    }
  }
  template <class T, class Get, class Put>
  void data(T& value, Get&&, Put&&) {
    value.resize(random_() % 4 == 0 ? 0 : random_() % 257);
    for (auto& byte : value) byte = static_cast<typename T::value_type>(random_());
  }
  template <class T, class Group, class Count>
  void group(std::vector<T>& entries, Group&& group, Count&&) {
    std::remove_reference_t<decltype(group())> unused;
    entries.resize(random_() % 4);
    for (T& entry : entries) visit(*this, entry, unused);
  }

 private:
  std::mt19937_64& random_;
};

// Writes with the official encoder.
struct Put {
  template <class T, class Accessor>
  void field(T& value, Accessor&& accessor) {
    accessor(static_cast<std::remove_cvref_t<decltype(accessor())>>(value));
  }
  template <class T, class Accessor, class Null>
  void optional(std::optional<T>& value, Accessor&& accessor, Null null) {
    accessor(value ? static_cast<Null>(*value) : null);
  }
  template <class T, class Get, class Set>
  void data(T& value, Get&&, Set&& set) {
    set(std::string(reinterpret_cast<const char*>(value.data()), value.size()));
  }
  template <class T, class Group, class Count>
  void group(std::vector<T>& entries, Group&&, Count&& count) {
    auto& group = count(static_cast<std::uint16_t>(entries.size()));
    for (T& entry : entries) visit(*this, entry, group.next());
  }
};

// Reads with the official decoder.
struct Get {
  template <class T, class Accessor>
  void field(T& value, Accessor&& accessor) {
    value = static_cast<T>(accessor());
  }
  template <class T, class Accessor, class Null>
  void optional(std::optional<T>& value, Accessor&& accessor, Null null) {
    const auto wire = accessor();
    value = wire == null ? std::nullopt : std::optional(static_cast<T>(wire));
  }
  template <class T, class Text, class Set>
  void data(T& value, Text&& text, Set&&) {
    const std::string bytes = text();
    const auto* const first = reinterpret_cast<const typename T::value_type*>(bytes.data());
    value.assign(first, first + bytes.size());
  }
  template <class T, class Group, class Count>
  void group(std::vector<T>& entries, Group&& open, Count&&) {
    auto& group = open();
    entries.clear();
    while (group.hasNext()) visit(*this, entries.emplace_back(), group.next());
  }
};

char* chars(Bytes& bytes) { return reinterpret_cast<char*>(bytes.data()); }

void require(bool holds, const char* name, const char* what) {
  if (!holds) throw std::runtime_error(std::string(name) + ": " + what);
}

template <class Message, class Official>
void check_message(std::mt19937_64& random) {
  const char* const name = Official::sbeSchemaId() == Message::schema_id
                               ? message_name(Message::schema_id, Message::template_id).data()
                               : "wrong schema";
  Official official;
  Message message;
  Fill fill(random);
  visit(fill, message, official);

  Bytes theirs(1 << 16);
  official.wrapAndApplyHeader(chars(theirs), 0, theirs.size());
  Put put;
  visit(put, message, official);
  theirs.resize(message_header_length + official.encodedLength());

  Bytes ours(encoded_length(message));
  require(encode(message, ours) == ours.size(), name, "ours does not encode");
  require(ours == theirs, name, "the two encode to different bytes");

  const auto decoded = decode<Message>(theirs);
  require(decoded.has_value() && *decoded == message, name, "ours decodes the official bytes to something else");

  official.wrapForDecode(chars(ours), message_header_length, Message::block_length, schema_version, ours.size());
  Message read_back;
  Get get;
  visit(get, read_back, official);
  require(read_back == message, name, "the official codec decodes our bytes to something else");
}

void check_superblock(std::mt19937_64& random) {
  official::control::ShmRegionSuperblock official;
  Superblock superblock;
  Fill fill(random);
  visit(fill, superblock, official);
  superblock.magic = magic;
  superblock.layout_version = layout_version;
  superblock.nslots = 1U << (random() % 32);
  const bool is_ring = superblock.region_type == RegionType::header_ring;
  superblock.pool_id = is_ring ? 0 : superblock.pool_id;
  superblock.stride_bytes = is_ring ? 0 : 64 + superblock.stride_bytes / 128 * 64;
  superblock.slot_bytes = is_ring ? 256 : superblock.stride_bytes;

  Bytes theirs(superblock_bytes);
  official.wrapForEncode(chars(theirs), 0, theirs.size());
  Put put;
  visit(put, superblock, official);
  Bytes ours(superblock_bytes);
  encode_superblock(superblock, std::span<std::byte, superblock_bytes>(ours));
  require(official.encodedLength() == superblock_bytes && ours == theirs, "Superblock", "different bytes");

  const auto decoded = decode_superblock(std::span<const std::byte, superblock_bytes>(theirs));
  require(decoded.has_value() && *decoded == superblock, "Superblock", "ours decodes to something else");
  official.wrapForDecode(chars(ours), 0, superblock_bytes, schema_version, ours.size());
  Superblock read_back;
  Get get;
  visit(get, read_back, official);
  require(read_back == superblock, "Superblock", "the official codec decodes to something else");
}

// A slot is a SlotHeader whose var-data is a whole TensorHeader message.
Bytes encode_officially(SlotHeader& slot) {
  Bytes tensor(192);
  official::control::TensorHeader tensor_header;
  tensor_header.wrapAndApplyHeader(chars(tensor), 0, tensor.size());
  Put put;
  visit(put, slot.layout, tensor_header);
  tensor_header.padAlign(0);
  for (std::size_t i = 0; i < max_dims; ++i)
    tensor_header.dims(i, slot.layout.dims[i]).strides(i, slot.layout.strides[i]);
  require(message_header_length + tensor_header.encodedLength() == tensor.size(), "TensorHeader", "another length");

  Bytes bytes(header_slot_bytes);
  official::control::SlotHeader slot_header;
  slot_header.wrapForEncode(chars(bytes), 0, bytes.size());
  visit(put, slot, slot_header);
  slot_header.putHeaderBytes(chars(tensor), static_cast<std::uint32_t>(tensor.size()));
  require(slot_header.encodedLength() == bytes.size(), "SlotHeader", "another length");
  return bytes;
}

SlotHeader decode_officially(Bytes& bytes) {
  SlotHeader slot;
  official::control::SlotHeader slot_header;
  slot_header.wrapForDecode(chars(bytes), 0, slot_header.sbeBlockLength(), schema_version, bytes.size());
  Get get;
  visit(get, slot, slot_header);

  std::string tensor = slot_header.getHeaderBytesAsString();
  official::control::MessageHeader header(tensor.data(), tensor.size(), schema_version);
  official::control::TensorHeader tensor_header;
  require(header.templateId() == tensor_header.sbeTemplateId(), "TensorHeader", "another template id");
  tensor_header.wrapForDecode(tensor.data(), header.encodedLength(), header.blockLength(), header.version(),
                              tensor.size());
  visit(get, slot.layout, tensor_header);
  for (std::size_t i = 0; i < max_dims; ++i) {
    slot.layout.dims[i] = tensor_header.dims(i);
    slot.layout.strides[i] = tensor_header.strides(i);
  }
  return slot;
}

void check_slot_header(std::mt19937_64& random) {
  SlotHeader slot;
  Fill fill(random);
  official::control::SlotHeader slot_types;
  official::control::TensorHeader tensor_types;
  visit(fill, slot, slot_types);
  visit(fill, slot.layout, tensor_types);
  slot.payload_offset = 0;
  for (auto* extents : {&slot.layout.dims, &slot.layout.strides}) {
    for (std::int32_t& extent : *extents) extent = static_cast<std::int32_t>(random());
  }

  Bytes theirs = encode_officially(slot);
  Bytes ours(header_slot_bytes);
  encode_slot_header(slot, std::span<std::byte, header_slot_bytes>(ours));
  require(ours == theirs, "SlotHeader", "different bytes");
  const auto decoded = decode_slot_header(std::span<const std::byte, header_slot_bytes>(theirs));
  require(decoded.has_value() && *decoded == slot, "SlotHeader", "ours decodes to something else");
  require(decode_officially(ours) == slot, "SlotHeader", "the official codec decodes to something else");
}

void check_all(std::mt19937_64& random) {
  check_message<ShmPoolAnnounce, official::control::ShmPoolAnnounce>(random);
  check_message<ConsumerHello, official::control::ConsumerHello>(random);
  check_message<ConsumerConfig, official::control::ConsumerConfig>(random);
  check_message<FrameDescriptor, official::control::FrameDescriptor>(random);
  check_message<QosConsumer, official::control::QosConsumer>(random);
  check_message<QosProducer, official::control::QosProducer>(random);
  check_message<DataSourceAnnounce, official::control::DataSourceAnnounce>(random);
  check_message<DataSourceMeta, official::control::DataSourceMeta>(random);
  check_message<ControlResponse, official::control::ControlResponse>(random);
  check_message<MetaBlobAnnounce, official::control::MetaBlobAnnounce>(random);
  check_message<FrameProgress, official::control::FrameProgress>(random);
  check_message<MetaBlobChunk, official::control::MetaBlobChunk>(random);
  check_message<MetaBlobComplete, official::control::MetaBlobComplete>(random);
  check_message<ShmAttachRequest, official::driver::ShmAttachRequest>(random);
  check_message<ShmAttachResponse, official::driver::ShmAttachResponse>(random);
  check_message<ShmDetachRequest, official::driver::ShmDetachRequest>(random);
  check_message<ShmDetachResponse, official::driver::ShmDetachResponse>(random);
  check_message<ShmLeaseKeepalive, official::driver::ShmLeaseKeepalive>(random);
  check_message<ShmDriverShutdown, official::driver::ShmDriverShutdown>(random);
  check_message<ShmLeaseRevoked, official::driver::ShmLeaseRevoked>(random);
  check_message<ShmDriverShutdownRequest, official::driver::ShmDriverShutdownRequest>(random);
  check_message<BridgeFrameChunk, official::bridge::BridgeFrameChunk>(random);
  check_message<SequenceMergeMapAnnounce, official::merge::SequenceMergeMapAnnounce>(random);
  check_message<SequenceMergeMapRequest, official::merge::SequenceMergeMapRequest>(random);
  check_message<TimestampMergeMapAnnounce, official::merge::TimestampMergeMapAnnounce>(random);
  check_message<TimestampMergeMapRequest, official::merge::TimestampMergeMapRequest>(random);
  check_message<TraceLinkSet, official::tracelink::TraceLinkSet>(random);
  check_message<DiscoveryRequest, official::discovery::DiscoveryRequest>(random);
  check_message<DiscoveryResponse, official::discovery::DiscoveryResponse>(random);
  check_superblock(random);
  check_slot_header(random);
}

}  // namespace
}  // namespace tensorpool::protocol

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 2000;
  const unsigned long seed = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : std::random_device{}();
  std::mt19937_64 random(seed);
  try {
    for (long round = 0; round < rounds; ++round) tensorpool::protocol::check_all(random);
  } catch (const std::exception& mismatch) {
    std::fprintf(stderr, "sbe_conformance: %s (seed %lu)\n", mismatch.what(), seed);
    return 1;
  }
  std::printf(
      "sbe_conformance: 29 messages, superblock, slot and tensor header: %ld rounds, all bytes equal (seed %lu)\n",
      rounds, seed);
  return 0;
}
