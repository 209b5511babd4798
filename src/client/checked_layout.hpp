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
  [[nodiscard]] LayoutFault check(const TensorLayout& layout, std::uint64_t payload_bytes) noexcept {
    if (id_ != 0 && is_known(layout)) {
      return extent_bytes_ <= payload_bytes ? LayoutFault::none : LayoutFault::too_large;
    }
    const LayoutFault fault = layout.check(payload_bytes);
    if (fault != LayoutFault::none) return fault;
    layout_ = layout;
    extent_bytes_ = layout.extent_bytes();
    id_ = id_ + 1 == 0 ? 1 : id_ + 1;
    return fault;
  }
  // Of the layout that passed last, never 0 then. A layout that comes back may have another.
  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }

 private:
  // As operator==, in one look at the numbers.
  [[nodiscard]] bool is_known(const TensorLayout& layout) const noexcept {
    static_assert(offsetof(TensorLayout, strides) == offsetof(TensorLayout, dims) + sizeof layout.dims);
    return layout.dtype == layout_.dtype && layout.ndims == layout_.ndims &&
           layout.major_order == layout_.major_order && layout.progress_unit == layout_.progress_unit &&
           layout.progress_stride_bytes == layout_.progress_stride_bytes &&
           std::memcmp(&layout.dims, &layout_.dims, sizeof layout.dims + sizeof layout.strides) == 0;
  }

  TensorLayout layout_;
  std::uint64_t extent_bytes_ = 0;
  std::uint32_t id_ = 0;
};

}  // namespace tensorpool::detail
