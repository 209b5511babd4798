#include "apps/imaging/tiff_file.hpp"

#include <gtest/gtest.h>
#include <tiffio.h>

#include <cstring>
#include <functional>

#include "support/temp_dir.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::uint32_t width = 16;
constexpr std::uint32_t height = 2;

// A file of width x height pixels, whose further tags and scan lines the caller writes.
class TiffFile : public testing::Test {
 protected:
  void write(const std::function<void(TIFF*)>& content) const {
    TIFF* tiff = TIFFOpen(path_.c_str(), "w");
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, height);
    content(tiff);
    TIFFClose(tiff);
  }
  static void set_samples(TIFF* tiff, int bits, int samples, int photometric) {
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, samples);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  }
  Image loaded() const {
    auto image = load_tiff(path_);
    EXPECT_TRUE(image) << image.error().message;
    return image ? *image : Image{};
  }

  TempDir directory_{"tp_tiff"};
  std::string path_ = directory_.path() + "/image.tif";
};

TEST_F(TiffFile, OfFloatsIsTakenAsItIs) {
  std::array<float, width> row{};
  for (std::size_t x = 0; x < row.size(); ++x) row[x] = static_cast<float>(x) * 0.25F - 1;
  write([&](TIFF* tiff) {
    set_samples(tiff, 32, 1, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    for (std::uint32_t y = 0; y < height; ++y) TIFFWriteScanline(tiff, row.data(), y, 0);
  });
  const Image image = loaded();
  EXPECT_EQ(image.layout, TensorLayout::row_major(Dtype::float32, {height, width}));
  ASSERT_EQ(image.pixels.size(), height * sizeof(row));
  EXPECT_EQ(std::memcmp(image.pixels.data() + sizeof(row), row.data(), sizeof(row)), 0);
}

TEST_F(TiffFile, OfBitsWhereZeroIsWhiteBecomesGrey) {
  const std::array<std::uint8_t, width / 8> row{0x80, 0x01};
  write([&](TIFF* tiff) {
    set_samples(tiff, 1, 1, PHOTOMETRIC_MINISWHITE);
    for (std::uint32_t y = 0; y < height; ++y) TIFFWriteScanline(tiff, const_cast<std::uint8_t*>(row.data()), y, 0);
  });
  const Image image = loaded();
  EXPECT_EQ(image.layout, TensorLayout::row_major(Dtype::uint8, {height, width}));
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const bool black = i % width == 0 || i % width == width - 1;
    EXPECT_EQ(image.pixels[i], std::byte(black ? 0 : 255)) << i;
  }
}

TEST_F(TiffFile, WithAPaletteBecomesColours) {
  std::array<std::uint8_t, width> row{};
  for (std::size_t x = 0; x < row.size(); ++x) row[x] = static_cast<std::uint8_t>(x);
  std::array<std::uint16_t, 256> red{}, green{}, blue{};
  for (std::size_t i = 0; i < width; ++i) red[i] = static_cast<std::uint16_t>(0x1000 * i), blue[i] = 0xFFFF;
  write([&](TIFF* tiff) {
    set_samples(tiff, 8, 1, PHOTOMETRIC_PALETTE);
    TIFFSetField(tiff, TIFFTAG_COLORMAP, red.data(), green.data(), blue.data());
    for (std::uint32_t y = 0; y < height; ++y) TIFFWriteScanline(tiff, row.data(), y, 0);
  });
  const Image image = loaded();
  EXPECT_EQ(image.layout, TensorLayout::row_major(Dtype::uint8, {height, width, 3}));
  ASSERT_EQ(image.pixels.size(), std::size_t{height} * width * 3);
  for (std::size_t x = 0; x < width; ++x) {
    EXPECT_EQ(image.pixels[x * 3], std::byte(0x10 * x));
    EXPECT_EQ(image.pixels[x * 3 + 1], std::byte(0));
    EXPECT_EQ(image.pixels[x * 3 + 2], std::byte(255));
  }
}

TEST_F(TiffFile, ThatClaimsMorePixelsThanCanBeConvertedIsRefused) {
  write([&](TIFF* tiff) {
    set_samples(tiff, 1, 1, PHOTOMETRIC_MINISWHITE);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 1U << 20);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 1U << 20);
  });
  const auto image = load_tiff(path_);
  ASSERT_FALSE(image);
  EXPECT_NE(image.error().message.find(path_), std::string::npos) << image.error().message;
}

}  // namespace
}  // namespace tensorpool::apps
