// Shape and element type of one frame, as the wire describes it (wire 1.2, TensorHeader): up to 8 dims, strides in
// bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace tensorpool {

inline constexpr std::size_t max_dims = 8;

// Element type; the values are the wire's.
enum class Dtype : std::int16_t {
  unknown = 0,
  uint8 = 1,
  int8 = 2,
  uint16 = 3,
  int16 = 4,
  uint32 = 5,
  int32 = 6,
  uint64 = 7,
  int64 = 8,
  float32 = 9,
  float64 = 10,
  boolean = 11,
  bytes = 13,
  bit = 14,
};

// Which index moves fastest; the values are the wire's. row = last index (C, NumPy), column = first (Fortran, Julia).
enum class MajorOrder : std::int16_t { unknown = 0, row = 1, column = 2 };

// Unit in which a producer reports partial frames; the values are the wire's.
enum class ProgressUnit : std::uint8_t { none = 0, rows = 1, columns = 2 };

// Bits per element (bit: 1); 0 for unknown.
[[nodiscard]] std::size_t bits_of(Dtype dtype) noexcept;
[[nodiscard]] std::string_view to_string(Dtype dtype) noexcept;
[[nodiscard]] std::string_view to_string(MajorOrder order) noexcept;
// "uint16" -> Dtype::uint16; unknown for anything else.
[[nodiscard]] Dtype dtype_from_string(std::string_view name) noexcept;

template <class T>
inline constexpr Dtype dtype_of = Dtype::unknown;
template <>
inline constexpr Dtype dtype_of<std::uint8_t> = Dtype::uint8;
template <>
inline constexpr Dtype dtype_of<std::int8_t> = Dtype::int8;
template <>
inline constexpr Dtype dtype_of<std::uint16_t> = Dtype::uint16;
template <>
inline constexpr Dtype dtype_of<std::int16_t> = Dtype::int16;
template <>
inline constexpr Dtype dtype_of<std::uint32_t> = Dtype::uint32;
template <>
inline constexpr Dtype dtype_of<std::int32_t> = Dtype::int32;
template <>
inline constexpr Dtype dtype_of<std::uint64_t> = Dtype::uint64;
template <>
inline constexpr Dtype dtype_of<std::int64_t> = Dtype::int64;
template <>
inline constexpr Dtype dtype_of<float> = Dtype::float32;
template <>
inline constexpr Dtype dtype_of<double> = Dtype::float64;
template <>
inline constexpr Dtype dtype_of<bool> = Dtype::boolean;
template <>
inline constexpr Dtype dtype_of<std::byte> = Dtype::bytes;

// Why a layout cannot describe a payload; `none` means that it can.
enum class LayoutFault : std::uint8_t {
  none,
  dtype,
  major_order,
  ndims,
  dims,
  strides,
  too_large,
  progress,
};
[[nodiscard]] std::string_view to_string(LayoutFault fault) noexcept;

// Shape, element type and strides of a frame. Entries of dims and strides at and beyond ndims are zero.
// strides[i] is the distance in bytes between neighbours along dim i; 0 = contiguous, to be inferred: dims times stride
// of the dim inside it. A stride may be anything that lets no two elements overlap; along a dim of one element it has
// no meaning. Readers of AeronTensorPool.jl and tensor_pool_c are stricter and drop frames whose stride is less than
// dims times stride of the dim inside it, such as every second column of an image of odd width: pad the rows for them.
struct TensorLayout {
  Dtype dtype = Dtype::unknown;
  MajorOrder major_order = MajorOrder::row;
  std::uint8_t ndims = 0;
  ProgressUnit progress_unit = ProgressUnit::none;
  std::uint32_t progress_stride_bytes = 0;  // bytes between neighbouring rows or columns when progress_unit is not none
  std::array<std::int32_t, max_dims> dims{};
  std::array<std::int32_t, max_dims> strides{};

  // Contiguous layout with the last index fastest, e.g. row_major(Dtype::uint16, {1080, 1920}).
  // REQUIRES: at most 8 dims.
  [[nodiscard]] static TensorLayout row_major(Dtype dtype, std::initializer_list<std::int32_t> dims) noexcept;
  [[nodiscard]] static TensorLayout row_major(Dtype dtype, std::span<const std::int32_t> dims) noexcept;
  // One dimension of `length` opaque bytes.
  [[nodiscard]] static TensorLayout raw_bytes(std::int32_t length) noexcept;

  [[nodiscard]] std::span<const std::int32_t> shape() const noexcept {
    return {dims.data(), ndims <= max_dims ? ndims : max_dims};
  }

  // Bytes from the first to one past the last element, strides respected; saturates at UINT64_MAX. 0 for an empty
  // shape.
  [[nodiscard]] std::uint64_t extent_bytes() const noexcept;

  // Checks what a reader must check (wire 1.2 §8.2): known dtype and order, ndims 1..8, dims >= 0, strides >= 0,
  // non-overlapping and in line with major_order, extent <= payload_bytes, progress stride true to the layout.
  [[nodiscard]] LayoutFault check(std::uint64_t payload_bytes) const noexcept;

  // "uint16[1080x1920]", for people.
  [[nodiscard]] std::string describe() const;

  bool operator==(const TensorLayout&) const = default;
};

}  // namespace tensorpool
