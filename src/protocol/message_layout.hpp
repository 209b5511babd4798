// The words in which the *_codec.cpp files describe messages, and included by them alone. A message or group is
// described once, as a Layout: its block as a tuple of fields, its tail as a tuple of groups and var-data.
// message_codec.hpp makes length, encoder and decoder of it.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>

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

// How each type of member travels in a tail: var-data, groups and tags, defined in message_codec.hpp.
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

}  // namespace tensorpool::protocol::wire
