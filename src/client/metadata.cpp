#include "tensorpool/metadata.hpp"

#include <utility>

#include "client/metadata_follower.hpp"

namespace tensorpool {

MetadataReader::MetadataReader(std::shared_ptr<detail::MetadataFollower> follower) noexcept
    : follower_(std::move(follower)) {}
MetadataReader::MetadataReader(MetadataReader&&) noexcept = default;

MetadataReader& MetadataReader::operator=(MetadataReader&& other) noexcept {
  if (this == &other) return *this;
  if (follower_) follower_->close();
  follower_ = std::move(other.follower_);
  return *this;
}

MetadataReader::~MetadataReader() {
  if (follower_) follower_->close();
}

std::optional<StreamMetadata> MetadataReader::latest(std::uint32_t stream_id) const {
  return follower_->latest(stream_id);
}
std::vector<StreamMetadata> MetadataReader::all() const { return follower_->all(); }
MetadataStats MetadataReader::stats() const { return follower_->stats(); }

}  // namespace tensorpool
