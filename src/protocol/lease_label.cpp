#include "protocol/lease_label.hpp"

#include <fmt/format.h>

#include <charconv>

namespace tensorpool::protocol {
namespace {

// Takes a label apart from the left; once something does not fit, nothing fits any more.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  Words& skip(std::string_view word) {
    const bool fits = text_.starts_with(word);
    ok_ = ok_ && fits;
    text_.remove_prefix(fits ? word.size() : 0);
    return *this;
  }
  template <class T>
  Words& number(T& value) {
    const auto [end, fault] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    ok_ = ok_ && fault == std::errc{};
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return *this;
  }
  Words& role(Role& value) {
    const bool producer = text_.starts_with(to_string(Role::producer));
    value = producer ? Role::producer : Role::consumer;
    return skip(to_string(value));
  }
  [[nodiscard]] bool fitted() const { return ok_; }

 private:
  std::string_view text_;
  bool ok_ = true;
};

constexpr std::string_view keepalives_end = " ns: keepalives";
constexpr std::string_view expiry_end = " ns: expires at ns";

}  // namespace

std::string format_lease_label(const LeaseLabel& label, std::int32_t counter_type) {
  return fmt::format("tensorpool {}, lease {}: stream {} {} client {} since {}{}", label.control_stream_id,
                     label.lease_id, label.stream_id, to_string(label.role), label.client_id,
                     label.granted_timestamp_ns,
                     counter_type == lease_expiry_counter_type ? expiry_end : keepalives_end);
}

std::optional<LeaseLabel> parse_lease_label(std::string_view text) {
  LeaseLabel label;
  Words words(text);
  words.skip("tensorpool ").number(label.control_stream_id);
  words.skip(", lease ").number(label.lease_id);
  words.skip(": stream ").number(label.stream_id);
  words.skip(" ").role(label.role);
  words.skip(" client ").number(label.client_id);
  words.skip(" since ").number(label.granted_timestamp_ns);
  if (!words.fitted()) return std::nullopt;
  // Its end, and that no number has leading zeros.
  const bool same = text == format_lease_label(label, lease_keepalives_counter_type) ||
                    text == format_lease_label(label, lease_expiry_counter_type);
  return same ? std::optional(label) : std::nullopt;
}

}  // namespace tensorpool::protocol
