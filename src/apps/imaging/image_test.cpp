#include "apps/imaging/image.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "apps/imaging/png_file.hpp"
#include "apps/imaging/tiff_file.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::apps {
namespace {

Image counting_image(TensorLayout layout) {
  Image image{layout, std::vector<std::byte>(layout.extent_bytes())};
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = std::byte(i * 37 % 251);
  return image;
}

class ImageFile : public testing::TestWithParam<TensorLayout> {
 protected:
  TempDir directory_{"tp_image"};
};

TEST_P(ImageFile, ComesBackFromPngAndTiffAsItWas) {
  const Image image = counting_image(GetParam());
  const std::string png = directory_.path() + "/image.png";
  const std::string tiff = directory_.path() + "/image.tif";
  ASSERT_TRUE(save_png(png, image));
  ASSERT_TRUE(save_tiff(tiff, image));
  for (const std::string& path : {png, tiff}) {
    const auto loaded = load_image(path);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->layout, image.layout) << loaded->layout.describe();
    EXPECT_EQ(loaded->pixels, image.pixels);
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, ImageFile,
                         testing::Values(image_layout(7, 5, 1, 8), image_layout(7, 5, 1, 16), image_layout(7, 5, 3, 8),
                                         image_layout(7, 5, 3, 16), image_layout(1, 1, 1, 8)));

class ImageDirectory : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    std::ofstream(path(name), std::ios::binary) << content;
  }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  TempDir directory_{"tp_images"};
};

TEST_F(ImageDirectory, ListsImagesInOrderOfTheirNames) {
  for (const char* name : {"b.PNG", "a.tiff", "c.tif", "notes.txt"}) write(name, "x");
  const auto listed = list_images(directory_.path());
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_EQ(*listed, (std::vector<std::string>{path("a.tiff"), path("b.PNG"), path("c.tif")}));
}

TEST_F(ImageDirectory, WithoutImagesIsAnErrorThatSaysWhatIsExpected) {
  EXPECT_NE(list_images(directory_.path()).error().message.find(".png"), std::string::npos);
  EXPECT_NE(list_images(path("nowhere")).error().message.find("nowhere"), std::string::npos);
}

TEST_F(ImageDirectory, DamagedFilesAreErrorsThatNameTheFile) {
  ASSERT_TRUE(save_png(path("whole.png"), counting_image(image_layout(64, 64, 1, 16))));
  ASSERT_TRUE(save_tiff(path("whole.tif"), counting_image(image_layout(64, 64, 1, 16))));
  for (const char* name : {"whole.png", "whole.tif"}) {
    std::ifstream whole(path(name), std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(whole)), {});
    for (std::size_t length = 0; length < content.size(); length += 97) {
      write("cut", content.substr(0, length));
      const auto loaded = load_image(path("cut"));
      ASSERT_FALSE(loaded) << name << " cut to " << length;
      EXPECT_NE(loaded.error().message.find(path("cut")), std::string::npos);
    }
  }
  write("text.png", "not an image");
  EXPECT_EQ(load_image(path("text.png")).error().code, ErrorCode::unsupported);
}

}  // namespace
}  // namespace tensorpool::apps
