#include <gtest/gtest.h>

#include <limits>

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
