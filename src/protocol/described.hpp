// A message of any kind as names and values, for tools that show messages: the fields in the order of the schema, named
// as the members of the structs in messages.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/codec.hpp"

namespace tensorpool::protocol {

struct DescribedField;
using DescribedFields = std::vector<DescribedField>;

// A value that is absent, a truth, a number, one of an enumeration or a text, bytes, or a group of entries.
struct DescribedField {
  using Value =
      std::variant<std::monostate, bool, std::int64_t, std::uint64_t, std::string, Bytes, std::vector<DescribedFields>>;

  std::string_view name;
  Value value;
  bool wide = false;  // a number of 64 bits, which some JSON readers cannot keep
};

// What a fragment is. A whole one has no fault; else its fields are empty, and the header tells what it claims to be.
struct DescribedMessage {
  std::string_view name;  // of the message, "unknown message" if no schema has it
  MessageHeader header{};
  DecodeFault fault = DecodeFault::none;
  DescribedFields fields;

  // The field of that name at the top; nullptr if there is none.
  [[nodiscard]] const DescribedField* find(std::string_view field) const noexcept;
};

// Never fails: whatever the bytes are is said.
[[nodiscard]] DescribedMessage describe(std::span<const std::byte> bytes);

}  // namespace tensorpool::protocol
