#include "client/metadata_cache.hpp"

#include <algorithm>
#include <utility>

#include "client/metadata_book.hpp"

namespace tensorpool::detail {
namespace {

bool within_limits(const protocol::DataSourceMeta& meta) {
  std::size_t total = 0;
  for (const auto& one : meta.attributes) {
    if (one.key.size() > max_attribute_key_bytes || one.format.size() > max_attribute_format_bytes) return false;
    total += one.key.size() + one.format.size() + one.value.size();
  }
  return meta.attributes.size() <= max_attributes && total <= max_attributes_bytes;
}

}  // namespace

const StreamMetadata* MetadataCache::on(const protocol::DataSourceAnnounce& announce, Nanos now) {
  if (!follows(announce.stream_id)) return nullptr;
  ++stats_.announces;
  Entry* const entry =
      detail::within_limits(announce.name, announce.summary) ? entry_of(announce.stream_id, now) : nullptr;
  if (entry == nullptr) return ++stats_.over_limit, nullptr;
  const auto& known = entry->source;
  const bool older = known && (announce.epoch < known->epoch ||
                               (announce.epoch == known->epoch && announce.meta_version < known->meta_version));
  if (older && now - entry->heard < silence_ns_) return ++stats_.outdated, nullptr;
  // Another epoch may be another producer's, whose versions begin again.
  if (known && announce.epoch != known->epoch) entry->meta.reset();
  entry->source = announce;
  entry->heard = now;
  return complete(*entry);
}

const StreamMetadata* MetadataCache::on(const protocol::DataSourceMeta& meta, Nanos now) {
  if (!follows(meta.stream_id)) return nullptr;
  ++stats_.attribute_sets;
  Entry* const entry = within_limits(meta) ? entry_of(meta.stream_id, now) : nullptr;
  if (entry == nullptr) return ++stats_.over_limit, nullptr;
  // It names no epoch, so its version must fit the announce: that one, or a later one whose announce is to come.
  if (entry->source && meta.meta_version < entry->source->meta_version) return ++stats_.outdated, nullptr;
  entry->meta = meta;
  return complete(*entry);
}

void MetadataCache::on_blob(std::uint32_t stream_id) {
  if (follows(stream_id)) ++stats_.blobs_ignored;
}

bool MetadataCache::follows(std::uint32_t stream_id) const {
  return stream_ids_.empty() || std::find(stream_ids_.begin(), stream_ids_.end(), stream_id) != stream_ids_.end();
}

MetadataCache::Entry* MetadataCache::entry_of(std::uint32_t stream_id, Nanos now) {
  const auto known = entries_.find(stream_id);
  if (known != entries_.end()) return &known->second;
  if (entries_.size() >= max_metadata_streams && !make_room(now)) return nullptr;
  Entry& made = entries_[stream_id];
  made.heard = now;
  return &made;
}

bool MetadataCache::make_room(Nanos now) {
  const auto oldest = std::min_element(entries_.begin(), entries_.end(),
                                       [](const auto& a, const auto& b) { return a.second.heard < b.second.heard; });
  if (now - oldest->second.heard < silence_ns_) return false;
  entries_.erase(oldest);
  return true;
}

// The attributes of a version that was announced are there: that is news, unless it was known.
const StreamMetadata* MetadataCache::complete(Entry& entry) {
  const auto& source = entry.source;
  if (!source || !entry.meta || entry.meta->meta_version != source->meta_version) return nullptr;
  const auto& known = entry.complete;
  if (known && known->epoch == source->epoch && known->version == source->meta_version) return nullptr;
  StreamMetadata made;
  made.stream_id = source->stream_id;
  made.producer_id = source->producer_id;
  made.epoch = source->epoch;
  made.version = source->meta_version;
  made.timestamp_ns = static_cast<Nanos>(entry.meta->timestamp_ns);
  made.name = source->name;
  made.summary = source->summary;
  for (const auto& one : entry.meta->attributes) made.attributes.push_back({one.key, one.format, one.value});
  return &entry.complete.emplace(std::move(made));
}

const StreamMetadata* MetadataCache::find(std::uint32_t stream_id) const {
  const auto known = entries_.find(stream_id);
  return known == entries_.end() || !known->second.complete ? nullptr : &*known->second.complete;
}

std::vector<StreamMetadata> MetadataCache::all() const {
  std::vector<StreamMetadata> found;
  for (const auto& [id, entry] : entries_) {
    if (entry.complete) found.push_back(*entry.complete);
  }
  return found;
}

}  // namespace tensorpool::detail
