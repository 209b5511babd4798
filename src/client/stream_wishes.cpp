#include "client/stream_wishes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/log.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::detail {
namespace {

// Where the conventions put streams of a consumer's own (protocol.md). A preference only: a hello must name an id, and
// the driver, who knows its ranges, assigns another one if it has to.
constexpr std::uint32_t first_descriptor_wish = 31000;
constexpr std::uint32_t first_control_wish = 32000;
constexpr std::uint32_t wishes = 1000;
constexpr std::size_t longest_uri = 4095;  // Aeron's own limit

ConsumerMode wished_mode(const ConsumerOptions& options) {
  return options.mode.value_or(options.max_rate_hz != 0 ? ConsumerMode::rate_limited : ConsumerMode::stream);
}

protocol::Mode wire_mode(ConsumerMode mode) {
  return mode == ConsumerMode::rate_limited ? protocol::Mode::rate_limited : protocol::Mode::stream;
}

// Whole Hz; rounded up, so that what a producer paces leaves the consumer every frame that its exact limit allows.
std::uint32_t wire_rate(double max_rate_hz) {
  constexpr double most = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(std::ceil(max_rate_hz), most));
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

Result<std::string> own_stream_channel(const ClientOptions& client, const ChannelOptions& shared,
                                       std::string_view channel, std::uint32_t stream_id) {
  const std::array ids{client.control.stream_id, client.announce.stream_id, client.descriptor.stream_id,
                       client.qos.stream_id, client.metadata.stream_id};
  const bool in_range = stream_id != 0 && stream_id <= std::numeric_limits<std::int32_t>::max();
  if (!in_range || std::find(ids.begin(), ids.end(), static_cast<std::int32_t>(stream_id)) != ids.end()) {
    return make_error(ErrorCode::protocol_error, "stream id {} cannot be a consumer's own: it is {}", stream_id,
                      in_range ? "one of the shared ones" : "out of range");
  }
  const auto uri = transport::ChannelUri::parse(channel);
  if (!uri) return uri.error();
  // Settings are not taken over: a term length can cost gigabytes, and the channel is the same without them.
  if (channel == shared.channel) return uri->media() == transport::Media::ipc ? "aeron:ipc" : shared.channel;
  const bool elsewhere = uri->media() != transport::Media::ipc || uri->find("session-id") != nullptr ||
                         uri->find("tags") != nullptr || uri->find("stream-id") != nullptr;
  if (!elsewhere) return std::string("aeron:ipc");
  return make_error(ErrorCode::protocol_error,
                    "channel {} is foreign: a stream of a consumer's own lies on aeron:ipc or {}", escape(channel),
                    shared.channel);
}

StreamWishes::StreamWishes(const ConsumerOptions& options, const ClientOptions& client)
    : options_(options), client_(client) {
  terms_.mode = wished_mode(options);
  terms_.max_rate_hz = options.max_rate_hz;
  terms_.use_shm = options.supports_shm && options.use_shm;
  said_mode_ = terms_.mode;
  said_shm_ = terms_.use_shm;
}

protocol::ConsumerHello StreamWishes::hello(std::uint32_t stream_id, std::uint32_t client_id) {
  protocol::ConsumerHello hello;
  hello.stream_id = stream_id;
  hello.consumer_id = client_id;
  hello.supports_shm = said_shm_ = terms_.use_shm;
  said_mode_ = terms_.mode;
  hello.mode = wire_mode(terms_.mode);
  hello.max_rate_hz = wire_rate(options_.max_rate_hz);
  hello.expected_layout_version = options_.expected_layout_version;
  hello.supports_progress = options_.progress.has_value();
  if (options_.progress) {
    hello.progress_interval_us = options_.progress->interval_us;
    hello.progress_bytes_delta = options_.progress->bytes_delta;
    hello.progress_major_delta_units = options_.progress->rows_delta;
  }
  if (options_.own_streams) {
    hello.descriptor_channel = client_.descriptor.channel;
    hello.descriptor_stream_id =
        terms_.descriptor_stream_id != 0 ? terms_.descriptor_stream_id : first_descriptor_wish + client_id % wishes;
    if (terms_.descriptor_stream_id == 0) ++times_asked_;
  }
  if (wants_control_stream()) {
    hello.control_channel = client_.control.channel;
    hello.control_stream_id =
        terms_.control_stream_id != 0 ? terms_.control_stream_id : first_control_wish + client_id % wishes;
  }
  return hello;
}

Status StreamWishes::check(const protocol::ConsumerConfig& config) const {
  if (config.payload_fallback_uri.size() > longest_uri || !is_printable(config.payload_fallback_uri)) {
    return make_error(ErrorCode::protocol_error,
                      "its payload_fallback_uri of {} bytes is no URI: at most {} printable characters",
                      config.payload_fallback_uri.size(), longest_uri);
  }
  if (auto good = check(descriptor_offer(config)); !good) return good;
  if (auto good = check(control_offer(config)); !good) return good;
  if (config.descriptor_stream_id == 0 || config.descriptor_stream_id != config.control_stream_id) return {};
  return make_error(ErrorCode::protocol_error, "it assigns stream {} for descriptors and for control",
                    config.control_stream_id);
}

StreamWishes::Offer StreamWishes::descriptor_offer(const protocol::ConsumerConfig& config) const {
  return {"descriptor",
          client_.descriptor,
          options_.own_streams,
          terms_.descriptor_stream_id,
          config.descriptor_stream_id,
          config.descriptor_channel};
}

StreamWishes::Offer StreamWishes::control_offer(const protocol::ConsumerConfig& config) const {
  return {"control",
          client_.control,
          wants_control_stream(),
          terms_.control_stream_id,
          config.control_stream_id,
          config.control_channel};
}

Status StreamWishes::check(const Offer& offer) const {
  if ((offer.id == 0) != offer.channel.empty()) {
    return make_error(ErrorCode::protocol_error, "it names a {} stream id or a channel, but not both", offer.kind);
  }
  if (offer.id == 0) return {};
  if (!offer.wanted) {
    return make_error(ErrorCode::protocol_error, "it assigns {} stream {}, which nobody asked for", offer.kind,
                      offer.id);
  }
  if (offer.has != 0 && offer.has != offer.id) {
    return make_error(ErrorCode::protocol_error, "it assigns {} stream {} in place of {}, which was granted",
                      offer.kind, offer.id, offer.has);
  }
  const auto channel = own_stream_channel(client_, offer.shared, offer.channel, offer.id);
  return channel ? Status{} : Status{channel.error()};
}

// REQUIRES: it was checked.
bool StreamWishes::take_streams(const protocol::ConsumerConfig& config) {
  bool changed = false;
  if (config.descriptor_stream_id != 0 && terms_.descriptor_stream_id == 0) {
    terms_.descriptor_stream_id = config.descriptor_stream_id;
    descriptor_channel_ =
        own_stream_channel(client_, client_.descriptor, config.descriptor_channel, config.descriptor_stream_id).value();
    told_declined_ = false;
    times_asked_ = 0;
    changed = true;
  }
  if (config.control_stream_id != 0 && terms_.control_stream_id == 0) {
    terms_.control_stream_id = config.control_stream_id;
    control_channel_ =
        own_stream_channel(client_, client_.control, config.control_channel, config.control_stream_id).value();
    changed = true;
  }
  return changed;
}

bool StreamWishes::take_mode(const protocol::ConsumerConfig& config) {
  const ConsumerMode mode =
      config.mode == protocol::Mode::rate_limited ? ConsumerMode::rate_limited : ConsumerMode::stream;
  if (mode == said_mode_ || mode == terms_.mode) return false;
  terms_.mode = mode;
  return true;
}

bool StreamWishes::take_shm(const protocol::ConsumerConfig& config) {
  const ConsumerTerms before = terms_;
  if (options_.supports_shm && config.use_shm != said_shm_) terms_.use_shm = config.use_shm;
  if (!config.payload_fallback_uri.empty()) {
    terms_.payload_fallback_uri = config.payload_fallback_uri;
  } else if (terms_.use_shm) {
    terms_.payload_fallback_uri.clear();
  }
  return terms_ != before;
}

StreamWishes::Outcome StreamWishes::on(const protocol::ConsumerConfig& config) {
  if (auto good = check(config); !good) return {Outcome::Kind::refused, good.error().message};
  bool changed = take_mode(config);
  changed = take_shm(config) || changed;
  changed = take_streams(config) || changed;
  if (changed) return {Outcome::Kind::changed, describe()};
  // A supervisor assigns no streams, so the first answer without one may be its; the driver answers each hello.
  if (times_asked_ < 2 || told_declined_) return {};
  told_declined_ = true;
  return {Outcome::Kind::declined,
          "no descriptor stream of its own was granted (driver.descriptor_stream_id_range is off or used up); it stays "
          "on the shared one"};
}

void StreamWishes::lease_ended() {
  give_up_descriptor_stream();
  give_up_control_stream();
  told_declined_ = false;
}

void StreamWishes::give_up_control_stream() {
  terms_.control_stream_id = 0;
  control_channel_.clear();
}

void StreamWishes::give_up_descriptor_stream() {
  terms_.descriptor_stream_id = 0;
  times_asked_ = 0;
  descriptor_channel_.clear();
}

std::string StreamWishes::describe() const {
  std::string text = fmt::format("mode {}", to_string(terms_.mode));
  if (terms_.mode == ConsumerMode::rate_limited) {
    text += terms_.max_rate_hz != 0 ? fmt::format(", at most {} Hz", terms_.max_rate_hz)
                                    : ", but without max_rate_hz there is no limit to keep; set one";
  }
  text += terms_.descriptor_stream_id != 0
              ? fmt::format(", descriptor stream {} of its own", terms_.descriptor_stream_id)
              : ", shared descriptor stream";
  if (terms_.control_stream_id != 0) text += fmt::format(", control stream {} of its own", terms_.control_stream_id);
  if (!terms_.use_shm) text += ", shared memory is not read";
  if (!terms_.payload_fallback_uri.empty()) {
    text += fmt::format(", fallback {}", escape(terms_.payload_fallback_uri));
  }
  return text;
}

}  // namespace tensorpool::detail
