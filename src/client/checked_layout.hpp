// Frames are mostly alike: a layout that passed its check is only compared the next time. Single thread.
#pragma once

#include <cstdint>

#include "tensorpool/tensor.hpp"

namespace tensorpool::detail {

class CheckedLayout {
 public:
  // As layout.check(payload_bytes).
  [[nodiscard]] LayoutFault check(const TensorLayout& layout, std::uint64_t payload_bytes) noexcept {
    if (id_ != 0 && layout == layout_) {
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
  TensorLayout layout_;
  std::uint64_t extent_bytes_ = 0;
  std::uint32_t id_ = 0;
};

}  // namespace tensorpool::detail
