// The small texts of others: channel URIs of configurations and messages, labels of counters that anybody may make.
// What is understood says the same again.
#include <string>

#include "client/attachment_counters.hpp"
#include "fuzz/fuzz_input.hpp"
#include "protocol/lease_label.hpp"
#include "transport/channel_uri.hpp"

namespace {

using namespace tensorpool;
using fuzzing::require;

void check_channel(const std::string& text) {
  const auto uri = transport::ChannelUri::parse(text);
  if (!uri) {
    require(!uri.error().message.empty());
    require(!transport::descriptor_publication_channel(text));
    return;
  }
  const auto again = transport::ChannelUri::parse(uri->str());
  require(again && again->str() == uri->str());
  for (const auto build : {transport::control_channel, transport::driver_channel, transport::metadata_channel,
                           transport::descriptor_publication_channel, transport::own_descriptor_publication_channel}) {
    const auto built = build(text);
    require(built && transport::ChannelUri::parse(*built));
    require(build(*built).value() == *built);  // nothing is added twice
  }
}

void check_labels(const std::string& text) {
  if (const auto label = protocol::parse_lease_label(text)) {
    bool same = false;
    for (const auto type : {protocol::lease_keepalives_counter_type, protocol::lease_expiry_counter_type}) {
      const std::string again = protocol::format_lease_label(*label, type);
      require(protocol::parse_lease_label(again) == label);
      same = same || again == text;
    }
    require(same);
  }
  if (const auto label = detail::parse_counter_label(text)) {
    require(detail::to_label(label->owner, label->figure) == text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_channel(text);
  check_labels(text);
  return 0;
}
