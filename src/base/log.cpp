#include "base/log.hpp"

namespace tensorpool {

std::string escape(std::string_view text, std::size_t max) {
  std::string safe;
  for (const char c : text.substr(0, max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '\\') {
      safe.push_back(c);
    } else {
      safe += fmt::format("\\x{:02x}", byte);
    }
  }
  if (text.size() > max) safe += "...";
  return safe;
}

std::pair<bool, std::uint64_t> Log::admit(Nanos now, const LogGate& limit) {
  constexpr std::size_t max_keys = 64;
  std::string_view key = limit.key;
  auto found = gates_.find(key);
  if (found == gates_.end()) {
    if (gates_.size() >= max_keys) key = "(other)";
    found = gates_.try_emplace(std::string(key)).first;
  }
  Gate& gate = found->second;
  if (gate.opens_again == 0 || now >= gate.opens_again) {
    gate.opens_again = now + nanos_per_second;
    gate.lines = 0;
  }
  if (gate.lines >= limit.lines_per_second) {
    ++gate.held_back;
    return {false, 0};
  }
  ++gate.lines;
  return {true, std::exchange(gate.held_back, 0)};
}

}  // namespace tensorpool
