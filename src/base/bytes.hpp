// Little-endian loads and stores at any alignment, and cursors that cannot leave their span.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>

namespace tensorpool {

static_assert(std::endian::native == std::endian::little,
              "the wire is little-endian and is stored as it lies in memory");

template <class T>
[[nodiscard]] T load_le(const std::byte* from) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store_le(std::byte* to, T value) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(to, &value, sizeof value);
}

// Reads forward; every call says whether the bytes were there, and reads nothing if they were not.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  template <class T>
  [[nodiscard]] bool read(T& value) noexcept {
    if (remaining() < sizeof(T)) return false;
    value = load_le<T>(bytes_.data() + position_);
    position_ += sizeof(T);
    return true;
  }
  [[nodiscard]] bool skip(std::size_t count) noexcept {
    if (remaining() < count) return false;
    position_ += count;
    return true;
  }
  [[nodiscard]] bool take(std::size_t count, std::span<const std::byte>& taken) noexcept {
    if (remaining() < count) return false;
    taken = bytes_.subspan(position_, count);
    position_ += count;
    return true;
  }
  [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size() - position_; }
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

// Writes forward; every call says whether there was room, and writes nothing if there was not.
class ByteWriter {
 public:
  explicit ByteWriter(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}

  template <class T>
  [[nodiscard]] bool write(T value) noexcept {
    if (remaining() < sizeof(T)) return false;
    store_le(bytes_.data() + position_, value);
    position_ += sizeof(T);
    return true;
  }
  [[nodiscard]] bool append(std::span<const std::byte> data) noexcept {
    if (remaining() < data.size()) return false;
    if (!data.empty()) std::memcpy(bytes_.data() + position_, data.data(), data.size());
    position_ += data.size();
    return true;
  }
  [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size() - position_; }
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

 private:
  std::span<std::byte> bytes_;
  std::size_t position_ = 0;
};

}  // namespace tensorpool
