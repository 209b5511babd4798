// Frames are mostly alike: a layout that passed its check is only compared the next time. Single thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensorpool/tensor.hpp"

namespace tensorpool::detail {

class CheckedLayout {
 public:
  // As layout.check(payload_bytes).
  [[nodiscard, gnu::always_inline]] inline LayoutFault check(const TensorLayout& layout,
                                                             std::uint64_t payload_bytes) noexcept {
    if (is_known(layout) && extent_bytes_ <= payload_bytes) [[likely]]
      return LayoutFault::none;
    return learn(layout, payload_bytes);
  }
  // Both of the layout that passed last. The id is never 0 then; a layout that comes back may have another.
  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  [[nodiscard]] std::uint64_t extent_bytes() const noexcept { return extent_bytes_; }

 private:
  [[gnu::noinline]] LayoutFault learn(const TensorLayout& layout, std::uint64_t payload_bytes) noexcept {
    const LayoutFault fault = layout.check(payload_bytes);
    if (fault != LayoutFault::none) return fault;
    layout_ = layout;
    extent_bytes_ = layout.extent_bytes();
    id_ = id_ + 1 == 0 ? 1 : id_ + 1;
    return fault;
  }
  // As operator==, in one look at the numbers.
  [[nodiscard, gnu::always_inline]] inline bool is_known(const TensorLayout& layout) const noexcept {
    static_assert(offsetof(TensorLayout, progress_unit) + 1 == kind_bytes &&
                  offsetof(TensorLayout, dims) == numbers_at);
    static_assert(offsetof(TensorLayout, progress_stride_bytes) == sizeof(std::uint64_t) &&
                  offsetof(TensorLayout, strides) == numbers_at + sizeof layout.dims);
    const std::uint64_t kind = kind_of(layout) ^ kind_of(layout_);
    const std::uint32_t stride = layout.progress_stride_bytes ^ layout_.progress_stride_bytes;
    Pair numbers{};
    for_each_pair([&](std::size_t i) { numbers |= pair_of(layout, i) ^ pair_of(layout_, i); });
    return (kind | stride | numbers[0] | numbers[1]) == 0;
  }
  // Type, order, number of dimensions and progress unit, and no padding.
  static std::uint64_t kind_of(const TensorLayout& layout) noexcept {
    std::uint64_t kind = 0;
    std::memcpy(&kind, &layout, sizeof kind);
    return kind << (64 - 8 * kind_bytes);
  }
  // Four of dims or strides at a time.
  using Pair = std::uint64_t __attribute__((vector_size(16)));
  static Pair pair_of(const TensorLayout& layout, std::size_t i) noexcept {
    Pair pair;
    std::memcpy(&pair, reinterpret_cast<const std::byte*>(&layout) + numbers_at + i * sizeof pair, sizeof pair);
    return pair;
  }
  template <class Each>
  static void for_each_pair(Each&& each) noexcept {
    each(0), each(1), each(2), each(3);
  }
  static constexpr std::size_t kind_bytes = 6;
  static constexpr std::size_t numbers_at = 12;

  TensorLayout layout_;
  std::uint64_t extent_bytes_ = ~std::uint64_t{0};  // fits nothing before the first
  std::uint32_t id_ = 0;
};

}  // namespace tensorpool::detail
