// The tensor of each kind of pixel format, without a camera.
#include "apps/gige/pixel_format.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace tensorpool::apps {
namespace {

struct Case {
  PixelFormatCode code;
  const char* name;
  std::size_t bytes;  // of 6 x 4 pixels
  const char* layout;
};

class PixelFormats : public testing::TestWithParam<Case> {};

TEST_P(PixelFormats, AreTensorsWhereSamplesAreWholeBytesAndRowsOfBytesElsewhere) {
  const Case& one = GetParam();
  EXPECT_EQ(pixel_format_name(one.code), one.name);
  const ImageFormat format{.code = one.code, .width = 6, .height = 4};
  const TensorLayout layout = layout_of(format, one.bytes);
  EXPECT_EQ(layout.describe(), one.layout);
  EXPECT_EQ(layout.extent_bytes(), one.bytes);
  EXPECT_EQ(layout_of(format, one.bytes - 1).describe(), "bytes[" + std::to_string(one.bytes - 1) + "]")
      << "an image that is not whole";
}

INSTANTIATE_TEST_SUITE_P(
    All, PixelFormats,
    testing::Values(
        Case{0x01080001, "Mono8", 24, "uint8[4x6]"}, Case{0x01080002, "Mono8s", 24, "int8[4x6]"},
        Case{0x01100003, "Mono10", 48, "uint16[4x6]"}, Case{0x01100005, "Mono12", 48, "uint16[4x6]"},
        Case{0x01100025, "Mono14", 48, "uint16[4x6]"}, Case{0x01100007, "Mono16", 48, "uint16[4x6]"},
        Case{0x010C0006, "Mono12Packed", 36, "bytes[4x9]"}, Case{0x010C0047, "Mono12p", 36, "bytes[4x9]"},
        Case{0x010C0004, "Mono10Packed", 36, "bytes[4x9]"}, Case{0x0108000A, "BayerGB8", 24, "uint8[4x6]"},
        Case{0x0110000C, "BayerGR10", 48, "uint16[4x6]"}, Case{0x0110000D, "BayerRG10", 48, "uint16[4x6]"},
        Case{0x0110000E, "BayerGB10", 48, "uint16[4x6]"}, Case{0x0110000F, "BayerBG10", 48, "uint16[4x6]"},
        Case{0x01100011, "BayerRG12", 48, "uint16[4x6]"}, Case{0x0110002F, "BayerRG16", 48, "uint16[4x6]"},
        Case{0x01100031, "BayerBG16", 48, "uint16[4x6]"}, Case{0x010C0059, "BayerRG12p", 36, "bytes[4x9]"},
        Case{0x010C002B, "BayerRG12Packed", 36, "bytes[4x9]"}, Case{0x02180014, "RGB8", 72, "uint8[4x6x3]"},
        Case{0x02180015, "BGR8", 72, "uint8[4x6x3]"}, Case{0x02200016, "RGBa8", 96, "uint8[4x6x4]"},
        Case{0x02200017, "BGRa8", 96, "uint8[4x6x4]"}, Case{0x02300033, "RGB16", 144, "uint16[4x6x3]"},
        Case{0x02300018, "RGB10", 144, "uint16[4x6x3]"}, Case{0x02180021, "RGB8_Planar", 72, "uint8[3x4x6]"},
        Case{0x0210001F, "YUV422_8_UYVY", 48, "uint8[4x6x2]"}, Case{0x0210003B, "YCbCr422_8", 48, "uint8[4x6x2]"},
        Case{0x0218005B, "YCbCr8", 72, "uint8[4x6x3]"}, Case{0x020C001E, "YUV411_8_UYYVYY", 36, "bytes[4x9]"},
        Case{0x026000C0, "Coord3D_ABC32f", 288, "float32[4x6x3]"}, Case{0x81100099, "", 48, "bytes[4x12]"}));

TEST(PixelFormat, WithRowsOfBrokenBytesIsOneRowOfBytes) {
  EXPECT_EQ(layout_of({.code = 0x010A0046, .width = 6, .height = 4}, 30).describe(), "bytes[30]") << "60 bits a row";
  EXPECT_EQ(layout_of({.code = 0x010A0046, .width = 8, .height = 4}, 40).describe(), "bytes[4x10]");
  EXPECT_EQ(layout_of({.code = 0x01010037, .width = 12, .height = 2}, 3).describe(), "bytes[3]");
}

TEST(PixelFormat, KeepsThePaddingOfRowsInTheStrides) {
  const TensorLayout mono = layout_of({.code = 0x01100005, .width = 6, .height = 4, .row_padding_bytes = 4}, 64);
  EXPECT_EQ(mono.describe().substr(0, 11), "uint16[4x6]");
  EXPECT_EQ(mono.strides[0], 16);
  EXPECT_EQ(mono.strides[1], 2);
  EXPECT_EQ(mono.extent_bytes(), 60U);
  const TensorLayout colour = layout_of({.code = 0x02180014, .width = 6, .height = 4, .row_padding_bytes = 2}, 80);
  EXPECT_EQ(colour.strides[0], 20);
  EXPECT_EQ(colour.strides[1], 3);
  EXPECT_EQ(colour.strides[2], 1);
  EXPECT_EQ(colour.check(80), LayoutFault::none);
  const TensorLayout planes = layout_of({.code = 0x02300022, .width = 6, .height = 4, .row_padding_bytes = 4}, 192);
  EXPECT_EQ(planes.strides[0], 64);
  EXPECT_EQ(planes.strides[1], 16);
  EXPECT_EQ(planes.check(192), LayoutFault::none);
  const TensorLayout packed = layout_of({.code = 0x010C0047, .width = 6, .height = 4, .row_padding_bytes = 3}, 48);
  EXPECT_EQ(packed.dims[1], 9);
  EXPECT_EQ(packed.strides[0], 12);
}

TEST(PixelFormat, LeavesTrailingBytesBehindAnImageAndCutsNothingItDoesNotKnow) {
  EXPECT_EQ(layout_of({.code = 0x01080001, .width = 6, .height = 4}, 40).describe(), "uint8[4x6]") << "chunks follow";
  EXPECT_EQ(layout_of({.code = 0x010C0047, .width = 6, .height = 4}, 40).describe(), "bytes[40]");
}

TEST(PixelFormat, IsBytesForSizesThatNoImageHas) {
  constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
  for (const PixelFormatCode code : {0x01080001U, 0x02180021U, 0x026000C1U, 0x010C0047U, 0U, ~0U}) {
    for (const std::int32_t width : {-1, 0, 6, most}) {
      for (const std::int32_t height : {-1, 0, 4, most}) {
        for (const std::int32_t padding : {-1, 0, 1, most}) {
          const TensorLayout layout =
              layout_of({.code = code, .width = width, .height = height, .row_padding_bytes = padding}, 24);
          EXPECT_EQ(layout.check(24), LayoutFault::none);
          EXPECT_LE(layout.extent_bytes(), 24U);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tensorpool::apps
