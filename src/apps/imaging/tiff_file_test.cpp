#include "apps/imaging/tiff_file.hpp"

#include <gtest/gtest.h>
#include <tiffio.h>

#include <array>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

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
    auto image = load_image(path_);
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

using RowOfWords = std::array<std::uint16_t, width>;

RowOfWords some_words(std::uint16_t seed) {
  RowOfWords words{};
  for (std::size_t x = 0; x < words.size(); ++x) words[x] = static_cast<std::uint16_t>(seed + 4099 * x);
  return words;
}
std::uint16_t word_at(const Image& image, std::size_t index) {
  std::uint16_t value = 0;
  std::memcpy(&value, image.pixels.data() + index * 2, 2);
  return value;
}

TEST_F(TiffFile, Of16BitPlanesApartKeepsItsBits) {
  const std::array planes{some_words(1), some_words(301), some_words(7001), RowOfWords{}};
  for (const int samples : {3, 4}) {
    write([&](TIFF* tiff) {
      set_samples(tiff, 16, samples, PHOTOMETRIC_RGB);
      TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_SEPARATE);
      for (std::uint16_t plane = 0; plane < samples; ++plane) {
        RowOfWords row = planes[plane];
        for (std::uint32_t y = 0; y < height; ++y) TIFFWriteScanline(tiff, row.data(), y, plane);
      }
    });
    const Image image = loaded();
    EXPECT_EQ(image.layout, TensorLayout::row_major(Dtype::uint16, {height, width, 3}));
    ASSERT_EQ(image.pixels.size(), std::size_t{height} * width * 6);
    for (std::size_t i = 0; i < std::size_t{height} * width * 3; ++i) {
      EXPECT_EQ(word_at(image, i), planes[i % 3][i / 3 % width]) << i;
    }
  }
}

TEST_F(TiffFile, Of16BitsWhereZeroIsWhiteKeepsItsBitsAndIsInverted) {
  write([&](TIFF* tiff) {
    set_samples(tiff, 16, 1, PHOTOMETRIC_MINISWHITE);
    RowOfWords row = some_words(5);
    for (std::uint32_t y = 0; y < height; ++y) TIFFWriteScanline(tiff, row.data(), y, 0);
  });
  const Image image = loaded();
  EXPECT_EQ(image.layout, TensorLayout::row_major(Dtype::uint16, {height, width}));
  for (std::size_t i = 0; i < std::size_t{height} * width; ++i) {
    EXPECT_EQ(word_at(image, i), 65535 - some_words(5)[i % width]) << i;
  }
}

TEST_F(TiffFile, OfPackedBitsIsUnpacked) {
  struct Case {
    int bits;
    std::vector<std::uint8_t> row;  // of the pixels 1, 2, 3, 0, ...
    Dtype dtype;
    std::array<std::uint16_t, 3> pixels;
  };
  const std::vector<Case> cases{{1, {0b10100000, 0}, Dtype::uint8, {255, 0, 255}},
                                {2, {0b01101100, 0, 0, 0}, Dtype::uint8, {85, 170, 255}},
                                {4, {0x12, 0x30, 0, 0, 0, 0, 0, 0}, Dtype::uint8, {17, 34, 51}},
                                {12, {0x12, 0x3F, 0xED}, Dtype::uint16, {0x123, 0xFED, 0}}};
  for (const Case& one : cases) {
    write([&](TIFF* tiff) {
      set_samples(tiff, one.bits, 1, PHOTOMETRIC_MINISBLACK);
      std::vector<std::uint8_t> row = one.row;
      row.resize(width * static_cast<std::size_t>(one.bits) / 8);
      for (std::uint32_t y = 0; y < height; ++y) TIFFWriteScanline(tiff, row.data(), y, 0);
    });
    const Image image = loaded();
    EXPECT_EQ(image.layout, TensorLayout::row_major(one.dtype, {height, width}));
    for (std::size_t x = 0; x < 3 && !image.pixels.empty(); ++x) {
      const std::size_t i = width + x;  // of the second row
      const int value = one.dtype == Dtype::uint16 ? word_at(image, i) : std::to_integer<int>(image.pixels[i]);
      EXPECT_EQ(value, one.pixels[x]) << one.bits << " bits, pixel " << x;
    }
  }
}

TEST_F(TiffFile, IsTurnedUpright) {
  // The upper left and the upper right pixel of the picture, as (row, column) in the file.
  struct Case {
    int orientation;
    std::pair<std::size_t, std::size_t> upper_left, upper_right;
  };
  constexpr std::size_t right = width - 1;
  constexpr std::size_t bottom = height - 1;
  for (const Case& one :
       {Case{1, {0, 0}, {0, right}}, Case{2, {0, right}, {0, 0}}, Case{3, {bottom, right}, {bottom, 0}},
        Case{4, {bottom, 0}, {bottom, right}}, Case{5, {0, 0}, {bottom, 0}}, Case{6, {bottom, 0}, {0, 0}},
        Case{7, {bottom, right}, {0, right}}, Case{8, {0, right}, {bottom, right}}}) {
    std::array<std::array<std::uint8_t, width>, height> rows{};
    for (std::size_t i = 0; i < width * height; ++i) rows[i / width][i % width] = static_cast<std::uint8_t>(i);
    write([&](TIFF* tiff) {
      set_samples(tiff, 8, 1, PHOTOMETRIC_MINISBLACK);
      TIFFSetField(tiff, TIFFTAG_ORIENTATION, one.orientation);
      for (std::uint32_t y = 0; y < height; ++y) {
        auto row = rows[y];
        TIFFWriteScanline(tiff, row.data(), y, 0);
      }
    });
    const Image image = loaded();
    ASSERT_EQ(image.pixels.size(), std::size_t{width} * height);
    const std::int32_t wide = one.orientation > 4 ? height : width;
    EXPECT_EQ(image.layout.dims[1], wide) << one.orientation;
    EXPECT_EQ(image.pixels.front(), std::byte{rows[one.upper_left.first][one.upper_left.second]}) << one.orientation;
    EXPECT_EQ(image.pixels[static_cast<std::size_t>(wide) - 1],
              std::byte{rows[one.upper_right.first][one.upper_right.second]})
        << one.orientation;
  }
}

TEST_F(TiffFile, OfManyPagesIsAStackInOrderWithoutItsThumbnails) {
  TIFF* tiff = TIFFOpen(path_.c_str(), "w");
  for (int page = 0; page < 4; ++page) {
    set_samples(tiff, 8, 1, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width + static_cast<std::uint32_t>(page));
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 1);
    if (page == 1) TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    std::array<std::uint8_t, width + 4> row{};
    row.fill(static_cast<std::uint8_t>(page));
    TIFFWriteScanline(tiff, row.data(), 0, 0);
    TIFFWriteDirectory(tiff);
  }
  TIFFClose(tiff);
  auto reader = ImageReader::open(path_);
  ASSERT_TRUE(reader) << reader.error().message;
  for (const int page : {0, 2, 3}) {
    const auto image = reader->next();
    ASSERT_TRUE(image && *image) << page;
    EXPECT_EQ((*image)->layout.dims[1], static_cast<int>(width) + page);
    EXPECT_EQ((*image)->pixels.front(), std::byte(page));
  }
  const auto end = reader->next();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_FALSE(*end);
}

TEST_F(TiffFile, WithTilesLargerThanTheLimitIsRefusedBeforeMemoryIsTaken) {
  write([&](TIFF* tiff) {
    set_samples(tiff, 16, 1, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 1U << 20);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, 1U << 20);
  });
  const auto image = load_image(path_);
  ASSERT_FALSE(image);
  EXPECT_NE(image.error().message.find(path_), std::string::npos) << image.error().message;
}

TEST_F(TiffFile, OfWhatIsNotSupportedSaysWhatIs) {
  write([&](TIFF* tiff) {
    set_samples(tiff, 16, 1, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    RowOfWords row{};
    for (std::uint32_t y = 0; y < height; ++y) TIFFWriteScanline(tiff, row.data(), y, 0);
  });
  const auto image = load_image(path_);
  ASSERT_FALSE(image);
  EXPECT_NE(image.error().message.find("grey of 1 samples of 16 bits, floating-point is not supported; supported are"),
            std::string::npos)
      << image.error().message;
}

TEST_F(TiffFile, ThatClaimsMorePixelsThanCanBeConvertedIsRefused) {
  write([&](TIFF* tiff) {
    set_samples(tiff, 1, 1, PHOTOMETRIC_MINISWHITE);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 1U << 20);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 1U << 20);
  });
  const auto image = load_image(path_);
  ASSERT_FALSE(image);
  EXPECT_NE(image.error().message.find(path_), std::string::npos) << image.error().message;
}

}  // namespace
}  // namespace tensorpool::apps
