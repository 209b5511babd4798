#include "apps/imaging/image.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

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

// While it lives no file of this process may grow beyond `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

TEST(ImageFileThatCannotBeWritten, IsAnErrorWithTheReasonAndLeavesNothing) {
  const TempDir directory("tp_image");
  std::minstd_rand random(1);
  Image image{image_layout(100, 100, 3, 16), std::vector<std::byte>(60'000)};  // that no packing makes small
  for (std::byte& byte : image.pixels) byte = std::byte(random() % 256);
  const std::string before = directory.path() + "/before.png";
  ASSERT_TRUE(save_png(before, counting_image(image_layout(7, 5, 1, 8))));
  for (const rlim_t limit : {rlim_t{0}, rlim_t{1}, rlim_t{100}, rlim_t{8192}, rlim_t{59'000}}) {
    const FileSizeLimit limited(limit);
    for (const auto& [save, name] : {std::pair(&save_png, "/image.png"), std::pair(&save_tiff, "/image.tif")}) {
      const std::string path = directory.path() + name;
      const Status saved = save(path, image);
      ASSERT_FALSE(saved) << name << " of " << limit << " bytes";
      EXPECT_NE(saved.error().message.find(path + ": File too large"), std::string::npos) << saved.error().message;
    }
    EXPECT_FALSE(save_png(before, image));
  }
  EXPECT_EQ(load_image(before)->layout, image_layout(7, 5, 1, 8)) << "the file that was there is damaged";
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) EXPECT_EQ(entry.path(), before);
  EXPECT_NE(save_png(directory.path() + "/none/x.png", image).error().message.find("No such file"), std::string::npos);
}

class ImageDirectory : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    std::ofstream(path(name), std::ios::binary) << content;
  }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  TempDir directory_{"tp_images"};
};

TEST_F(ImageDirectory, ListsImagesInNaturalOrderOfTheirNames) {
  for (const char* name : {"b.PNG", "a10.tiff", "a9.tif", "a010.tif", "a.png", "notes.txt"}) write(name, "x");
  const auto listed = list_images(directory_.path());
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_EQ(listed->paths, (std::vector<std::string>{path("a.png"), path("a9.tif"), path("a010.tif"), path("a10.tiff"),
                                                     path("b.PNG")}));
  EXPECT_EQ(listed->skipped, std::vector<std::string>{path("notes.txt") + " is no .png, .tif or .tiff file"});
}

TEST(NaturalOrder, ComparesNumbersByTheirValue) {
  const std::string nines(40, '9');
  const std::vector<std::string> sorted{
      "",      "1",     "01",      "2",        "10",          "img1",         "img2", "img2.png",
      "img2a", "img10", "img10-2", "img10-10", "img" + nines, "img1" + nines, "imh"};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      if (sorted[i] == "1" && sorted[j] == "01") continue;  // equal but for the zeros; only the order is fixed
      if (sorted[i] == "01" && sorted[j] == "1") continue;
      EXPECT_EQ(is_before(sorted[i], sorted[j]), i < j) << sorted[i] << " " << sorted[j];
    }
  }
  EXPECT_NE(is_before("1", "01"), is_before("01", "1"));
  EXPECT_TRUE(is_before("a", "\xc3\xa9"));
}

TEST_F(ImageDirectory, SkipsWhatIsNoImageFileAndSaysWhy) {
  ASSERT_TRUE(save_png(path("good.png"), counting_image(image_layout(7, 5, 1, 8))));
  for (const char* name : {"._good.png", ".hidden.tif", "locked.png"}) write(name, "x");
  ASSERT_EQ(::mkdir(path("sub.png").c_str(), 0700), 0);
  ASSERT_EQ(::mkfifo(path("pipe.png").c_str(), 0600), 0);
  ASSERT_EQ(::symlink(path("nowhere").c_str(), path("dangling.png").c_str()), 0);
  ASSERT_EQ(::symlink(path("loop.png").c_str(), path("loop.png").c_str()), 0);
  ASSERT_EQ(::symlink("good.png", path("link.png").c_str()), 0);
  ASSERT_EQ(::chmod(path("locked.png").c_str(), 0), 0);
  const auto listed = list_images(directory_.path());
  ASSERT_TRUE(listed) << listed.error().message;
  const auto says = [&](const std::string& name, const std::string& why) {
    return std::count_if(listed->skipped.begin(), listed->skipped.end(), [&](const std::string& line) {
      return line.find(path(name)) != std::string::npos && line.find(why) != std::string::npos;
    });
  };
  EXPECT_EQ(says("._good.png", "is hidden"), 1);
  EXPECT_EQ(says(".hidden.tif", "is hidden"), 1);
  EXPECT_EQ(says("sub.png", "is no regular file"), 1);
  EXPECT_EQ(says("pipe.png", "is no regular file"), 1);
  EXPECT_EQ(says("dangling.png", "No such file"), 1);
  EXPECT_EQ(says("loop.png", "symbolic links"), 1);
  EXPECT_EQ(says("locked.png", "Permission denied"), ::geteuid() == 0 ? 0 : 1);  // root reads every file
  const auto has = [&](const char* name) {
    return std::find(listed->paths.begin(), listed->paths.end(), path(name)) != listed->paths.end();
  };
  EXPECT_TRUE(has("good.png") && has("link.png"));
}

TEST_F(ImageDirectory, ThatIsNotThereIsAnErrorThatNamesIt) {
  EXPECT_NE(list_images(path("nowhere")).error().message.find("nowhere"), std::string::npos);
}

// A header that claims so much, with nothing behind it.
std::string png_of(std::uint32_t width, std::uint32_t height) {
  const auto big = [](std::uint32_t value) {
    return std::string{static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                       static_cast<char>(value)};
  };
  const auto crc = [](const std::string& bytes) {
    std::uint32_t sum = ~0U;
    for (const char byte : bytes) {
      sum ^= static_cast<unsigned char>(byte);
      for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xEDB88320U : 0);
    }
    return ~sum;
  };
  const std::string header = "IHDR" + big(width) + big(height) + std::string("\x08\x02\0\0\0", 5);
  const std::string data = "IDAT";
  return "\x89PNG\r\n\x1a\n" + big(13) + header + big(crc(header)) + big(0) + data + big(crc(data));
}

TEST_F(ImageDirectory, FilesThatClaimMoreThanTheLimitAreRefusedBeforeMemoryIsTaken) {
  write("bomb.png", png_of(50'000, 50'000));
  EXPECT_NE(load_image(path("bomb.png")).error().message.find("limit of 1073741824 bytes"), std::string::npos)
      << load_image(path("bomb.png")).error().message;
  write("empty.png", png_of(10'000, 10'000));
  EXPECT_NE(load_image(path("empty.png")).error().message.find("it is cut off"), std::string::npos)
      << load_image(path("empty.png")).error().message;
  write("wrong.png", png_of(100, 100).replace(20, 1, "x"));
  EXPECT_FALSE(load_image(path("wrong.png"))) << "the checksum of its header is wrong";
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
