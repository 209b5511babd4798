#include "client/metadata_publisher.hpp"

#include <utility>

#include "base/error.hpp"
#include "protocol/messages.hpp"

namespace tensorpool::detail {
namespace {

protocol::DataSourceAnnounce announce_of(const StreamMetadata& content, const MetadataPublisher::Source& source) {
  return {source.stream_id, source.producer_id, source.epoch, content.version, content.name, content.summary};
}

protocol::DataSourceMeta attributes_of(StreamMetadata content, const MetadataPublisher::Source& source) {
  protocol::DataSourceMeta meta{
      source.stream_id, content.version, static_cast<std::uint64_t>(content.timestamp_ns), {}};
  for (Attribute& one : content.attributes) {
    meta.attributes.push_back({std::move(one.key), std::move(one.format), std::move(one.value)});
  }
  return meta;
}

}  // namespace

Status MetadataPublisher::say(ControlPlane& plane, const MetadataBook& book, const Source& source) {
  if (book.version() == 0) return {};
  StreamMetadata content = book.content();
  const std::uint32_t version = content.version;
  auto sent = plane.send_metadata(announce_of(content, source));
  if (sent && *sent) sent = plane.send_metadata(attributes_of(std::move(content), source));
  if (sent) {
    if (*sent) said_ = version;
    return {};
  }
  said_ = version;  // a repeat could do no better; the next period tries again
  if (std::exchange(complained_, version) == version) return {};
  return make_error(sent.error().code, "stream {}: version {} of its metadata is not told: {}", source.stream_id,
                    version, sent.error().message);
}

}  // namespace tensorpool::detail
