// The engine of the *_codec.cpp files, and included by them alone. A message is described once, as a Layout: its block
// as a tuple of fields, its tail as a tuple of groups and var-data. Its length, encoder and decoder all come from that
// description, and a static_assert holds the block against the length that the schema states.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/bytes.hpp"
#include "protocol/codec.hpp"

namespace tensorpool::protocol::wire {

// --- Values of a block: how a C++ type looks on the wire, and which wire values it takes ---

template <std::integral T>
struct Number {
  using Wire = T;
  static constexpr Wire to_wire(T value) noexcept { return value; }
  static constexpr DecodeFault from_wire(Wire wire, T& value) noexcept {
    value = wire;
    return DecodeFault::none;
  }
};

struct Boolean {
  using Wire = std::uint8_t;
  static constexpr Wire to_wire(bool value) noexcept { return value ? 1 : 0; }
  static constexpr DecodeFault from_wire(Wire wire, bool& value) noexcept {
    value = wire == 1;
    return wire <= 1 ? DecodeFault::none : DecodeFault::bad_value;
  }
};

template <class T>
struct Enumerated {
  using Wire = std::underlying_type_t<T>;
  static constexpr Wire to_wire(T value) noexcept { return static_cast<Wire>(value); }
  static constexpr DecodeFault from_wire(Wire wire, T& value) noexcept {
    value = static_cast<T>(wire);
    return is_valid(value) ? DecodeFault::none : DecodeFault::bad_enum;
  }
};

// An enumeration whose unknown values are kept for the reader of the message to judge.
template <class T>
struct Unjudged : Enumerated<T> {
  using typename Enumerated<T>::Wire;
  static constexpr DecodeFault from_wire(Wire wire, T& value) noexcept {
    value = static_cast<T>(wire);
    return DecodeFault::none;
  }
};

// SBE's null: the largest unsigned and the smallest signed number.
template <std::integral T>
inline constexpr T null_of = std::is_signed_v<T> ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();

template <class Value, class T, typename Value::Wire null>
struct Optional {
  using Wire = typename Value::Wire;
  static constexpr Wire to_wire(const std::optional<T>& value) noexcept {
    return value ? Value::to_wire(*value) : null;
  }
  static constexpr DecodeFault from_wire(Wire wire, std::optional<T>& value) noexcept {
    return wire == null ? (value.reset(), DecodeFault::none) : Value::from_wire(wire, value.emplace());
  }
};

template <class T>
struct ValueOf;
template <std::integral T>
struct ValueOf<T> : std::type_identity<Number<T>> {};
template <>
struct ValueOf<bool> : std::type_identity<Boolean> {};
template <class T>
requires std::is_enum_v<T>
struct ValueOf<T> : std::type_identity<Enumerated<T>> {
};
template <class T>
struct ValueOf<std::optional<T>> {
  using Inner = typename ValueOf<T>::type;
  using type = Optional<Inner, T, null_of<typename Inner::Wire>>;
};

// --- The vocabulary of a Layout ---

template <class Owner, class T, class Value>
struct Field {
  using Wire = typename Value::Wire;
  T Owner::*member;

  constexpr Wire get(const Owner& owner) const noexcept { return Value::to_wire(owner.*member); }
  constexpr DecodeFault set(Owner& owner, Wire wire) const noexcept { return Value::from_wire(wire, owner.*member); }
};

template <class Owner, class T>
constexpr auto field(T Owner::*member) {
  return Field<Owner, T, typename ValueOf<T>::type>{member};
}
template <class Owner, class T, class Value>
constexpr auto field(Field<Owner, T, Value> described) {
  return described;
}
template <class Owner, class T>
constexpr auto unjudged(T Owner::*member) {
  return Field<Owner, T, Unjudged<T>>{member};
}
template <class Owner, class T>
constexpr auto unjudged(std::optional<T> Owner::*member) {
  return Field<Owner, std::optional<T>, Optional<Unjudged<T>, T, null_of<std::underlying_type_t<T>>>>{member};
}
// A trace id is absent when it is 0, unlike every other field.
template <class Owner>
constexpr auto trace_id(std::optional<std::uint64_t> Owner::*member) {
  return Field<Owner, std::optional<std::uint64_t>, Optional<Number<std::uint64_t>, std::uint64_t, 0>>{member};
}

// The fields of a block in wire order: pointers to members, or one of the functions above.
constexpr auto block_of(auto... members) { return std::tuple{field(members)...}; }

template <class Owner, class T, class PartCodec>
struct Part {
  using Codec = PartCodec;
  T Owner::*member;
};

// How each type of member travels in a tail: var-data, groups and tags, defined below.
template <class T>
struct PartOf;
template <class T, std::uint32_t max_length>
struct VarData;

template <class Owner, class T>
constexpr auto part(T Owner::*member) {
  return Part<Owner, T, PartOf<T>>{member};
}
template <class Owner, class T, class PartCodec>
constexpr auto part(Part<Owner, T, PartCodec> described) {
  return described;
}
template <std::uint32_t max_length, class Owner, class T>
constexpr auto at_most(T Owner::*member) {
  return Part<Owner, T, VarData<T, max_length>>{member};
}

// Groups and var-data in wire order: pointers to members, or at_most.
constexpr auto tail_of(auto... members) { return std::tuple{part(members)...}; }

// Specialised for each message and each group: `block`, and `tail` unless there is none.
template <class Owner>
struct Layout;

struct NoTail {
  static constexpr auto tail = tail_of();
};

// --- Blocks ---

template <class Owner>
inline constexpr std::size_t block_size = std::apply(
    [](const auto&... fields) { return (std::size_t{0} + ... + sizeof(fields.get({}))); }, Layout<Owner>::block);

// REQUIRES: block_size<Owner> bytes at `to`.
template <class Owner>
[[gnu::always_inline]] inline void put_block(const Owner& owner, std::byte* to) noexcept {
  std::apply([&](const auto&... fields) { ((store_le(to, fields.get(owner)), to += sizeof(fields.get(owner))), ...); },
             Layout<Owner>::block);
}

// Reads every field and returns the last fault. REQUIRES: block_size<Owner> bytes at `from`.
template <class Owner>
[[gnu::always_inline]] inline DecodeFault get_block(const std::byte* from, Owner& owner) noexcept {
  DecodeFault fault = DecodeFault::none;
  const auto get_field = [&](const auto& described) {
    using Wire = typename std::remove_cvref_t<decltype(described)>::Wire;
    const DecodeFault found = described.set(owner, load_le<Wire>(from));
    fault = found == DecodeFault::none ? fault : found;
    from += sizeof(Wire);
  };
  std::apply([&](const auto&... fields) { (get_field(fields), ...); }, Layout<Owner>::block);
  return fault;
}

// --- Tails: var-data is a length in 4 bytes and the bytes; a group is block length and count in 2 bytes each ---

inline constexpr std::size_t length_bytes = 4;
inline constexpr std::size_t group_header_bytes = 4;

template <class Owner>
std::size_t tail_length(const Owner& owner) noexcept {
  return std::apply(
      [&](auto... parts) { return (std::size_t{0} + ... + decltype(parts)::Codec::length(owner.*parts.member)); },
      Layout<Owner>::tail);
}

// False if there is no room, or a part exceeds its schema.
template <class Owner>
bool put_tail(const Owner& owner, ByteWriter& to) noexcept {
  return std::apply(
      [&](auto... parts) { return (true && ... && decltype(parts)::Codec::put(owner.*parts.member, to)); },
      Layout<Owner>::tail);
}

template <class Owner>
DecodeFault get_tail(ByteReader& from, Owner& owner) {
  DecodeFault fault = DecodeFault::none;
  const auto get_part = [&](auto described) {
    fault = decltype(described)::Codec::get(from, owner.*described.member);
    return fault == DecodeFault::none;
  };
  std::apply([&](auto... parts) { static_cast<void>((true && ... && get_part(parts))); }, Layout<Owner>::tail);
  return fault;
}

// T: std::string or Bytes.
template <class T, std::uint32_t max_length>
struct VarData {
  static std::size_t length(const T& data) noexcept { return length_bytes + data.size(); }

  static bool put(const T& data, ByteWriter& to) noexcept {
    return data.size() <= max_length && to.write(static_cast<std::uint32_t>(data.size())) &&
           to.append(std::as_bytes(std::span(data)));
  }

  static DecodeFault get(ByteReader& from, T& data) {
    std::uint32_t size = 0;
    std::span<const std::byte> bytes;
    if (!from.read(size) || size > max_length || !from.take(size, bytes)) {
      return DecodeFault::bad_length;
    }
    const auto* first = reinterpret_cast<const typename T::value_type*>(bytes.data());
    data.assign(first, first + bytes.size());
    return DecodeFault::none;
  }
};
template <>
struct PartOf<std::string> : VarData<std::string, max_var_data_length> {};
template <>
struct PartOf<Bytes> : VarData<Bytes, max_var_data_length> {};

inline bool put_group_header(std::size_t block_length, std::size_t count, ByteWriter& to) noexcept {
  return count <= max_group_entries && to.write(static_cast<std::uint16_t>(block_length)) &&
         to.write(static_cast<std::uint16_t>(count));
}

template <class Entry>
struct PartOf<std::vector<Entry>> {
  // What an entry takes at least, beside its block.
  static constexpr std::size_t least_tail = std::tuple_size_v<decltype(Layout<Entry>::tail)> * length_bytes;
  static_assert(block_size<Entry> == Entry::block_length && length_bytes == group_header_bytes);

  static std::size_t length(const std::vector<Entry>& entries) noexcept {
    std::size_t total = group_header_bytes + entries.size() * block_size<Entry>;
    for (const Entry& entry : entries) {
      total += tail_length(entry);
    }
    return total;
  }

  static bool put(const std::vector<Entry>& entries, ByteWriter& to) noexcept {
    bool fits = put_group_header(block_size<Entry>, entries.size(), to);
    for (std::size_t i = 0; fits && i < entries.size(); ++i) {
      std::array<std::byte, block_size<Entry>> block;
      put_block(entries[i], block.data());
      fits = to.append(block) && put_tail(entries[i], to);
    }
    return fits;
  }

  // The count is compared with the bytes that are there before anything is allocated for it.
  static DecodeFault get(ByteReader& from, std::vector<Entry>& entries) {
    std::uint16_t block_length = 0;
    std::uint16_t count = 0;
    if (!from.read(block_length) || !from.read(count) || count > max_group_entries ||
        count * (block_length + least_tail) > from.remaining()) {
      return DecodeFault::bad_length;
    }
    if (count > 0 && block_length < block_size<Entry>) {
      return DecodeFault::short_block;
    }
    entries.resize(count);
    for (Entry& entry : entries) {
      std::span<const std::byte> block;
      if (!from.take(block_length, block)) {
        return DecodeFault::bad_length;
      }
      DecodeFault fault = get_block(block.data(), entry);
      fault = fault == DecodeFault::none ? get_tail(from, entry) : fault;
      if (fault != DecodeFault::none) {
        return fault;
      }
    }
    return DecodeFault::none;
  }
};

// Discovery tags: entries are one text each. Their block length is written as 0 and means nothing when read.
template <>
struct PartOf<std::vector<std::string>> {
  static std::size_t length(const std::vector<std::string>& tags) noexcept {
    std::size_t total = group_header_bytes;
    for (const std::string& tag : tags) {
      total += PartOf<std::string>::length(tag);
    }
    return total;
  }

  static bool put(const std::vector<std::string>& tags, ByteWriter& to) noexcept {
    bool fits = put_group_header(0, tags.size(), to);
    for (std::size_t i = 0; fits && i < tags.size(); ++i) {
      fits = PartOf<std::string>::put(tags[i], to);
    }
    return fits;
  }

  static DecodeFault get(ByteReader& from, std::vector<std::string>& tags) {
    std::uint16_t block_length = 0;
    std::uint16_t count = 0;
    if (!from.read(block_length) || !from.read(count) || count > max_group_entries ||
        count * length_bytes > from.remaining()) {
      return DecodeFault::bad_length;
    }
    tags.resize(count);
    for (std::string& tag : tags) {
      if (const DecodeFault fault = PartOf<std::string>::get(from, tag); fault != DecodeFault::none) {
        return fault;
      }
    }
    return DecodeFault::none;
  }
};

}  // namespace tensorpool::protocol::wire

namespace tensorpool::protocol {

// Whether the header is one of a `Message` whose block lies within `bytes_after`.
template <class Message>
[[gnu::always_inline]] inline DecodeFault check_header(const MessageHeader& header, std::size_t bytes_after) noexcept {
  if (header.schema_id != Message::schema_id) {
    return DecodeFault::unknown_schema;
  }
  if (header.template_id != Message::template_id) {
    return DecodeFault::unknown_template;
  }
  if (header.version > schema_version) {
    return DecodeFault::newer_version;
  }
  if (header.block_length < Message::block_length) {
    return DecodeFault::short_block;
  }
  return header.block_length <= bytes_after ? DecodeFault::none : DecodeFault::too_short;
}

template <class Message>
[[gnu::always_inline]] inline DecodeFault decode_into(std::span<const std::byte> bytes, Message& message) {
  if (bytes.size() < message_header_length) {
    return DecodeFault::too_short;
  }
  const auto header = load_le<MessageHeader>(bytes.data());
  const auto body = bytes.subspan(message_header_length);
  if (const DecodeFault fault = check_header<Message>(header, body.size()); fault != DecodeFault::none) {
    return fault;
  }
  if (const DecodeFault fault = wire::get_block(body.data(), message); fault != DecodeFault::none) {
    return fault;
  }
  ByteReader rest(body.subspan(header.block_length));
  return wire::get_tail(rest, message);
}

template <class Message>
Expected<Message, DecodeFault> Codec<Message>::decode(std::span<const std::byte> bytes) noexcept(
    is_fixed_length<Message>) {
  static_assert(wire::block_size<Message> == Message::block_length);
  Expected<Message, DecodeFault> result{Message{}};  // the message is read into its place: no copy on the hot path
  if (const DecodeFault fault = decode_into(bytes, *result); fault != DecodeFault::none) {
    result = fault;
  }
  return result;
}

template <class Message>
std::size_t Codec<Message>::encoded_length(const Message& message) noexcept {
  return message_header_length + Message::block_length + wire::tail_length(message);
}

template <class Message>
std::size_t Codec<Message>::encode(const Message& message, std::span<std::byte> out) noexcept {
  constexpr std::size_t fixed = message_header_length + Message::block_length;
  if (out.size() < fixed) {
    return 0;
  }
  store_le(out.data(), MessageHeader{Message::block_length, Message::template_id, Message::schema_id, schema_version});
  wire::put_block(message, out.data() + message_header_length);
  ByteWriter rest(out.subspan(fixed));
  return wire::put_tail(message, rest) ? fixed + rest.position() : 0;
}

}  // namespace tensorpool::protocol
