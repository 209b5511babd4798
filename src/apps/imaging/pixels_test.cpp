#include <gtest/gtest.h>

#include <vector>

#include "apps/imaging/background.hpp"
#include "apps/imaging/binning.hpp"
#include "apps/imaging/threshold.hpp"

namespace tensorpool::apps {
namespace {

using Words = std::vector<std::uint16_t>;
using Bytes = std::vector<std::uint8_t>;
using Signed = std::vector<std::int16_t>;

Signed difference(Background& background, const Words& frame) {
  Signed out(frame.size());
  background.subtract(std::span<const std::uint16_t>(frame), out);
  return out;
}

TEST(Background, OfTheFirstFrameIsItself) {
  Background background;
  EXPECT_EQ(difference(background, {0, 100, 65535, 7}), (Signed{0, 0, 0, 0}));
}

TEST(Background, GivesSignedDifferencesAndClampsThem) {
  Background background;
  difference(background, {100, 100, 65535, 0});
  EXPECT_EQ(difference(background, {130, 90, 0, 65535}), (Signed{30, -10, -32768, 32767}));
}

TEST(Background, LearnsAShareOfTheDifference) {
  Background background(1);  // one half
  difference(background, {100, 100});
  background.learn(difference(background, {200, 0}));
  EXPECT_EQ(difference(background, {150, 50}), (Signed{0, 0}));
}

TEST(Background, DoesNotLearnFromAFrameThatIsOnlyLookedAt) {
  Background background(1);
  difference(background, {100});
  difference(background, {300});
  EXPECT_EQ(difference(background, {300}), (Signed{200}));
}

TEST(Background, StartsOverWithAnotherSize) {
  Background background;
  difference(background, {1, 2, 3});
  EXPECT_EQ(difference(background, {500, 600}), (Signed{0, 0}));
}

TEST(Background, TakesBytesToo) {
  Background background;
  const Bytes dark(4, 10);
  const Bytes bright{10, 255, 0, 11};
  Signed out(4);
  background.subtract(std::span<const std::uint8_t>(dark), out);
  background.subtract(std::span<const std::uint8_t>(bright), out);
  EXPECT_EQ(out, (Signed{0, 245, -10, 1}));
}

TEST(Centroid, LiesBetweenTheBrightPixelsByWeight) {
  const Signed pixels{0, 0,  0, 0,   //
                      0, 30, 0, 10,  // 10 is below half of 30 and does not count
                      0, 0,  0, 0,   //
                      0, 30, 0, 0};
  const Centroid centroid = centroid_of(pixels, 4);
  EXPECT_DOUBLE_EQ(centroid.x, 1);
  EXPECT_DOUBLE_EQ(centroid.y, 2);
  EXPECT_DOUBLE_EQ(centroid.weight, 60);
  const Centroid weighted = centroid_of(Signed{20, 60, 40, 0}, 4);  // 60 at 1, 40 at 2
  EXPECT_DOUBLE_EQ(weighted.x, 1.4);
  EXPECT_DOUBLE_EQ(weighted.y, 0);
}

TEST(Centroid, OfNothingHasNoWeight) {
  EXPECT_EQ(centroid_of(Signed{0, -5, 0, -1}, 2).weight, 0);
  EXPECT_EQ(centroid_of({}, 2).weight, 0);
}

TEST(Binning, RoundsTheMeanOfFour) {
  const Words in{1, 2, 10,    20,     //
                 3, 4, 30,    41,     //
                 0, 0, 65535, 65535,  //
                 0, 1, 65535, 65535};
  Words out(4);
  bin_2x2(in, 4, 4, out);
  EXPECT_EQ(out, (Words{3, 25, 0, 65535}));  // 10/4 = 2.5 -> 3, 101/4 = 25.25, 1/4, full scale
}

TEST(Binning, LeavesOutAnOddLastRowAndColumn) {
  const Words in{4, 4, 9,  //
                 4, 4, 9,  //
                 9, 9, 9};
  Words out(1);
  bin_2x2(in, 3, 3, out);
  EXPECT_EQ(out, (Words{4}));
}

TEST(Threshold, HistogramCountsTheUpperEightBits) {
  const Histogram of_words = histogram_of(std::span<const std::uint16_t>(Words{0, 255, 256, 65535, 511}));
  EXPECT_EQ(of_words[0], 2U);
  EXPECT_EQ(of_words[1], 2U);
  EXPECT_EQ(of_words[255], 1U);
  const Histogram of_bytes = histogram_of(std::span<const std::uint8_t>(Bytes{7, 7, 8, 255, 7, 7}));
  EXPECT_EQ(of_bytes[7], 4U);
  EXPECT_EQ(of_bytes[8], 1U);
  EXPECT_EQ(of_bytes[255], 1U);
}

TEST(Threshold, PartsTwoGroups) {
  const Bytes pixels{10, 11, 12, 11, 200, 201, 202};
  const std::size_t bin = otsu_threshold(histogram_of(std::span<const std::uint8_t>(pixels)));
  EXPECT_GE(bin, 12U);
  EXPECT_LT(bin, 200U);
  Bytes mask(pixels.size(), 7);
  mask_above(std::span<const std::uint8_t>(pixels), bin, mask);
  EXPECT_EQ(mask, (Bytes{0, 0, 0, 0, 255, 255, 255}));
}

TEST(Threshold, OfAnEvenImageIsZero) {
  EXPECT_EQ(otsu_threshold(histogram_of(std::span<const std::uint8_t>(Bytes(9, 42)))), 0U);
  EXPECT_EQ(otsu_threshold(Histogram{}), 0U);
}

TEST(Threshold, MaskOfWordsComparesBins) {
  const Words pixels{0, 511, 512, 65535};
  Bytes mask(4);
  mask_above(std::span<const std::uint16_t>(pixels), 1, mask);
  EXPECT_EQ(mask, (Bytes{0, 0, 255, 255}));
}

}  // namespace
}  // namespace tensorpool::apps
