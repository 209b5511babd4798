#include "apps/tp/slide_show.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "apps/imaging/png_file.hpp"
#include "apps/imaging/tiff_file.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::apps {
namespace {

class Slides : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return dir_.path() + "/" + name; }
  // An image of so many pixels, each `shade`.
  void save(const std::string& name, int shade, std::int32_t width = 8) const {
    const Image image{image_layout(width, 4, 1, 8),
                      std::vector<std::byte>(static_cast<std::size_t>(width) * 4, std::byte(shade))};
    ASSERT_TRUE(save_png(path(name), image));
  }
  Result<SlideShow> open(std::uint64_t budget = 1U << 20) {
    return SlideShow::open(
        dir_.path(), [this](const std::string& text) { said_.push_back(text); }, budget);
  }
  // The shades of the next round; -1 for an error.
  static std::vector<int> round(SlideShow& show) {
    std::vector<int> shades;
    for (;;) {
      const auto slide = show.next();
      if (!slide) return shades.push_back(-1), shades;
      if (!*slide) return shades;
      shades.push_back(std::to_integer<int>((*slide)->image.pixels.front()));
    }
  }

  TempDir dir_{"tp-slides"};
  std::vector<std::string> said_;
};

TEST_F(Slides, ComeInNaturalOrderRoundByRound) {
  save("img10.png", 10);
  save("img2.png", 2, 16);
  save("img1.png", 1);
  auto show = open();
  ASSERT_TRUE(show) << show.error().message;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(round(*show), (std::vector<int>{1, 2, 10}));
}

TEST_F(Slides, ThatFitTheBudgetAreDecodedOnce) {
  save("a.png", 1);
  auto kept = open(32);
  auto decoded = open(31);
  ASSERT_TRUE(kept && decoded);
  EXPECT_EQ(round(*kept), std::vector<int>{1});
  EXPECT_EQ(round(*decoded), std::vector<int>{1});
  save("a.png", 7);
  EXPECT_EQ(round(*kept), std::vector<int>{1});
  EXPECT_EQ(round(*decoded), std::vector<int>{7});
}

TEST_F(Slides, AreSkippedAndNamedOnceWhereTheyCannotBeRead) {
  save("good.png", 5);
  std::ofstream(path("broken.png")) << "no image";
  std::filesystem::create_directory(path("sub.png"));
  auto show = open(0);
  ASSERT_TRUE(show) << show.error().message;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(round(*show), std::vector<int>{5});
  EXPECT_EQ(said_, (std::vector<std::string>{
                       "skipped: " + path("sub.png") + " is no regular file",
                       "skipped: " + path("broken.png") + " is neither PNG nor TIFF by its first bytes"}));
}

TEST_F(Slides, NeedAnImageThatCanBeRead) {
  EXPECT_NE(open().error().message.find("holds no image; it must hold .png, .tif or .tiff files"), std::string::npos);
  std::ofstream(path("broken.png")) << "no image";
  auto show = open();
  ASSERT_TRUE(show);
  EXPECT_NE(show->next().error().message.find("holds no image that can be read"), std::string::npos);
}

}  // namespace
}  // namespace tensorpool::apps
