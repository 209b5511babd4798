#include "support/forger.hpp"

#include <stdexcept>

#include "protocol/region_uri.hpp"
#include "protocol/shm_layout.hpp"
#include "support/need.hpp"
#include "support/wait.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool {
namespace {

transport::Connection open(const ClientOptions& where) {
  transport::ConnectionOptions options;
  options.aeron_dir = where.aeron_dir;
  options.client_name = "forger";
  return need(transport::Connection::open(options));
}

std::string uri(const std::string& path) { return protocol::format_region_uri({path, std::nullopt}); }

std::vector<protocol::PayloadPool> pools_of(const shm::RegionLayout& layout) {
  std::vector<protocol::PayloadPool> pools;
  for (const auto& pool : layout.pools)
    pools.push_back({pool.pool_id, layout.nslots, pool.stride_bytes, uri(pool.path)});
  return pools;
}

}  // namespace

Forger::Forger(const ClientOptions& where)
    : control_(where.control.stream_id),
      connection_(open(where)),
      requests_(need(connection_.add_subscription(need(transport::control_channel("aeron:ipc")), control_))) {
  voice(control_);
  thread_ = std::make_unique<AgentRunner>("forger", Idle(IdleMode::sleep), [this](Nanos) { return do_work(); });
}

void Forger::answer_attaches(Answer answer) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(answer);
}

bool Forger::say_on(std::int32_t stream_id, std::span<const std::byte> bytes) {
  return eventually([&] {
    const std::lock_guard lock(mutex_);
    return voice(stream_id).publication.offer(bytes) == transport::OfferResult::ok;
  });
}

Forger::Voice& Forger::voice(std::int32_t stream_id) {
  for (auto& known : voices_) {
    if (known->stream_id == stream_id) return *known;
  }
  auto publication = need(connection_.add_publication(need(transport::control_channel("aeron:ipc")), stream_id));
  voices_.push_back(std::make_unique<Voice>(Voice{stream_id, std::move(publication)}));
  return *voices_.back();
}

int Forger::do_work() {
  const std::lock_guard lock(mutex_);
  std::vector<protocol::ShmAttachRequest> asked;
  const int work = connection_.do_work() + requests_.poll_assembled(
                                               [&](std::span<const std::byte> bytes) {
                                                 const auto request =
                                                     protocol::decode<protocol::ShmAttachRequest>(bytes);
                                                 if (request) asked.push_back(*request);
                                               },
                                               64);
  for (const auto& request : asked) {
    if (!answer_) continue;
    const protocol::ShmAttachResponse response = answer_(request);
    std::vector<std::byte> bytes(protocol::encoded_length(response));
    if (protocol::encode(response, bytes) == bytes.size())
      voice(control_).publication.offer(bytes);  // the client repeats
  }
  return work;
}

protocol::ShmAttachResponse grant_of(const shm::RegionLayout& layout, const protocol::ShmAttachRequest& request) {
  protocol::ShmAttachResponse response;
  response.correlation_id = request.correlation_id;
  response.code = protocol::ResponseCode::ok;
  response.lease_id = 77;
  response.lease_expiry_timestamp_ns = static_cast<std::uint64_t>(monotonic_now() + 600 * nanos_per_second);
  response.stream_id = layout.stream_id;
  response.epoch = layout.epoch;
  response.layout_version = layout.layout_version;
  response.header_nslots = layout.nslots;
  response.header_slot_bytes = static_cast<std::uint16_t>(protocol::header_slot_bytes);
  response.payload_pools = pools_of(layout);
  response.header_region_uri = uri(layout.header_path);
  return response;
}

protocol::ShmPoolAnnounce announce_of(const shm::RegionLayout& layout) {
  protocol::ShmPoolAnnounce announce;
  announce.stream_id = layout.stream_id;
  announce.producer_id = 9;
  announce.epoch = layout.epoch;
  announce.announce_timestamp_ns = static_cast<std::uint64_t>(monotonic_now());
  announce.layout_version = layout.layout_version;
  announce.header_nslots = layout.nslots;
  announce.header_slot_bytes = static_cast<std::uint16_t>(protocol::header_slot_bytes);
  announce.payload_pools = pools_of(layout);
  announce.header_region_uri = uri(layout.header_path);
  return announce;
}

}  // namespace tensorpool
