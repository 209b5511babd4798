#include "tensorpool/producer.hpp"

#include <utility>

#include "client/producer_core.hpp"

namespace tensorpool {

std::string_view to_string(PublishStatus status) noexcept {
  switch (status) {
    case PublishStatus::ok:
      return "ok";
    case PublishStatus::no_consumer:
      return "no_consumer";
    case PublishStatus::descriptor_dropped:
      return "descriptor_dropped";
    case PublishStatus::not_attached:
      return "not_attached";
    case PublishStatus::too_large:
      return "too_large";
    case PublishStatus::invalid_layout:
      return "invalid_layout";
    case PublishStatus::claims_exhausted:
      return "claims_exhausted";
    case PublishStatus::stale_claim:
      return "stale_claim";
  }
  return "unknown";
}

std::string_view to_string(ProgressStatus status) noexcept {
  switch (status) {
    case ProgressStatus::sent:
      return "sent";
    case ProgressStatus::held_back:
      return "held_back";
    case ProgressStatus::no_consumer:
      return "no_consumer";
    case ProgressStatus::dropped:
      return "dropped";
    case ProgressStatus::refused:
      return "refused";
    case ProgressStatus::stale_claim:
      return "stale_claim";
  }
  return "unknown";
}

// --- SlotClaim ---

SlotClaim& SlotClaim::operator=(SlotClaim&& other) noexcept {
  if (this == &other) return *this;
  if (session_ != nullptr) abandon();
  core_ = other.core_;
  session_ = std::exchange(other.session_, nullptr);
  payload_ = std::exchange(other.payload_, {});
  seq_ = other.seq_;
  epoch_ = other.epoch_;
  pool_ = other.pool_;
  pool_id_ = other.pool_id_;
  described_ = other.described_;
  return *this;
}

void SlotClaim::abandon() noexcept { core_->abandon(*this); }

ProgressStatus SlotClaim::progress(std::size_t bytes_filled) noexcept {
  return session_ == nullptr ? ProgressStatus::stale_claim : core_->tell_progress(*this, bytes_filled);
}

PublishStatus SlotClaim::commit(const TensorLayout& layout, const FrameInfo& info) && noexcept {
  if (session_ == nullptr) return PublishStatus::stale_claim;
  return core_->commit(*this, layout, std::nullopt, info);
}

PublishStatus SlotClaim::commit(const TensorLayout& layout, std::size_t payload_bytes,
                                const FrameInfo& info) && noexcept {
  if (session_ == nullptr) return PublishStatus::stale_claim;
  return core_->commit(*this, layout, payload_bytes, info);
}

// --- Producer ---

Producer::Producer(std::shared_ptr<detail::ProducerCore> core) noexcept : core_(std::move(core)) {}
Producer::Producer(Producer&&) noexcept = default;

Producer& Producer::operator=(Producer&& other) noexcept {
  if (this == &other) return *this;
  if (core_) core_->close();
  core_ = std::move(other.core_);
  return *this;
}

Producer::~Producer() {
  if (core_) core_->close();
}

PublishStatus Producer::publish(const TensorLayout& layout, std::span<const std::byte> payload,
                                const FrameInfo& info) noexcept {
  return core_->publish(layout, payload, info);
}

Expected<SlotClaim, PublishStatus> Producer::claim(std::size_t bytes) noexcept { return core_->claim(bytes); }

Expected<SlotClaim, PublishStatus> Producer::claim(std::size_t bytes, const TensorLayout& layout) noexcept {
  return core_->claim(bytes, layout);
}

std::size_t Producer::max_claims() const noexcept {
  const auto* session = core_->current();
  return session == nullptr ? 0 : session->claims.max_span();
}

std::optional<std::uint64_t> Producer::oldest_open_claim() const noexcept { return core_->oldest_open_claim(); }

std::size_t Producer::max_payload_bytes() const noexcept {
  const auto* session = core_->current();
  // Pools are sorted by stride, and there is at least one.
  return session == nullptr ? 0 : session->regions->pools().back().stride_bytes;
}

std::span<std::byte> Producer::slot_address(std::uint16_t pool_id, std::uint32_t index) noexcept {
  const auto* session = core_->current();
  if (session == nullptr || index >= session->regions->nslots()) return {};
  const int pool = session->regions->pool_index(pool_id);
  return pool < 0 ? std::span<std::byte>{} : session->regions->payload_slot(index, pool);
}

std::uint32_t Producer::slots() const noexcept {
  const auto* session = core_->current();
  return session == nullptr ? 0 : session->regions->nslots();
}

Status Producer::set_source(std::string name, std::string summary) {
  if (!core_->is_here()) return error_of_forked("Producer");
  return core_->metadata.set_source(std::move(name), std::move(summary), monotonic_now());
}
Status Producer::set_attribute(Attribute attribute) {
  if (!core_->is_here()) return error_of_forked("Producer");
  return core_->metadata.set_attribute(std::move(attribute), monotonic_now());
}
Status Producer::set_attribute(std::string key, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return set_attribute({std::move(key), "text/plain", {bytes.begin(), bytes.end()}});
}
Status Producer::erase_attribute(std::string_view key) {
  if (!core_->is_here()) return error_of_forked("Producer");
  return core_->metadata.erase_attribute(key, monotonic_now());
}
Status Producer::replace_attributes(std::vector<Attribute> attributes) {
  if (!core_->is_here()) return error_of_forked("Producer");
  return core_->metadata.replace_attributes(std::move(attributes), monotonic_now());
}
std::uint32_t Producer::metadata_version() const noexcept { return core_->metadata.version(); }

bool Producer::attached() const noexcept { return core_->attached(); }
std::uint32_t Producer::stream_id() const noexcept { return core_->stream_id(); }
std::uint32_t Producer::client_id() const noexcept { return core_->client_id(); }
std::optional<std::uint32_t> Producer::node_id() const noexcept { return core_->node_id(); }

ProducerStats Producer::stats() const noexcept {
  static_cast<void>(core_->current());  // an epoch that was handed over counts from here on
  return core_->stats();
}

}  // namespace tensorpool
