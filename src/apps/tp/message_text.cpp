#include "apps/tp/message_text.hpp"

#include <fmt/format.h>

#include "base/log.hpp"

namespace tensorpool::apps::tp {
namespace {

using protocol::Bytes;
using protocol::DescribedField;
using protocol::DescribedFields;
using protocol::DescribedMessage;

constexpr std::size_t most_text_bytes = 256;  // of one value on a line for people
constexpr std::size_t most_json_bytes = 65536;

std::string_view text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string in_quotes(std::string_view text) { return fmt::format("\"{}\"", escape(text, most_text_bytes)); }

std::string fields_text(const DescribedFields& fields);

struct ValueText {
  std::string operator()(std::monostate) const { return "-"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(std::uint64_t value) const { return std::to_string(value); }
  std::string operator()(const std::string& value) const { return in_quotes(value); }
  std::string operator()(const Bytes& value) const { return in_quotes(text_of(value)); }
  std::string operator()(const std::vector<DescribedFields>& entries) const {
    std::string text = "[";
    for (const DescribedFields& entry : entries) {
      text += fmt::format("{}{{{}}}", text.size() > 1 ? " " : "", fields_text(entry));
    }
    return text + "]";
  }
};

std::string fields_text(const DescribedFields& fields) {
  std::string text;
  for (const DescribedField& field : fields) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", field.name, std::visit(ValueText{}, field.value));
  }
  return text;
}

// docs/tp.md: ids and epochs of 64 bits are strings, sequences and times numbers.
bool as_string(const DescribedField& field) {
  const bool counted = field.name.find("seq") != field.name.npos || field.name.ends_with("_ns") ||
                       field.name.starts_with("drops_") || field.name == "payload_bytes_filled";
  return field.wide && !counted;
}

Json fields_json(const DescribedFields& fields);

struct ValueJson {
  bool wide;

  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(bool value) const { return value; }
  Json operator()(std::int64_t value) const { return wide ? Json(std::to_string(value)) : Json(value); }
  Json operator()(std::uint64_t value) const { return wide ? Json(std::to_string(value)) : Json(value); }
  Json operator()(const std::string& value) const { return escape(value, most_json_bytes); }
  Json operator()(const Bytes& value) const { return escape(text_of(value), most_json_bytes); }
  Json operator()(const std::vector<DescribedFields>& entries) const {
    Json list = Json::array();
    for (const DescribedFields& entry : entries) list.push_back(fields_json(entry));
    return list;
  }
};

Json fields_json(const DescribedFields& fields) {
  Json json = Json::object();
  for (const DescribedField& field : fields) {
    json[std::string(field.name)] = std::visit(ValueJson{as_string(field)}, field.value);
  }
  return json;
}

}  // namespace

std::string to_text(const DescribedMessage& message, std::size_t length) {
  if (message.fault == protocol::DecodeFault::none) {
    return fmt::format("{} {}", message.name, fields_text(message.fields));
  }
  return fmt::format("malformed: {} ({}, schema {}, template {}, version {}, {} bytes)",
                     protocol::to_string(message.fault), message.name, message.header.schema_id,
                     message.header.template_id, message.header.version, length);
}

Json to_json(const DescribedMessage& message, std::size_t length) {
  Json json{{"message", std::string(message.name)}};
  if (message.fault == protocol::DecodeFault::none) {
    json["fields"] = fields_json(message.fields);
    return json;
  }
  json["malformed"] = std::string(protocol::to_string(message.fault));
  json["schema_id"] = message.header.schema_id;
  json["template_id"] = message.header.template_id;
  json["version"] = message.header.version;
  json["bytes"] = length;
  return json;
}

bool is_about(const DescribedMessage& message, std::uint32_t stream_id) {
  for (const char* name : {"stream_id", "out_stream_id"}) {
    const DescribedField* const field = message.find(name);
    const auto* const id = field == nullptr ? nullptr : std::get_if<std::uint64_t>(&field->value);
    if (id != nullptr && *id == stream_id) return true;
  }
  return false;
}

}  // namespace tensorpool::apps::tp
