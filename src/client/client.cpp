#include "tensorpool/client.hpp"

#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "base/origin.hpp"
#include "client/client_core.hpp"
#include "protocol/constants.hpp"
#include "shm/sigbus_guard.hpp"

namespace tensorpool {
namespace {

Status check_timeout(Nanos timeout_ns) {
  if (timeout_ns >= 0) return {};
  return make_error(ErrorCode::invalid_argument, "attach_timeout_ns is {}; it must be positive, or 0 for the client's",
                    timeout_ns);
}

// Without a driver nobody else checks it.
Status check_layout(std::uint32_t expected, bool standalone) {
  if (!standalone || expected == 0 || expected == protocol::layout_version) return {};
  return make_error(ErrorCode::unsupported, "layout version {} is expected, this build makes and reads {}", expected,
                    protocol::layout_version);
}

Status check_wishes(const ConsumerOptions& options) {
  constexpr Nanos longest_interval_ns = 3600 * nanos_per_second;
  if (options.no_frames_timeout_ns < 0) {
    return make_error(ErrorCode::invalid_argument, "no_frames_timeout_ns is {}; it must be positive, or 0 for never",
                      options.no_frames_timeout_ns);
  }
  if (options.decimation == 0) {
    return make_error(ErrorCode::invalid_argument, "decimation is 0; 1 delivers every frame, n every n-th");
  }
  if (!std::isfinite(options.max_rate_hz) || options.max_rate_hz < 0) {
    return make_error(ErrorCode::invalid_argument,
                      "max_rate_hz is {}; it must be a number of frames a second, 0 for no limit", options.max_rate_hz);
  }
  if (options.hello_interval_ns >= 0 && options.hello_interval_ns <= longest_interval_ns) return {};
  return make_error(ErrorCode::invalid_argument,
                    "hello_interval_ns is {}; it must be at most {}, or 0 for the client's announce period",
                    options.hello_interval_ns, longest_interval_ns);
}

}  // namespace

Status install_sigbus_guard() { return shm::install_sigbus_guard(); }

std::string_view to_string(EndReason reason) noexcept {
  switch (reason) {
    case EndReason::unknown:
      return "unknown";
    case EndReason::detached:
      return "detached";
    case EndReason::expired:
      return "expired";
    case EndReason::revoked:
      return "revoked";
  }
  return "unknown";
}

std::string_view to_string(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::attached:
      return "attached";
    case EventKind::remapped:
      return "remapped";
    case EventKind::revoked:
      return "revoked";
    case EventKind::refused:
      return "refused";
    case EventKind::mapping_failed:
      return "mapping_failed";
    case EventKind::driver_silent:
      return "driver_silent";
    case EventKind::producer_gone:
      return "producer_gone";
    case EventKind::driver_shutdown:
      return "driver_shutdown";
    case EventKind::no_frames:
      return "no_frames";
    case EventKind::frames_resumed:
      return "frames_resumed";
    case EventKind::stalled:
      return "stalled";
    case EventKind::media_driver_lost:
      return "media_driver_lost";
    case EventKind::media_driver_back:
      return "media_driver_back";
    case EventKind::descriptors_blocked:
      return "descriptors_blocked";
    case EventKind::configured:
      return "configured";
    case EventKind::log:
      return "log";
  }
  return "unknown";
}

Client::Client(std::unique_ptr<detail::ClientCore> core) noexcept : core_(std::move(core)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&& other) noexcept {
  replace(core_, std::move(other.core_));
  return *this;
}
Client::~Client() { leave_to_its_process(core_); }

Result<Client> Client::connect(ClientOptions options) {
  auto core = detail::ClientCore::create(std::move(options));
  if (!core) return core.error();
  return Client(*std::move(core));
}

Result<Producer> Client::attach_producer(const ProducerOptions& options) {
  if (!core_->origin.is_here()) return error_of_forked("Client");
  if (options.stream_id == 0 && options.standalone) {
    return make_error(ErrorCode::invalid_argument, "a standalone producer needs a stream id");
  }
  if (options.stream_id == 0 && !options.create) {
    return make_error(ErrorCode::invalid_argument, "a producer needs a stream id, or create = true to be given one");
  }
  if (auto good = check_timeout(options.attach_timeout_ns); !good) return good.error();
  if (auto good = check_layout(options.expected_layout_version, options.standalone.has_value()); !good)
    return good.error();
  auto pending = core_->begin_attach(options);
  Producer producer(std::move(pending.core));  // a handle that goes gives back what may still be granted
  if (auto outcome = core_->wait(*pending.ticket); !outcome) return outcome.error();
  return producer;
}

Result<Consumer> Client::attach_consumer(const ConsumerOptions& options) {
  if (!core_->origin.is_here()) return error_of_forked("Client");
  if (options.stream_id == 0) return make_error(ErrorCode::invalid_argument, "a consumer needs a stream id");
  if (auto good = check_timeout(options.attach_timeout_ns); !good) return good.error();
  if (auto good = check_layout(options.expected_layout_version, options.standalone); !good) return good.error();
  if (auto good = check_wishes(options); !good) return good.error();
  auto pending = core_->begin_attach(options);
  Consumer consumer(std::move(pending.core));
  if (auto outcome = core_->wait(*pending.ticket); !outcome) return outcome.error();
  return consumer;
}

Result<MetadataReader> Client::metadata(MetadataOptions options) {
  if (!core_->origin.is_here()) return error_of_forked("Client");
  auto follower = core_->follow_metadata(std::move(options));
  if (!follower) return follower.error();
  return MetadataReader(*std::move(follower));
}

std::string_view Client::name() const noexcept { return core_->name(); }
int Client::do_work(Nanos now) noexcept { return core_->origin.is_here() ? core_->do_work(now) : 0; }

}  // namespace tensorpool
