#include "roles/driver/attach_desk.hpp"

#include "protocol/constants.hpp"
#include "roles/driver/stream_messages.hpp"

namespace tensorpool::driver {

using protocol::ResponseCode;
using protocol::ShmAttachRequest;
using protocol::ShmAttachResponse;

namespace {

bool may_create(const ShmAttachRequest& request) {
  return request.publish_mode == protocol::PublishMode::existing_or_create;
}

}  // namespace

AttachDesk::Key AttachDesk::key_of(const ShmAttachRequest& request) noexcept {
  return {request.correlation_id, request.client_id, request.stream_id, static_cast<std::uint8_t>(request.role)};
}

AttachVerdict AttachDesk::on(const ShmAttachRequest& request, Nanos now) {
  const Key key = key_of(request);
  AttachVerdict verdict;
  if (pending_by_key_.contains(key)) {
    return verdict;
  }
  if (const auto known = answers_.find(key); known != answers_.end()) {
    verdict.answer = known->second;
    verdict.repeated = true;
    return verdict;
  }
  const auto refused = [&](const Refusal& refusal) {
    verdict.answer = remember(key, make_refusal(request.correlation_id, refusal.code, refusal.text));
    return verdict;
  };
  if (const auto refusal = judge(request)) {
    return refused(*refusal);
  }
  if (const auto refusal = judge_lease(request, now)) {
    return refused(*refusal);
  }
  const auto stream_id = choose_stream(request, now, verdict);
  if (!stream_id) {
    return refused(stream_id.error());
  }
  const auto retired = verdict.retired_stream;
  verdict = accept(request, *stream_id, now);
  verdict.retired_stream = retired;
  return verdict;
}

// What the request itself, and the driver's state as a whole, allow.
std::optional<AttachDesk::Refusal> AttachDesk::judge(const ShmAttachRequest& request) const {
  if (!protocol::is_valid(request.role)) {
    return Refusal{ResponseCode::invalid_params, "role must be 1 (producer) or 2 (consumer)"};
  }
  if (request.publish_mode && !protocol::is_valid(*request.publish_mode)) {
    return Refusal{ResponseCode::invalid_params, "publish_mode must be 1 (require existing) or 2 (existing or create)"};
  }
  if (!protocol::is_valid(request.require_hugepages)) {
    return Refusal{ResponseCode::invalid_params, "require_hugepages must be 0, 1 or 2"};
  }
  if (request.client_id == 0) {
    return Refusal{ResponseCode::invalid_params, "client_id must not be 0; choose one before attaching"};
  }
  if (draining_) {
    return Refusal{ResponseCode::rejected, protocol::refusal_draining};
  }
  if (request.expected_layout_version != 0 && request.expected_layout_version != protocol::layout_version) {
    return Refusal{ResponseCode::rejected, protocol::refusal_layout_version};
  }
  if (request.require_hugepages == protocol::HugepagesPolicy::hugepages && !parts_.hugepages) {
    return Refusal{ResponseCode::rejected, "hugepages not available: shm.base_dir is not on hugetlbfs"};
  }
  if (request.require_hugepages == protocol::HugepagesPolicy::standard && parts_.hugepages) {
    return Refusal{ResponseCode::rejected, "standard pages not available: shm.base_dir is on hugetlbfs"};
  }
  if (pending_.size() >= parts_.config.limits.pending_attaches) {
    return Refusal{ResponseCode::rejected, "too many attaches are pending; try again later"};
  }
  return std::nullopt;
}

// The stream asked for, or the id of the one to make. A dynamic stream that nobody uses gives way when the range is
// full.
Expected<std::uint32_t, AttachDesk::Refusal> AttachDesk::choose_stream(const ShmAttachRequest& request, Nanos now,
                                                                       AttachVerdict& verdict) {
  if (parts_.streams.find(request.stream_id) != nullptr) {
    return request.stream_id;
  }
  if (!may_create(request)) {
    return Refusal{ResponseCode::rejected, protocol::refusal_stream_not_provisioned};
  }
  auto chosen = parts_.streams.choose_dynamic_id(request.stream_id);
  if (!chosen && chosen.error() == DynamicRefusal::range_exhausted) {
    const Stream* const unused = parts_.streams.longest_unused(
        now, 0, [this](std::uint32_t stream_id) { return parts_.leases.in_use(stream_id); });
    if (unused != nullptr) {
      verdict.retired_stream = unused->stream_id;
      parts_.streams.remove(unused->stream_id);
      chosen = parts_.streams.choose_dynamic_id(request.stream_id);
    }
  }
  if (chosen) {
    return *chosen;
  }
  switch (chosen.error()) {
    case DynamicRefusal::no_range:
      return Refusal{ResponseCode::invalid_params, "no range for dynamic streams: set driver.stream_id_range"};
    case DynamicRefusal::outside_range:
      return Refusal{ResponseCode::invalid_params, "stream_id lies outside driver.stream_id_range"};
    case DynamicRefusal::range_exhausted:
      return Refusal{ResponseCode::rejected, "no stream id is free in driver.stream_id_range"};
    case DynamicRefusal::not_allowed:
      break;
  }
  return Refusal{ResponseCode::rejected, protocol::refusal_stream_not_provisioned};
}

// What the leases and node ids given so far allow. A stream yet to be made has none.
std::optional<AttachDesk::Refusal> AttachDesk::judge_lease(const ShmAttachRequest& request, Nanos now) const {
  switch (parts_.leases.may_grant(request.stream_id, request.client_id, request.role)) {
    case Leases::Refusal::none:
      break;
    case Leases::Refusal::client_id_attached:
      return Refusal{ResponseCode::rejected, protocol::refusal_client_id_attached};
    case Leases::Refusal::producer_attached:
      return Refusal{ResponseCode::rejected, protocol::refusal_producer_attached};
    case Leases::Refusal::too_many:
      return Refusal{ResponseCode::rejected, "too many leases; detach some first"};
  }
  const auto desired = request.desired_node_id;
  if (desired && !parts_.node_ids.may_assign(request.client_id, *desired, now)) {
    return Refusal{ResponseCode::rejected, protocol::refusal_node_id};
  }
  return std::nullopt;
}

AttachVerdict AttachDesk::accept(const ShmAttachRequest& request, std::uint32_t stream_id, Nanos now) {
  Stream* stream = parts_.streams.find(stream_id);
  if (stream == nullptr) {
    stream = &parts_.streams.add_dynamic(stream_id, now);
  }
  // Nothing when all ids are taken and none was asked for: a missing trace id must not stop a camera.
  const auto node_id = parts_.node_ids.assign(request.client_id, request.desired_node_id, now);
  const Lease& lease = parts_.leases.reserve(stream_id, request.client_id, request.role, node_id);
  AttachVerdict verdict;
  verdict.stream_id = stream_id;
  verdict.lease_id = lease.key.lease_id;
  pending_.emplace(lease.key.lease_id, key_of(request));
  pending_by_key_.emplace(key_of(request), lease.key.lease_id);
  if (request.role == protocol::Role::producer) {
    verdict.awaits = AttachVerdict::Epoch::producer;
  } else if (!stream->provisioned()) {
    verdict.awaits = AttachVerdict::Epoch::idle;
  } else {
    verdict.answer = grant(verdict.lease_id, now);
  }
  return verdict;
}

ShmAttachResponse AttachDesk::grant(std::uint64_t lease_id, Nanos now) {
  const auto node = pending_.extract(lease_id);
  pending_by_key_.erase(node.mapped());
  const Lease& lease = *parts_.leases.confirm(lease_id, now);
  granted_.insert_or_assign(lease_id, node.mapped());
  return remember(node.mapped(),
                  make_grant(node.mapped().correlation_id, *parts_.streams.find(lease.key.stream_id), lease));
}

ShmAttachResponse AttachDesk::refuse(std::uint64_t lease_id, ResponseCode code, std::string_view why, Nanos now) {
  const auto node = pending_.extract(lease_id);
  const Key& key = node.mapped();
  pending_by_key_.erase(key);
  take_back(lease_id, now);
  return remember(key, make_refusal(key.correlation_id, code, why));
}

ShmAttachResponse AttachDesk::withdraw(std::uint64_t lease_id, std::string_view why, Nanos now) {
  const auto node = granted_.extract(lease_id);
  const Key& key = node.mapped();
  take_back(lease_id, now);
  return remember(key, make_refusal(key.correlation_id, ResponseCode::internal_error, why));
}

void AttachDesk::take_back(std::uint64_t lease_id, Nanos now) {
  const auto lease = parts_.leases.end(lease_id);
  if (!lease) {
    return;
  }
  if (lease->node_id) {
    parts_.node_ids.release(*lease->node_id, now);
  }
  const Stream* const stream = parts_.streams.find(lease->key.stream_id);
  if (stream != nullptr && stream->dynamic && !stream->provisioned() && !parts_.leases.in_use(stream->stream_id)) {
    parts_.streams.remove(stream->stream_id);
  }
}

void AttachDesk::forget_lease(std::uint64_t lease_id) {
  const auto granted = granted_.find(lease_id);
  if (granted == granted_.end()) {
    return;
  }
  const Key key = granted->second;
  granted_.erase(granted);
  remember(key, make_refusal(key.correlation_id, ResponseCode::rejected, protocol::refusal_unknown_lease));
}

// Bounded: the oldest answers are forgotten first.
const ShmAttachResponse& AttachDesk::remember(const Key& key, ShmAttachResponse response) {
  const auto [it, added] = answers_.insert_or_assign(key, std::move(response));
  if (added) {
    answer_order_.push_back(key);
  }
  if (answer_order_.size() > parts_.config.limits.remembered_answers) {
    const Key oldest = answer_order_.front();
    answer_order_.pop_front();
    const auto forgotten = answers_.find(oldest);
    if (forgotten != answers_.end() && forgotten != it) {
      if (forgotten->second.lease_id) {
        granted_.erase(*forgotten->second.lease_id);
      }
      answers_.erase(forgotten);
    }
  }
  return it->second;
}

}  // namespace tensorpool::driver
