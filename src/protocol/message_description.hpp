// Names and values of a message, made from its Layout; included by message_codec.hpp alone. The names are those of the
// members, as the compiler spells them, so no field is ever named twice.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "protocol/described.hpp"
#include "protocol/message_layout.hpp"

namespace tensorpool::protocol::wire {

// "stream_id" of &ShmPoolAnnounce::stream_id.
template <auto member>
constexpr std::string_view member_name() noexcept {
  std::string_view spelt = __PRETTY_FUNCTION__;
  constexpr std::string_view before = "member = ";
  spelt.remove_prefix(spelt.find(before) + before.size());
  spelt = spelt.substr(0, spelt.find_first_of(";])"));
  return spelt.substr(spelt.rfind("::") + 2);
}

template <class Owner>
DescribedFields describe_members(const Owner& owner);

template <class T>
DescribedField::Value described_value(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    if (is_valid(value)) return std::string(to_string(value));
    return static_cast<std::int64_t>(value);
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return static_cast<std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>(value);
  } else {
    return value;  // a boolean, text or bytes
  }
}

template <class T>
DescribedField described_field(std::string_view name, const T& value) {
  return {name, described_value(value), std::is_integral_v<T> && sizeof(T) == 8};
}
template <class T>
DescribedField described_field(std::string_view name, const std::optional<T>& value) {
  return value ? described_field(name, *value) : DescribedField{name, {}, false};
}
inline DescribedField described_field(std::string_view name, const Bytes& bytes) { return {name, bytes, false}; }
inline DescribedField described_field(std::string_view name, const std::vector<std::string>& texts) {
  std::vector<DescribedFields> entries;
  for (const std::string& text : texts) entries.push_back({{"text", text, false}});
  return {name, std::move(entries), false};
}
template <class Entry>
DescribedField described_field(std::string_view name, const std::vector<Entry>& group) {
  std::vector<DescribedFields> entries;
  for (const Entry& entry : group) entries.push_back(describe_members(entry));
  return {name, std::move(entries), false};
}

// The members that `described`, a block or a tail, names.
template <class Owner, auto& described>
void add_members(const Owner& owner, DescribedFields& fields) {
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    (fields.push_back(
         described_field(member_name<std::get<i>(described).member>(), owner.*std::get<i>(described).member)),
     ...);
  }
  (std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<decltype(described)>>>());
}

template <class Owner>
DescribedFields describe_members(const Owner& owner) {
  DescribedFields fields;
  add_members<Owner, Layout<Owner>::block>(owner, fields);
  add_members<Owner, Layout<Owner>::tail>(owner, fields);
  return fields;
}

}  // namespace tensorpool::protocol::wire
