#include "apps/demo/pixel_work.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tensorpool::apps {
namespace {

TensorLayout image(Dtype dtype, std::int32_t height, std::int32_t width) {
  return TensorLayout::row_major(dtype, {height, width});
}

std::optional<TensorLayout> output(WorkKind kind, const TensorLayout& in) {
  return PixelWork(kind).output_of(in, in.extent_bytes());
}

TEST(PixelWork, StatesShapeAndTypeOfItsOutput) {
  EXPECT_EQ(output(WorkKind::background, image(Dtype::uint16, 6, 8)), image(Dtype::int16, 6, 8));
  EXPECT_EQ(output(WorkKind::background, image(Dtype::uint8, 6, 8)), image(Dtype::int16, 6, 8));
  EXPECT_EQ(output(WorkKind::threshold, image(Dtype::uint16, 6, 8)), image(Dtype::uint8, 6, 8));
  EXPECT_EQ(output(WorkKind::bin2, image(Dtype::uint16, 7, 9)), image(Dtype::uint16, 3, 4));
}

TEST(PixelWork, RefusesWhatItCannotRead) {
  EXPECT_FALSE(output(WorkKind::bin2, image(Dtype::uint8, 6, 8)));
  EXPECT_FALSE(output(WorkKind::bin2, image(Dtype::uint16, 1, 8)));
  EXPECT_FALSE(output(WorkKind::threshold, image(Dtype::float32, 6, 8)));
  EXPECT_FALSE(output(WorkKind::background, TensorLayout::row_major(Dtype::uint8, {6, 8, 3})));
  EXPECT_FALSE(output(WorkKind::background, image(Dtype::uint8, 0, 8)));
  EXPECT_FALSE(PixelWork(WorkKind::background).output_of(image(Dtype::uint8, 6, 8), 47));
  TensorLayout padded = image(Dtype::uint8, 6, 8);
  padded.strides = {16, 1};
  EXPECT_FALSE(PixelWork(WorkKind::background).output_of(padded, padded.extent_bytes()));
}

TEST(PixelWork, FollowsABrightSpotOverFrames) {
  PixelWork work(WorkKind::background);
  const TensorLayout in = image(Dtype::uint16, 8, 8);
  const TensorLayout out = *work.output_of(in, 128);
  std::vector<std::byte> result(out.extent_bytes());
  for (std::size_t x = 1; x < 6; ++x) {
    std::vector<std::uint16_t> pixels(64, 100);
    pixels[3 * 8 + x] = 4000;
    work.run(std::span<const std::uint16_t>(pixels), in, result);
    work.keep(out, result);
    if (x > 1) {
      EXPECT_EQ(work.finding(), (Json{{"centroid", {static_cast<double>(x), 3.0}}}));
    }
  }
}

TEST(PixelWork, ThresholdTellsItsBin) {
  PixelWork work(WorkKind::threshold);
  const std::vector<std::uint8_t> pixels{10, 10, 200, 200};
  std::vector<std::byte> mask(4);
  work.run(std::span<const std::uint8_t>(pixels), image(Dtype::uint8, 2, 2), mask);
  EXPECT_EQ(mask, (std::vector<std::byte>{std::byte{0}, std::byte{0}, std::byte{255}, std::byte{255}}));
  EXPECT_EQ(work.finding(), (Json{{"threshold", 10}}));
}

}  // namespace
}  // namespace tensorpool::apps
