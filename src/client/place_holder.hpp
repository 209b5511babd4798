// PlaceHolder: the other client that holds the place which a first attach asks for: the stream's producer, or the
// client id. A killed holder loses it when its lease ends; how long that lease is, only the driver knows. A living one
// sends keepalives on the control stream.
#pragma once

#include <optional>
#include <string>

#include <fmt/format.h>

#include "protocol/messages.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::detail {

class PlaceHolder {
 public:
  struct Place {
    protocol::Role role = protocol::Role::consumer;
    std::uint32_t stream_id = 0;
    std::uint32_t client_id = 0;
  };

  // The driver refused the place because of it.
  void on_refused(const Place& place, Nanos now) noexcept {
    place_ = place;
    if (!since_) since_ = now;
  }
  // Whether a lease named so is the holder's. False before on_refused.
  [[nodiscard]] bool is_it(std::uint32_t client_id, std::uint32_t stream_id, protocol::Role role) const noexcept {
    const bool produces = place_.role == protocol::Role::producer && role == protocol::Role::producer;
    return since_ && ((produces && stream_id == place_.stream_id) || client_id == place_.client_id);
  }
  void on_keepalive(const protocol::ShmLeaseKeepalive& keepalive, Nanos now) noexcept {
    if (!is_it(keepalive.client_id, keepalive.stream_id, keepalive.role)) return;
    heard_ = now;
    heard_client_id_ = keepalive.client_id;
  }

  // Whether the place may still become free by itself: for `patience_ns` in any case, and then while the holder is
  // silent for `silence_ns`.
  [[nodiscard]] bool may_be_dead(Nanos patience_ns, Nanos silence_ns, Nanos now) const noexcept {
    const bool alive = heard_ && now - *heard_ < silence_ns;
    return patience_ns > 0 && (!alive || now - *since_ < patience_ns);
  }
  // " for 5100 ms, by client 7, which is alive"; empty if it was not heard.
  [[nodiscard]] std::string describe(Nanos now) const {
    if (!heard_) return {};
    return fmt::format(" for {} ms, by client {}, which is alive", (now - *since_) / nanos_per_milli, heard_client_id_);
  }

 private:
  Place place_;
  std::optional<Nanos> since_;  // the first refusal
  std::optional<Nanos> heard_;  // its last keepalive after that
  std::uint32_t heard_client_id_ = 0;
};

}  // namespace tensorpool::detail
