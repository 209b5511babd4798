#include "client/metadata_book.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace tensorpool {
namespace {

auto find_key(auto& attributes, std::string_view key) {
  return std::find_if(attributes.begin(), attributes.end(), [&](const Attribute& one) { return one.key == key; });
}

}  // namespace

std::string_view Attribute::text() const noexcept {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

const Attribute* StreamMetadata::find(std::string_view key) const noexcept {
  const auto found = find_key(attributes, key);
  return found == attributes.end() ? nullptr : &*found;
}

namespace detail {
namespace {

std::size_t bytes_of(const Attribute& attribute) {
  return attribute.key.size() + attribute.format.size() + attribute.value.size();
}

Status check(const Attribute& attribute) {
  if (attribute.key.empty()) return Error{ErrorCode::invalid_argument, "an attribute needs a key"};
  if (attribute.key.size() > max_attribute_key_bytes || attribute.format.size() > max_attribute_format_bytes) {
    return make_error(
        ErrorCode::invalid_argument, "attribute {}: its key has {} bytes and its format {}; each may have at most {}",
        attribute.key.substr(0, 64), attribute.key.size(), attribute.format.size(), max_attribute_key_bytes);
  }
  return {};
}

Status check(const std::vector<Attribute>& attributes) {
  std::size_t total = 0;
  for (auto at = attributes.begin(); at != attributes.end(); ++at) {
    if (auto good = check(*at); !good) return good;
    if (std::any_of(attributes.begin(), at, [&](const Attribute& before) { return before.key == at->key; })) {
      return make_error(ErrorCode::invalid_argument, "attribute {} is given twice", at->key);
    }
    total += bytes_of(*at);
  }
  if (within_limits(attributes)) return {};
  return make_error(ErrorCode::no_space,
                    "{} attributes of {} bytes together; a stream may have {} of {} bytes. Publish what is larger as "
                    "frames of a stream of its own",
                    attributes.size(), total, max_attributes, max_attributes_bytes);
}

}  // namespace

bool within_limits(std::string_view name, std::string_view summary) noexcept {
  return name.size() + summary.size() <= max_source_bytes;
}

bool within_limits(const std::vector<Attribute>& attributes) noexcept {
  std::size_t total = 0;
  for (const Attribute& one : attributes) {
    if (one.key.size() > max_attribute_key_bytes || one.format.size() > max_attribute_format_bytes) return false;
    total += bytes_of(one);
  }
  return attributes.size() <= max_attributes && total <= max_attributes_bytes;
}

Status MetadataBook::set_source(std::string name, std::string summary, Nanos now) {
  if (!within_limits(name, summary)) {
    return make_error(ErrorCode::invalid_argument, "name and summary have {} bytes together; they may have {}",
                      name.size() + summary.size(), max_source_bytes);
  }
  const std::lock_guard lock(mutex_);
  if (name == content_.name && summary == content_.summary) return {};
  StreamMetadata next = content_;
  next.name = std::move(name);
  next.summary = std::move(summary);
  return change(std::move(next), now);
}

Status MetadataBook::set_attribute(Attribute attribute, Nanos now) {
  const std::lock_guard lock(mutex_);
  StreamMetadata next = content_;
  const auto known = find_key(next.attributes, attribute.key);
  if (known == next.attributes.end()) {
    next.attributes.push_back(std::move(attribute));
  } else if (*known != attribute) {
    *known = std::move(attribute);
  } else {
    return {};
  }
  return change(std::move(next), now);
}

Status MetadataBook::erase_attribute(std::string_view key, Nanos now) {
  const std::lock_guard lock(mutex_);
  StreamMetadata next = content_;
  const auto known = find_key(next.attributes, key);
  if (known == next.attributes.end()) return {};
  next.attributes.erase(known);
  return change(std::move(next), now);
}

Status MetadataBook::replace_attributes(std::vector<Attribute> attributes, Nanos now) {
  const std::lock_guard lock(mutex_);
  if (attributes == content_.attributes) return {};
  StreamMetadata next = content_;
  next.attributes = std::move(attributes);
  return change(std::move(next), now);
}

Status MetadataBook::change(StreamMetadata next, Nanos now) {
  if (auto good = check(next.attributes); !good) return good;
  next.version = content_.version + 1;
  next.timestamp_ns = now;
  content_ = std::move(next);
  version_.store(content_.version, std::memory_order_relaxed);
  return {};
}

StreamMetadata MetadataBook::content() const {
  const std::lock_guard lock(mutex_);
  return content_;
}

}  // namespace detail
}  // namespace tensorpool
