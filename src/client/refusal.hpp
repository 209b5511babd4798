// What the driver's refusals mean to a client, and what its user can do. The texts are the protocol's and go over the
// wire unchanged; the remedy is added on the client's side.
#pragma once

#include <string>
#include <string_view>

#include "protocol/messages.hpp"

namespace tensorpool::detail {

// Another client holds the client id, or the stream's one place for a producer. A killed holder loses both when its
// lease ends.
[[nodiscard]] bool is_client_id_taken(const protocol::ShmAttachResponse& response) noexcept;
[[nodiscard]] bool is_place_taken(const protocol::ShmAttachResponse& response) noexcept;

// How the request that was refused allows the driver to make the stream.
struct CreateWish {
  bool asked = false;
  std::string_view how = "`.create = true` (tp: --create)";
};

// A sentence to append to the refusal, ". Do this"; empty where the driver's text already says what to do.
[[nodiscard]] std::string remedy_of(std::string_view refusal, const CreateWish& create);

}  // namespace tensorpool::detail
