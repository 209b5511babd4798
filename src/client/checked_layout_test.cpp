#include "client/checked_layout.hpp"

#include <gtest/gtest.h>

namespace tensorpool::detail {
namespace {

TEST(CheckedLayout, AnswersAsTheCheckItself) {
  CheckedLayout checked;
  const TensorLayout image = TensorLayout::row_major(Dtype::uint16, {4, 8});
  TensorLayout broken = image;
  broken.dims[1] = -1;
  for (int round = 0; round < 3; ++round) {
    for (const std::uint64_t bytes : {63U, 64U, 65U}) {
      EXPECT_EQ(checked.check(image, bytes), image.check(bytes)) << bytes;
      EXPECT_EQ(checked.check(broken, bytes), broken.check(bytes)) << bytes;
    }
  }
}

TEST(CheckedLayout, HasAnotherIdWhenTheLayoutChanged) {
  CheckedLayout checked;
  EXPECT_EQ(checked.id(), 0U);
  ASSERT_EQ(checked.check(TensorLayout::raw_bytes(8), 8), LayoutFault::none);
  const std::uint32_t first = checked.id();
  EXPECT_NE(first, 0U);
  ASSERT_EQ(checked.check(TensorLayout::raw_bytes(8), 9), LayoutFault::none);
  EXPECT_EQ(checked.check(TensorLayout::raw_bytes(8), 7), LayoutFault::too_large);
  EXPECT_EQ(checked.check(TensorLayout::raw_bytes(-1), 7), LayoutFault::dims);
  EXPECT_EQ(checked.id(), first) << "what did not pass changes nothing";
  ASSERT_EQ(checked.check(TensorLayout::raw_bytes(7), 8), LayoutFault::none);
  EXPECT_NE(checked.id(), first);
}

}  // namespace
}  // namespace tensorpool::detail
