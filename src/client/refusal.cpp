#include "client/refusal.hpp"

#include <fmt/format.h>

#include "protocol/constants.hpp"

namespace tensorpool::detail {
namespace {

bool is_rejected(const protocol::ShmAttachResponse& response, std::string_view text) {
  return response.code == protocol::ResponseCode::rejected && response.error_message == text;
}

}  // namespace

bool is_client_id_taken(const protocol::ShmAttachResponse& response) noexcept {
  return is_rejected(response, protocol::refusal_client_id_attached);
}

bool is_place_taken(const protocol::ShmAttachResponse& response) noexcept {
  return is_rejected(response, protocol::refusal_producer_attached);
}

std::string remedy_of(std::string_view refusal, const CreateWish& create) {
  if (refusal == protocol::refusal_stream_not_provisioned && create.asked) {
    return ". The driver makes no streams: add this one to its configuration, or set policies.allow_dynamic_streams = "
           "true and driver.stream_id_range there";
  }
  if (refusal == protocol::refusal_stream_not_provisioned) {
    return fmt::format(
        ". Add the stream to the driver's configuration, or attach with {}, which needs "
        "policies.allow_dynamic_streams = true there",
        create.how);
  }
  if (refusal == protocol::refusal_producer_attached) {
    return ". A stream has one producer: stop the other one (`tp driver leases` lists it), or use another stream";
  }
  if (refusal == protocol::refusal_client_id_attached) {
    return ". Stop the client that holds this id (`tp driver leases` lists it), or use another id; 0 takes a random "
           "one";
  }
  if (refusal == protocol::refusal_layout_version) return ". Expect layout version 0 (any), or the driver's";
  if (refusal == protocol::refusal_node_id) return ". Ask for another node id, or for none";
  if (refusal == protocol::refusal_draining) return ". The driver is shutting down: start it again, or another one";
  return {};
}

}  // namespace tensorpool::detail
