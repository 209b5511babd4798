#include "transport/connection.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "transport/channel_uri.hpp"
#include "transport/loopback/resources.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::transport {
namespace {

constexpr int media_driver_gone = 1000;  // Aeron's code for it
constexpr std::size_t max_key_bytes = 112;
constexpr std::size_t max_label_bytes = 380;

// Why nothing can be added; ok if it can.
Status check(const Connection::Core* core, const std::string& channel, const std::string& label) {
  if (core == nullptr || core->is_closed()) {
    return make_error(ErrorCode::closed, "cannot add {}: the connection is closed; open a new one", label);
  }
  if (const Result<ChannelUri> uri = ChannelUri::parse(channel); !uri) {
    return make_error(ErrorCode::invalid_argument, "cannot add {}: {}", label, uri.error().message);
  }
  return {};
}

// What a test asked for.
Status answer(loopback::Bus& bus, const std::string& label) {
  int left = bus.adds_to_time_out.load();
  while (left > 0 && !bus.adds_to_time_out.compare_exchange_weak(left, left - 1)) {
  }
  if (left == 0) return {};
  return make_error(ErrorCode::timed_out, "cannot add {}: the test lets it time out", label);
}

}  // namespace

Result<Connection> Connection::open(const ConnectionOptions& options) {
  auto core = std::make_shared<Core>();
  core->options = options;
  if (core->options.aeron_dir.empty()) core->options.aeron_dir = default_aeron_dir();
  core->bus = loopback::Bus::of(core->options.aeron_dir);
  core->generation = core->bus->generation();
  if (core->generation == 0) return Error{ErrorCode::unavailable, probe_media_driver(core->options.aeron_dir).detail};
  core->client_id = core->bus->next_client_id();
  core->bus->register_connection(core);
  return Connection(std::move(core));
}

Connection::Connection(std::shared_ptr<Core> core) noexcept : core_(std::move(core)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&& other) noexcept {
  if (this != &other) {
    close();
    core_ = std::move(other.core_);
  }
  return *this;
}
Connection::~Connection() { close(); }

void Connection::close() noexcept {
  if (core_ == nullptr) return;
  core_->detached.store(true, std::memory_order_release);
  core_.reset();
}

int Connection::do_work() noexcept {
  if (core_ == nullptr) return 0;
  if (core_->is_closed()) {
    const bool first = !std::exchange(core_->loss_reported, true);
    if (first && core_->options.on_error) core_->options.on_error(media_driver_gone, last_error());
    return 0;
  }
  std::vector<std::shared_ptr<loopback::Inbox>> inboxes;
  {
    const std::lock_guard guard(core_->mutex);
    std::erase_if(core_->inboxes, [](const auto& inbox) { return inbox.expired(); });
    for (const auto& weak : core_->inboxes) {
      if (auto inbox = weak.lock()) inboxes.push_back(std::move(inbox));
    }
  }
  int work = 0;
  for (const auto& inbox : inboxes) work += core_->bus->work(*inbox);
  return work;
}

bool Connection::is_closed() const noexcept { return core_ == nullptr || core_->is_closed(); }

std::string Connection::last_error() const {
  if (core_ == nullptr || !core_->is_closed()) return {};
  return fmt::format("MediaDriver of {} has been shutdown (Aeron error {})", core_->options.aeron_dir,
                     media_driver_gone);
}

std::int64_t Connection::client_id() const noexcept { return core_ == nullptr ? -1 : core_->client_id; }

const std::string& Connection::aeron_dir() const noexcept {
  static const std::string none;
  return core_ == nullptr ? none : core_->options.aeron_dir;
}

Result<Publication> Connection::add_publication(const std::string& channel, std::int32_t stream_id) {
  const std::string label = fmt::format("publication on {} stream {}", channel, stream_id);
  if (Status possible = check(core_.get(), channel, label); !possible) return possible.error();
  if (Status answered = answer(*core_->bus, label); !answered) return answered.error();
  return Publication(
      std::make_unique<Publication::Impl>(core_, core_->bus->add_log(core_->client_id, channel, stream_id)));
}

Result<Subscription> Connection::add_subscription(const std::string& channel, std::int32_t stream_id) {
  const std::string label = fmt::format("subscription on {} stream {}", channel, stream_id);
  if (Status possible = check(core_.get(), channel, label); !possible) return possible.error();
  if (Status answered = answer(*core_->bus, label); !answered) return answered.error();
  auto inbox = core_->bus->add_inbox(core_->client_id, channel, stream_id);
  {
    const std::lock_guard guard(core_->mutex);
    core_->inboxes.push_back(inbox);
  }
  return Subscription(std::make_unique<Subscription::Impl>(core_, std::move(inbox)));
}

Result<Counter> Connection::add_counter(std::int32_t type_id, std::span<const std::byte> key, std::string_view label) {
  Result<PendingCounter> pending = begin_counter(type_id, key, label);
  if (!pending) return std::move(pending).error();
  Result<std::optional<Counter>> added = pending->poll();
  if (!added) return std::move(added).error();
  if (!*added) return make_error(ErrorCode::timed_out, "cannot add counter {}: the test holds counters back", label);
  return **std::move(added);
}

Result<PendingCounter> Connection::begin_counter(std::int32_t type_id, std::span<const std::byte> key,
                                                 std::string_view label) {
  const std::string name = fmt::format("counter {} of type {}", label, type_id);
  if (Status possible = check(core_.get(), "aeron:ipc", name); !possible) return possible.error();
  if (type_id < first_own_counter_type) {
    return make_error(ErrorCode::invalid_argument, "cannot add {}: type ids below {} belong to Aeron", name,
                      first_own_counter_type);
  }
  if (key.size() > max_key_bytes) {
    return make_error(ErrorCode::invalid_argument, "cannot add {}: its key has {} bytes, more than {}", name,
                      key.size(), max_key_bytes);
  }
  auto pending = std::make_unique<PendingCounter::Impl>(core_);
  pending->wanted.type_id = type_id;
  pending->wanted.owner_client_id = core_->client_id;
  pending->wanted.label = label.substr(0, max_label_bytes);
  pending->wanted.key.assign(key.begin(), key.end());
  return PendingCounter(std::move(pending));
}

}  // namespace tensorpool::transport
