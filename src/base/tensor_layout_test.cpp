#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "tensorpool/tensor.hpp"

namespace tensorpool {
namespace {

TEST(TensorLayout, KnowsTheExtentOfAContiguousImage) {
  const auto image = TensorLayout::row_major(Dtype::uint16, {1080, 1920});
  EXPECT_EQ(image.extent_bytes(), 1080U * 1920U * 2U);
  EXPECT_EQ(image.check(1080 * 1920 * 2), LayoutFault::none);
  EXPECT_EQ(image.check(1080 * 1920 * 2 - 1), LayoutFault::too_large);
  EXPECT_EQ(image.describe(), "uint16[1080x1920]");
}

TEST(TensorLayout, CountsPaddedRowsButNotThePaddingOfTheLast) {
  auto image = TensorLayout::row_major(Dtype::uint8, {3, 10});
  image.strides = {16, 1};
  EXPECT_EQ(image.extent_bytes(), 2U * 16U + 10U);
  EXPECT_EQ(image.check(42), LayoutFault::none);
}

// spec: wire 1.2 8.2 "strides MUST describe a non-overlapping layout consistent with major_order"
TEST(TensorLayout, RefusesOverlapNegativesAndTheWrongOrder) {
  auto image = TensorLayout::row_major(Dtype::uint16, {4, 10});
  image.strides = {19, 2};
  EXPECT_EQ(image.check(1000), LayoutFault::strides);
  image.strides = {-20, 2};
  EXPECT_EQ(image.check(1000), LayoutFault::strides);
  image.strides = {2, 8};  // column-major strides under a row-major flag
  EXPECT_EQ(image.check(1000), LayoutFault::strides);
  image.major_order = MajorOrder::column;
  EXPECT_EQ(image.check(1000), LayoutFault::none);
  image.strides = {0, 1};  // element stride below the element's size
  EXPECT_EQ(image.check(1000), LayoutFault::strides);
}

TEST(TensorLayout, AllowsEverySecondColumnOfAnOddWidth) {
  auto columns = TensorLayout::row_major(Dtype::uint16, {4, 3});  // of rows of 5 pixels
  columns.strides = {10, 4};
  EXPECT_EQ(columns.check(40), LayoutFault::none);
  EXPECT_EQ(columns.extent_bytes(), 40U);
  columns.strides = {9, 4};
  EXPECT_EQ(columns.check(40), LayoutFault::strides);
  columns = TensorLayout::row_major(Dtype::uint16, {3, 4});
  columns.major_order = MajorOrder::column;
  columns.strides = {4, 10};
  EXPECT_EQ(columns.check(40), LayoutFault::none);
}

TEST(TensorLayout, InfersWholePeriodsOfTheDimInside) {
  auto layout = TensorLayout::row_major(Dtype::uint16, {4, 3});
  layout.strides = {0, 4};
  EXPECT_EQ(layout.extent_bytes(), 3U * 12U + 10U);
}

TEST(TensorLayout, GivesTheStrideOfASingleElementNoMeaning) {
  auto layout = TensorLayout::row_major(Dtype::uint16, {1, 10});
  layout.strides = {2, 2};
  EXPECT_EQ(layout.check(20), LayoutFault::none);
  layout = TensorLayout::row_major(Dtype::uint16, {3, 1, 10});
  layout.strides = {0, 2, 2};
  EXPECT_EQ(layout.extent_bytes(), 60U);
  layout.strides = {2, 2, 2};
  EXPECT_EQ(layout.check(60), LayoutFault::strides);
}

// Of all small layouts: accepted is exactly what overlaps nowhere and ascends in the major order.
TEST(TensorLayout, AcceptsExactlyWhatDoesNotOverlap) {
  const auto check = [](std::array<std::int32_t, 3> dims, std::array<std::int32_t, 3> strides) {
    auto layout = TensorLayout::row_major(Dtype::uint16, dims);
    std::copy(strides.begin(), strides.end(), layout.strides.begin());
    std::vector<int> owners(200, 0);
    bool overlaps = false;
    std::int32_t end = 0;
    for (int i = 0; i < dims[0]; ++i) {
      for (int j = 0; j < dims[1]; ++j) {
        for (int k = 0; k < dims[2]; ++k) {
          const std::int32_t at = i * strides[0] + j * strides[1] + k * strides[2];
          for (std::int32_t byte = at; byte < at + 2; ++byte)
            overlaps = overlaps || ++owners[static_cast<std::size_t>(byte)] > 1;
          end = std::max(end, at + 2);
        }
      }
    }
    // Dims of one element have no order.
    std::int32_t inner = 2;
    bool ascends = true;
    for (const std::size_t d : {std::size_t{2}, std::size_t{1}, std::size_t{0}}) {
      if (dims[d] < 2) continue;
      ascends = ascends && strides[d] >= inner;
      inner += (dims[d] - 1) * strides[d];
    }
    EXPECT_EQ(layout.check(1000) == LayoutFault::none, ascends && !overlaps) << layout.describe();
    if (!ascends) return;
    EXPECT_FALSE(overlaps) << layout.describe();
    EXPECT_EQ(layout.extent_bytes(), static_cast<std::uint64_t>(end)) << layout.describe();
  };
  for (std::int32_t shape = 0; shape < 27; ++shape) {
    for (std::int32_t a = 1; a < 16; ++a) {
      for (std::int32_t b = 1; b < 12; ++b) {
        for (std::int32_t c = 1; c < 6; ++c) check({1 + shape / 9, 1 + shape / 3 % 3, 1 + shape % 3}, {a, b, c});
      }
    }
  }
}

TEST(TensorLayout, DoesNotWrapOnAbsurdShapes) {
  TensorLayout layout = TensorLayout::row_major(Dtype::float64, {1});
  layout.ndims = 8;
  layout.dims.fill(std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(layout.check(std::numeric_limits<std::uint64_t>::max() / 2), LayoutFault::too_large);
  EXPECT_EQ(layout.extent_bytes(), std::numeric_limits<std::uint64_t>::max());
}

TEST(TensorLayout, RefusesUnknownTypesAndRanks) {
  TensorLayout layout = TensorLayout::row_major(Dtype::uint8, {4});
  layout.dtype = static_cast<Dtype>(12);
  EXPECT_EQ(layout.check(4), LayoutFault::dtype);
  layout.dtype = Dtype::uint8;
  layout.ndims = 9;
  EXPECT_EQ(layout.check(4), LayoutFault::ndims);
  layout.ndims = 0;
  EXPECT_EQ(layout.check(4), LayoutFault::ndims);
  layout.ndims = 1;
  layout.dims[0] = -1;
  EXPECT_EQ(layout.check(4), LayoutFault::dims);
  layout.dims[0] = 4;
  layout.major_order = MajorOrder::unknown;
  EXPECT_EQ(layout.check(4), LayoutFault::major_order);
}

TEST(TensorLayout, PacksBitsEightToAByte) {
  EXPECT_EQ(TensorLayout::row_major(Dtype::bit, {3, 10}).extent_bytes(), 6U);
}

TEST(TensorLayout, AllowsAnEmptyFrame) {
  EXPECT_EQ(TensorLayout::row_major(Dtype::uint8, {0}).check(0), LayoutFault::none);
  EXPECT_EQ(TensorLayout::row_major(Dtype::uint8, {0, 100}).extent_bytes(), 0U);
}

TEST(TensorLayout, HoldsProgressToTheTrueRowStride) {
  auto image = TensorLayout::row_major(Dtype::uint16, {4, 10});
  image.progress_unit = ProgressUnit::rows;
  EXPECT_EQ(image.check(80), LayoutFault::progress);
  image.progress_stride_bytes = 20;
  EXPECT_EQ(image.check(80), LayoutFault::none);
  image.progress_unit = ProgressUnit::columns;
  EXPECT_EQ(image.check(80), LayoutFault::progress);
}

TEST(TensorLayout, NamesItsTypesBothWays) {
  EXPECT_EQ(dtype_from_string("float32"), Dtype::float32);
  EXPECT_EQ(dtype_from_string("complex"), Dtype::unknown);
  EXPECT_EQ(to_string(Dtype::uint16), "uint16");
}

}  // namespace
}  // namespace tensorpool
