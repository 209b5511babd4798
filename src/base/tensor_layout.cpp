#include "tensorpool/tensor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace tensorpool {
namespace {

using Wide = unsigned __int128;  // NOLINT

constexpr std::array<std::pair<Dtype, std::string_view>, 14> dtype_names{{
    {Dtype::unknown, "unknown"},
    {Dtype::uint8, "uint8"},
    {Dtype::int8, "int8"},
    {Dtype::uint16, "uint16"},
    {Dtype::int16, "int16"},
    {Dtype::uint32, "uint32"},
    {Dtype::int32, "int32"},
    {Dtype::uint64, "uint64"},
    {Dtype::int64, "int64"},
    {Dtype::float32, "float32"},
    {Dtype::float64, "float64"},
    {Dtype::boolean, "boolean"},
    {Dtype::bytes, "bytes"},
    {Dtype::bit, "bit"},
}};

// Dimensions from the fastest-moving to the slowest.
std::size_t dim_at(const TensorLayout& layout, std::size_t rank) noexcept {
  return layout.major_order == MajorOrder::column ? rank : layout.ndims - 1 - rank;
}

struct Extent {
  Wide bytes = 0;  // from the first to one past the last element
  LayoutFault fault = LayoutFault::none;
  Wide slow_stride = 0;  // of the dim behind the innermost one: the distance between rows (columns)
};

// Walks the dims outwards. Where a dim has several elements, its stride must be at least the span of what lies inside
// it, or elements would overlap. The span ends with the last element: padding behind it may belong to the next row.
// Sums are taken in 128 bits and cut off at 2^63, so that eight dims of 2^31 cannot wrap.
Extent walk(const TensorLayout& layout) noexcept {
  constexpr Wide limit = Wide{1} << 63;
  const bool packed_bits = layout.dtype == Dtype::bit;
  Wide span = std::max<std::size_t>(bits_of(layout.dtype) / 8, packed_bits ? 1 : 0);
  Wide contiguous = span;  // the stride that is inferred for the next dim: whole periods of this one
  Extent extent;
  for (std::size_t rank = 0; rank < layout.ndims; ++rank) {
    const std::size_t d = dim_at(layout, rank);
    const auto count = static_cast<Wide>(layout.dims[d]);
    if (rank == 0 && packed_bits) {  // eight to a byte along the fastest dim
      if (layout.strides[d] != 0) return {0, LayoutFault::strides, 0};
      contiguous = span = (count + 7) / 8;
      continue;
    }
    const Wide stride = layout.strides[d] != 0 ? static_cast<Wide>(layout.strides[d]) : contiguous;
    if (stride < span && count > 1) return {0, LayoutFault::strides, 0};
    if (rank == 1) extent.slow_stride = stride;
    if (count == 0) return extent;
    span += (count - 1) * stride;
    contiguous = std::max(count * stride, span);
    if (contiguous > limit) return {limit, LayoutFault::too_large, extent.slow_stride};
  }
  extent.bytes = layout.ndims == 0 ? 0 : span;
  return extent;
}

}  // namespace

std::size_t bits_of(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::bit:
      return 1;
    case Dtype::uint8:
    case Dtype::int8:
    case Dtype::boolean:
    case Dtype::bytes:
      return 8;
    case Dtype::uint16:
    case Dtype::int16:
      return 16;
    case Dtype::uint32:
    case Dtype::int32:
    case Dtype::float32:
      return 32;
    case Dtype::uint64:
    case Dtype::int64:
    case Dtype::float64:
      return 64;
    case Dtype::unknown:
      break;
  }
  return 0;
}

std::string_view to_string(Dtype dtype) noexcept {
  for (const auto& [value, name] : dtype_names) {
    if (value == dtype) return name;
  }
  return "unknown";
}

std::string_view to_string(MajorOrder order) noexcept {
  switch (order) {
    case MajorOrder::row:
      return "row";
    case MajorOrder::column:
      return "column";
    case MajorOrder::unknown:
      break;
  }
  return "unknown";
}

Dtype dtype_from_string(std::string_view name) noexcept {
  for (const auto& [value, text] : dtype_names) {
    if (text == name) return value;
  }
  return Dtype::unknown;
}

std::string_view to_string(LayoutFault fault) noexcept {
  switch (fault) {
    case LayoutFault::none:
      return "none";
    case LayoutFault::dtype:
      return "unknown element type";
    case LayoutFault::major_order:
      return "unknown major order";
    case LayoutFault::ndims:
      return "number of dimensions not 1 to 8";
    case LayoutFault::dims:
      return "negative dimension";
    case LayoutFault::strides:
      return "strides negative, overlapping or against the major order";
    case LayoutFault::too_large:
      return "shape larger than the payload";
    case LayoutFault::progress:
      return "progress unit or stride inconsistent with the layout";
  }
  return "unknown";
}

TensorLayout TensorLayout::row_major(Dtype dtype, std::initializer_list<std::int32_t> dims) noexcept {
  return row_major(dtype, std::span<const std::int32_t>(dims.begin(), dims.size()));
}

TensorLayout TensorLayout::row_major(Dtype dtype, std::span<const std::int32_t> dims) noexcept {
  TensorLayout layout;
  layout.dtype = dtype;
  layout.ndims = static_cast<std::uint8_t>(std::min(dims.size(), std::size_t{255}));
  std::copy_n(dims.begin(), std::min(dims.size(), tensorpool::max_dims), layout.dims.begin());
  return layout;
}

TensorLayout TensorLayout::raw_bytes(std::int32_t length) noexcept { return row_major(Dtype::bytes, {length}); }

std::uint64_t TensorLayout::extent_bytes() const noexcept {
  if (ndims > tensorpool::max_dims || bits_of(dtype) == 0) return 0;
  if (std::any_of(dims.begin(), dims.begin() + ndims, [](std::int32_t d) { return d < 0; })) return 0;
  if (std::any_of(strides.begin(), strides.begin() + ndims, [](std::int32_t s) { return s < 0; })) return 0;
  const Extent extent = walk(*this);
  if (extent.fault == LayoutFault::too_large) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(extent.bytes);
}

LayoutFault TensorLayout::check(std::uint64_t payload_bytes) const noexcept {
  if (bits_of(dtype) == 0) return LayoutFault::dtype;
  if (major_order != MajorOrder::row && major_order != MajorOrder::column) return LayoutFault::major_order;
  if (ndims == 0 || ndims > tensorpool::max_dims) return LayoutFault::ndims;
  for (std::size_t d = 0; d < ndims; ++d) {
    if (dims[d] < 0) return LayoutFault::dims;
    if (strides[d] < 0) return LayoutFault::strides;
  }
  const Extent extent = walk(*this);
  if (extent.fault != LayoutFault::none) return extent.fault;
  if (extent.bytes > payload_bytes) return LayoutFault::too_large;
  switch (progress_unit) {
    case ProgressUnit::none:
      return LayoutFault::none;
    case ProgressUnit::rows:
      if (major_order != MajorOrder::row) return LayoutFault::progress;
      break;
    case ProgressUnit::columns:
      if (major_order != MajorOrder::column) return LayoutFault::progress;
      break;
    default:
      return LayoutFault::progress;
  }
  if (ndims < 2 || progress_stride_bytes == 0 || progress_stride_bytes != extent.slow_stride)
    return LayoutFault::progress;
  return LayoutFault::none;
}

std::string TensorLayout::describe() const {
  std::string text(to_string(dtype));
  text += '[';
  for (std::size_t d = 0; d < shape().size(); ++d) text += fmt::format("{}{}", d == 0 ? "" : "x", dims[d]);
  text += ']';
  return text;
}

}  // namespace tensorpool
