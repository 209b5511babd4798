// For fuzz targets that drive a whole state machine: the input as a sequence of choices, and messages made of them,
// whole or spoiled. An input that is used up goes on with zeros.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "protocol/codec.hpp"

namespace tensorpool::fuzzing {

inline void require(bool holds) {
  if (!holds) std::abort();
}

// Of directories below /dev/shm; whoever runs the target removes those that a crash left.
inline std::string scratch_prefix() { return "tp-fuzz-" + std::to_string(::getpid()); }

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  [[nodiscard]] bool empty() const noexcept { return left_.empty(); }

  template <class T>
  T number() {
    T value{};
    const std::size_t count = std::min(sizeof value, left_.size());
    std::memcpy(&value, left_.data(), count);
    left_ = left_.subspan(count);
    return value;
  }
  // Less than `count`, at most 256.
  std::size_t choice(std::size_t count) { return number<std::uint8_t>() % count; }
  bool flag() { return choice(2) == 1; }
  std::string text() {
    const std::size_t wanted = choice(64);  // takes from what is left
    const std::size_t length = std::min(wanted, left_.size());
    std::string taken(reinterpret_cast<const char*>(left_.data()), length);
    left_ = left_.subspan(length);
    return taken;
  }

 private:
  std::span<const std::uint8_t> left_;
};

// The message as it travels: mostly as it is, else with some bytes overwritten and its end cut off or stretched.
template <class Message>
std::vector<std::byte> spoiled(Input& input, const Message& message) {
  std::vector<std::byte> bytes(protocol::encoded_length(message));
  bytes.resize(protocol::encode(message, bytes));
  if (bytes.empty() || input.choice(4) != 0) return bytes;
  for (std::size_t i = input.choice(4); i > 0; --i) {
    bytes[input.number<std::uint16_t>() % bytes.size()] = static_cast<std::byte>(input.number<std::uint8_t>());
  }
  if (input.flag()) bytes.resize(1 + input.number<std::uint16_t>() % (bytes.size() + 16));
  return bytes;
}

}  // namespace tensorpool::fuzzing
