#include "transport/channel_uri.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tensorpool::transport {
namespace {

constexpr std::size_t max_uri_bytes = 4095;  // Aeron's own limit

enum class Form : unsigned char { text, boolean, size, duration, number };

struct Key {
  std::string_view name;
  Form form;
};

// Every key that Aeron 1.54 knows, with the form of its value where a wrong one would be ignored or refused late.
constexpr std::array keys{
    Key{"alias", Form::text},
    Key{"ats", Form::boolean},
    Key{"cc", Form::text},
    Key{"channel-rcv-ts-offset", Form::text},
    Key{"channel-snd-ts-offset", Form::text},
    Key{"control", Form::text},
    Key{"control-mode", Form::text},
    Key{"endpoint", Form::text},
    Key{"eos", Form::boolean},
    Key{"fc", Form::text},
    Key{"group", Form::boolean},
    Key{"gtag", Form::number},
    Key{"init-term-id", Form::number},
    Key{"interface", Form::text},
    Key{"linger", Form::duration},
    Key{"max-resend", Form::number},
    Key{"media-rcv-ts-offset", Form::text},
    Key{"mtu", Form::size},
    Key{"nak-delay", Form::duration},
    Key{"pub-wnd", Form::size},
    Key{"rcv-wnd", Form::size},
    Key{"rejoin", Form::boolean},
    Key{"reliable", Form::boolean},
    Key{"response-correlation-id", Form::text},
    Key{"session-id", Form::text},
    Key{"so-rcvbuf", Form::size},
    Key{"so-sndbuf", Form::size},
    Key{"so-tos", Form::number},
    Key{"sparse", Form::boolean},
    Key{"ssc", Form::boolean},
    Key{"stream-id", Form::number},
    Key{"tags", Form::text},
    Key{"term-id", Form::number},
    Key{"term-length", Form::size},
    Key{"term-offset", Form::number},
    Key{"tether", Form::boolean},
    Key{"ttl", Form::number},
    Key{"untethered-linger-timeout", Form::duration},
    Key{"untethered-resting-timeout", Form::duration},
    Key{"untethered-window-limit-timeout", Form::duration},
};

// The leading digits of the text and what follows them.
struct Quantity {
  std::uint64_t amount = 0;
  std::string_view unit;
};

std::optional<Quantity> quantity(std::string_view text) {
  Quantity result;
  const char* const end = text.data() + text.size();
  const auto [rest, fault] = std::from_chars(text.data(), end, result.amount);
  if (fault != std::errc{}) return std::nullopt;
  result.unit = std::string_view(rest, static_cast<std::size_t>(end - rest));
  return result;
}

std::optional<std::uint64_t> bytes_of(std::string_view text) {
  const auto parsed = quantity(text);
  if (!parsed || parsed->unit.size() > 1) return std::nullopt;
  int shift = 0;
  if (!parsed->unit.empty()) {
    switch (parsed->unit.front()) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      default:
        return std::nullopt;
    }
  }
  if (parsed->amount > (std::numeric_limits<std::uint64_t>::max() >> shift)) return std::nullopt;
  return parsed->amount << shift;
}

bool is_duration(std::string_view text) {
  constexpr std::array<std::string_view, 5> units{"", "ns", "us", "ms", "s"};
  const auto parsed = quantity(text);
  return parsed && std::find(units.begin(), units.end(), parsed->unit) != units.end();
}

bool is_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [rest, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc{} && rest == text.data() + text.size();
}

// What is wrong with the value; empty if nothing is.
std::string fault_of_value(const Key& key, std::string_view value) {
  switch (key.form) {
    case Form::boolean:
      return value == "true" || value == "false" ? "" : "must be true or false";
    case Form::size: {
      const auto bytes = bytes_of(value);
      if (!bytes) return "must be a number of bytes, such as 65536, 64k or 4m";
      const bool power_of_two = *bytes != 0 && (*bytes & (*bytes - 1)) == 0;
      if (key.name == "term-length" && (!power_of_two || *bytes < (1U << 16) || *bytes > (1U << 30))) {
        return "must be a power of two from 64k to 1g";
      }
      return "";
    }
    case Form::duration:
      return is_duration(value) ? "" : "must be a duration, such as 50ms or 1s";
    case Form::number:
      return is_number(value) ? "" : "must be an integer";
    case Form::text:
      return "";
  }
  return "";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string_view nearest_key(std::string_view name) {
  const auto nearer = [name](const Key& a, const Key& b) {
    return edit_distance(a.name, name) < edit_distance(b.name, name);
  };
  return std::min_element(keys.begin(), keys.end(), nearer)->name;
}

Error bad_uri(std::string_view uri, std::string_view why) {
  return make_error(ErrorCode::invalid_argument, "channel \"{}\": {}", escape(uri), why);
}

// Takes the text up to the separator off the front of `rest`.
std::string_view take(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view token = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return token;
}

std::string fault_of_parameter(std::string_view name, std::string_view value) {
  if (name.empty()) return "a key is empty";
  if (value.empty()) return fmt::format("{} has no value", escape(name));
  const auto* const key = std::find_if(keys.begin(), keys.end(), [name](const Key& k) { return k.name == name; });
  if (key == keys.end()) {
    return fmt::format("Aeron does not know the key {}; did you mean {}?", escape(name), nearest_key(name));
  }
  const std::string fault = fault_of_value(*key, value);
  return fault.empty() ? fault : fmt::format("{} {}, not {}", name, fault, escape(value));
}

struct Setting {
  std::string_view key;
  std::string_view value;
};

Result<std::string> with_settings(std::string_view user_uri, std::span<const Setting> settings) {
  Result<ChannelUri> uri = ChannelUri::parse(user_uri);
  if (!uri) return std::move(uri).error();
  if (uri->media() == Media::ipc) {
    for (const Setting& setting : settings) uri->set_if_absent(setting.key, setting.value);
  }
  return uri->str();
}

// One exclusive publication per process and purpose: small logs, allocated at once so that a full file system is an
// error message and not a SIGBUS.
constexpr std::array small_log{Setting{"term-length", "64k"}, Setting{"sparse", "false"}};
// A driver says one message a stream and period, and somebody who is stopped or killed keeps his place until the media
// driver gives him up: 3 s, which this log holds of 300 streams a second.
constexpr std::array driver_log{Setting{"term-length", "1m"}, Setting{"sparse", "false"}};
constexpr std::array metadata_log{Setting{"term-length", "1m"}, Setting{"sparse", "false"}};
// Measured: with 4m and 50 ms + 50 ms a frozen reader costs its neighbours nothing up to 16 kHz.
constexpr std::array descriptor_log{
    Setting{"term-length", "4m"},
    Setting{"sparse", "false"},
    Setting{"untethered-window-limit-timeout", "50ms"},
    Setting{"untethered-linger-timeout", "50ms"},
    Setting{"untethered-resting-timeout", "1s"},
};
constexpr std::array own_descriptor_log{Setting{"term-length", "256k"}, Setting{"sparse", "false"}};
constexpr std::array evictable{Setting{"tether", "false"}};

}  // namespace

Result<ChannelUri> ChannelUri::parse(std::string_view text) {
  if (text.empty()) return bad_uri(text, "is empty; for shared memory write aeron:ipc");
  if (text.size() > max_uri_bytes) return bad_uri(text.substr(0, 64), "is longer than 4095 bytes");
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    return bad_uri(text, "holds a space, a control character or a character outside ASCII");
  }
  constexpr std::string_view scheme = "aeron:";
  if (text.substr(0, scheme.size()) != scheme) return bad_uri(text, "must begin with aeron:, as in aeron:ipc");

  std::string_view rest = text.substr(scheme.size());
  const bool has_parameters = rest.find('?') != std::string_view::npos;
  const std::string_view media = take(rest, '?');
  ChannelUri uri;
  if (media == "udp") {
    uri.media_ = Media::udp;
  } else if (media != "ipc") {
    return bad_uri(text, "the medium must be ipc or udp, as in aeron:ipc");
  }
  if (has_parameters && rest.empty()) return bad_uri(text, "nothing follows the question mark");
  while (!rest.empty()) {
    const bool last = rest.find('|') == std::string_view::npos;
    std::string_view value = take(rest, '|');
    const std::string_view name = take(value, '=');
    if (std::string fault = fault_of_parameter(name, value); !fault.empty()) return bad_uri(text, fault);
    if (uri.find(name) != nullptr) return bad_uri(text, fmt::format("{} appears twice", name));
    if (!last && rest.empty()) return bad_uri(text, "ends in a separator");
    uri.set(name, value);
  }
  return uri;
}

const std::string* ChannelUri::find(std::string_view key) const noexcept {
  const auto at = std::find_if(parameters_.begin(), parameters_.end(), [key](const auto& p) { return p.first == key; });
  return at == parameters_.end() ? nullptr : &at->second;
}

ChannelUri& ChannelUri::set(std::string_view key, std::string_view value) {
  const auto at = std::find_if(parameters_.begin(), parameters_.end(), [key](const auto& p) { return p.first == key; });
  if (at != parameters_.end()) {
    at->second = value;
  } else {
    parameters_.emplace_back(key, value);
  }
  return *this;
}

ChannelUri& ChannelUri::set_if_absent(std::string_view key, std::string_view value) {
  return find(key) == nullptr ? set(key, value) : *this;
}

std::string ChannelUri::str() const {
  std::string text = media_ == Media::udp ? "aeron:udp" : "aeron:ipc";
  char separator = '?';
  for (const auto& [key, value] : parameters_) {
    text += separator;
    text += key;
    text += '=';
    text += value;
    separator = '|';
  }
  return text;
}

Result<std::string> control_channel(std::string_view user_uri) { return with_settings(user_uri, small_log); }
Result<std::string> announce_channel(std::string_view user_uri) { return with_settings(user_uri, small_log); }
Result<std::string> driver_channel(std::string_view user_uri) { return with_settings(user_uri, driver_log); }
Result<std::string> qos_channel(std::string_view user_uri) { return with_settings(user_uri, small_log); }
Result<std::string> metadata_channel(std::string_view user_uri) { return with_settings(user_uri, metadata_log); }

Result<std::string> descriptor_publication_channel(std::string_view user_uri) {
  return with_settings(user_uri, descriptor_log);
}

Result<std::string> own_descriptor_publication_channel(std::string_view user_uri) {
  return with_settings(user_uri, own_descriptor_log);
}

Result<std::string> descriptor_subscription_channel(std::string_view user_uri) {
  return with_settings(user_uri, evictable);
}

Result<std::string> descriptor_subscription_channel(std::string_view user_uri, std::int32_t session_id) {
  auto shared = descriptor_subscription_channel(user_uri);
  if (!shared) return shared;
  auto uri = ChannelUri::parse(*shared);
  if (!uri) return uri.error();
  return uri->set("session-id", std::to_string(session_id)).str();
}

}  // namespace tensorpool::transport
