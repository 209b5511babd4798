#include "client/control_plane.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "transport/channel_uri.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::detail {
namespace {

constexpr Nanos adding_ns = 4 * nanos_per_milli;

template <class Made>
Status assign(Made& place, Result<Made> made, std::string_view what, const ChannelOptions& channel) {
  if (!made) {
    return make_error(made.error().code, "cannot open the {} on {} stream {}: {}", what, channel.channel,
                      channel.stream_id, made.error().message);
  }
  place = *std::move(made);
  return {};
}

// What is there already stays.
Status publish_on(transport::Connection& connection, transport::Publication& place, std::string_view what,
                  const ChannelOptions& channel, ControlPlane::ChannelBuilder build) {
  if (!place.is_closed()) return {};
  auto uri = build(channel.channel);
  if (!uri) return uri.error();
  return assign(place, connection.add_publication(*uri, channel.stream_id), what, channel);
}

Status subscribe_to(transport::Connection& connection, transport::Subscription& place, std::string_view what,
                    const ChannelOptions& channel, ControlPlane::ChannelBuilder build) {
  if (!place.is_closed()) return {};
  auto uri = build(channel.channel);
  if (!uri) return uri.error();
  return assign(place, connection.add_subscription(*uri, channel.stream_id), what, channel);
}

// Held by who connects; no control stream has this number.
constexpr std::uint32_t turn_number = std::numeric_limits<std::uint32_t>::max();
constexpr std::chrono::milliseconds longest_turn_pause{16};
constexpr Nanos reconnect_turn_pause_ns = 4 * nanos_per_milli;
constexpr int most_turns_passed = 1000;

bool same_stream(const ChannelOptions& announce, const ChannelOptions& control) {
  return announce.stream_id == 0 || (announce.stream_id == control.stream_id && announce.channel == control.channel);
}

}  // namespace

ControlPlane::ControlPlane(const ClientOptions& options, RandomSource random, Ends ends)
    : options_(options), random_(std::move(random)), ends_(ends) {}
ControlPlane::~ControlPlane() = default;

Status ControlPlane::open(Nanos now) { return connect(now, true); }

// One at a time: each client that connects is linked with all who are there, and one whose first request is not
// answered soon searches all of Aeron's counters for its own, again and again. A hundred at once would leave the media
// driver no time to answer. Nobody has to be waited for for ever: one that was stopped may hold the turn.
Result<std::optional<transport::MediaDriverClaim>> ControlPlane::take_turn(bool wait) {
  const Nanos deadline = monotonic_now() + options_.attach_timeout_ns / 2;
  for (std::chrono::milliseconds pause{1};; pause = std::min(2 * pause, longest_turn_pause)) {
    auto turn = transport::MediaDriverClaim::take(aeron_dir(), turn_number);
    if (turn) return std::optional(*std::move(turn));
    if (turn.error().code != ErrorCode::already_exists) break;  // connecting tells what is wrong
    if (!wait && ++turns_passed_ <= most_turns_passed) {
      return Error{ErrorCode::unavailable, "other clients connect first"};
    }
    if (!wait || monotonic_now() >= deadline) break;
    std::this_thread::sleep_for(pause);
  }
  return std::optional<transport::MediaDriverClaim>();
}

Status ControlPlane::connect(Nanos now, bool wait_for_driver) {
  const auto turn = take_turn(wait_for_driver);
  if (!turn) return turn.error();
  transport::ConnectionOptions wanted;
  wanted.wait_for_driver = wait_for_driver;
  wanted.aeron_dir = options_.aeron_dir;
  wanted.client_name = options_.name;
  auto connection = transport::Connection::open(wanted);
  if (!connection) return connection.error();
  auto wires = std::make_unique<Wires>(*std::move(connection));
  auto subscribed = subscribe(*wires);
  // A media driver with too much to do, as when many clients start at once, gets to it later.
  const Nanos deadline = monotonic_now() + options_.attach_timeout_ns;
  while (wait_for_driver && !subscribed && subscribed.error().code == ErrorCode::timed_out &&
         monotonic_now() < deadline && (!options_.keep_waiting || options_.keep_waiting())) {
    subscribed = subscribe(*wires);
  }
  if (!subscribed) return subscribed.error();
  wires_ = std::move(wires);
  listening_since_ = now;
  ++generation_;
  backoff_.reset();
  reconnect_at_.reset();
  turns_passed_ = 0;
  trouble_.clear();
  return {};
}

Status ControlPlane::subscribe(Wires& wires) {
  auto& connection = wires.connection;
  auto made =
      subscribe_to(connection, wires.control_in, "control subscription", options_.control, transport::control_channel);
  if (made && !same_stream(options_.announce, options_.control)) {
    made = subscribe_to(connection, wires.announce_in, "announce subscription", options_.announce,
                        transport::announce_channel);
  }
  if (made) made = subscribe_to(connection, wires.qos_in, "QoS subscription", options_.qos, transport::qos_channel);
  if (ends_ == Ends::listening) return made;
  if (made) made = publish_on(connection, wires.qos_out, "QoS publication", options_.qos, transport::qos_channel);
  if (made)
    made =
        publish_on(connection, wires.control_out, "control publication", options_.control, transport::control_channel);
  if (made && listens_to_metadata_) made = subscribe_to_metadata(wires);
  return made;
}

Status ControlPlane::subscribe_to_metadata(Wires& wires) {
  return subscribe_to(wires.connection, wires.metadata_in, "metadata subscription", options_.metadata,
                      transport::metadata_channel);
}

Status ControlPlane::listen_to_metadata(bool wanted) {
  if (std::exchange(listens_to_metadata_, wanted) == wanted || !up()) return {};
  if (wanted) return subscribe_to_metadata(*wires_);
  wires_->metadata_in = {};
  return {};
}

Status ControlPlane::open_metadata_out() {
  if (!up()) return make_error(ErrorCode::unavailable, "no connection to the media driver: {}", trouble_);
  if (wires_->metadata_out) return {};
  transport::Publication made;
  auto opened =
      publish_on(wires_->connection, made, "metadata publication", options_.metadata, transport::metadata_channel);
  if (opened) wires_->metadata_out = std::move(made);
  return opened;
}

Result<bool> ControlPlane::outcome_of_metadata(transport::OfferResult result) const {
  using transport::OfferResult;
  if (result == OfferResult::ok || result == OfferResult::not_connected) return true;
  if (result == OfferResult::back_pressured || result == OfferResult::admin_action) return false;
  return make_error(ErrorCode::unavailable,
                    "{} on {} stream {} ({} bytes; the stream carries at most {} at once: a larger term-length on the "
                    "channel carries more)",
                    transport::to_string(result), options_.metadata.channel, options_.metadata.stream_id,
                    scratch_.size(), wires_->metadata_out->max_message_length());
}

bool ControlPlane::may_add_now() noexcept {
  if (!up()) return false;
  const Nanos now = monotonic_now();
  if (!adding_since_) adding_since_ = now;
  return now - *adding_since_ < adding_ns;
}

ControlPlane::Change ControlPlane::tick(Nanos now, int& work) {
  adding_since_.reset();
  if (up()) {
    work += wires_->connection.do_work();
    work += counter_requests_.step(wires_->connection);
    if (!wires_->connection.is_closed()) return Change::none;
    trouble_ = wires_->connection.last_error();
    counter_requests_.clear();
    wires_.reset();
    reconnect_at_ = now + backoff_.next(random_());
    return Change::lost;
  }
  if (reconnect_at_ && now < *reconnect_at_) return Change::none;
  ++work;
  const int passed = turns_passed_;
  auto connected = connect(now, false);  // a duty cycle does not wait
  if (turns_passed_ > passed) {
    reconnect_at_ = now + reconnect_turn_pause_ns / 2 + static_cast<Nanos>(random_() % reconnect_turn_pause_ns);
    return Change::none;
  }
  if (connected) return Change::back;
  trouble_ = connected.error().message;
  reconnect_at_ = now + backoff_.next(random_());
  return Change::none;
}

bool ControlPlane::announces_apart() const noexcept { return !same_stream(options_.announce, options_.control); }

Status ControlPlane::open_announces() {
  if (!up()) return make_error(ErrorCode::unavailable, "no connection to the media driver: {}", trouble_);
  if (!announces_apart() || (wires_->announce_out.max_message_length() != 0 && !wires_->announce_out.is_closed())) {
    return {};
  }
  return publish_on(wires_->connection, wires_->announce_out, "announce publication", options_.announce,
                    transport::announce_channel);
}

std::size_t ControlPlane::max_announce_length() const noexcept {
  if (!up()) return 0;
  return (announces_apart() ? wires_->announce_out : wires_->control_out).max_message_length();
}

Result<std::shared_ptr<transport::Publication>> ControlPlane::add_publication(std::string_view what,
                                                                              const ChannelOptions& channel,
                                                                              ChannelBuilder build) {
  if (!up()) return make_error(ErrorCode::unavailable, "no connection to the media driver: {}", trouble_);
  transport::Publication made;
  if (auto status = publish_on(wires_->connection, made, what, channel, build); !status) return status.error();
  return std::make_shared<transport::Publication>(std::move(made));
}

Result<std::shared_ptr<transport::Subscription>> ControlPlane::add_subscription(std::string_view what,
                                                                                const ChannelOptions& channel) {
  if (!up()) return make_error(ErrorCode::unavailable, "no connection to the media driver: {}", trouble_);
  transport::Subscription made;
  auto status = subscribe_to(wires_->connection, made, what, channel, transport::descriptor_subscription_channel);
  if (!status) return status.error();
  return std::make_shared<transport::Subscription>(std::move(made));
}

Result<std::shared_ptr<transport::Publication>> ControlPlane::add_descriptor_publication() {
  return add_publication("descriptor publication", options_.descriptor, transport::descriptor_publication_channel);
}

Result<std::shared_ptr<transport::Subscription>> ControlPlane::add_descriptor_subscription() {
  return add_subscription("descriptor subscription", options_.descriptor);
}

Result<std::shared_ptr<transport::Subscription>> ControlPlane::add_descriptor_subscription(std::int32_t session_id) {
  auto channel = transport::descriptor_subscription_channel(options_.descriptor.channel, session_id);
  if (!channel) return channel.error();
  return add_subscription("descriptor subscription", {*std::move(channel), options_.descriptor.stream_id});
}

Result<std::shared_ptr<transport::Publication>> ControlPlane::add_own_publication(const ChannelOptions& own) {
  return add_publication("publication of a stream of a consumer's own", own,
                         transport::own_descriptor_publication_channel);
}

Result<std::shared_ptr<transport::Subscription>> ControlPlane::add_own_subscription(const ChannelOptions& own) {
  return add_subscription("subscription to a stream of its own", own);
}

std::vector<std::shared_ptr<transport::Counter>> ControlPlane::want_counters(std::int32_t first_type,
                                                                             std::vector<std::string> labels) {
  std::vector<std::shared_ptr<transport::Counter>> wanted;
  std::erase_if(counters_, [](const auto& counter) { return counter.expired(); });
  if (!options_.counters || !up() || counters_.size() + labels.size() > max_counters) return wanted;
  for (std::string& label : labels) {
    wanted.push_back(counter_requests_.want(first_type++, std::move(label)));
    counters_.push_back(wanted.back());
  }
  return wanted;
}

// Frames are told of far more often than anything else on this stream, and those who listen for them are application
// threads: as for descriptors, one that does not poll is evicted and stops nobody.
Result<transport::Publication> ControlPlane::add_progress_publication() {
  if (!up()) return make_error(ErrorCode::unavailable, "no connection to the media driver: {}", trouble_);
  transport::Publication made;
  auto status = publish_on(wires_->connection, made, "progress publication", options_.control,
                           transport::descriptor_publication_channel);
  if (!status) return status.error();
  return made;
}

Result<std::shared_ptr<transport::Subscription>> ControlPlane::add_progress_subscription() {
  return add_subscription("progress subscription", options_.control);
}

std::string ControlPlane::aeron_dir() const {
  return options_.aeron_dir.empty() ? transport::default_aeron_dir() : options_.aeron_dir;
}

std::string ControlPlane::describe() const {
  return fmt::format("aeron directory {}, control channel {} stream {}", aeron_dir(), options_.control.channel,
                     options_.control.stream_id);
}

}  // namespace tensorpool::detail
