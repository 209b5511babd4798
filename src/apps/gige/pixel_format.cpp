#include "apps/gige/pixel_format.hpp"

#include <algorithm>
#include <limits>

namespace tensorpool::apps {
namespace {

enum class Samples : std::uint8_t { packed, interleaved, planar };

struct KnownFormat {
  PixelFormatCode code;
  std::string_view name;
  Samples samples = Samples::packed;
  Dtype dtype = Dtype::bytes;
  std::int32_t channels = 1;
};

constexpr KnownFormat whole(PixelFormatCode code, std::string_view name, Dtype dtype, std::int32_t channels = 1) {
  return {code, name, Samples::interleaved, dtype, channels};
}
constexpr KnownFormat planes(PixelFormatCode code, std::string_view name, Dtype dtype) {
  return {code, name, Samples::planar, dtype, 3};
}

// The codes and names are PFNC's, the GigE Vision 1 formats ("Packed") included.
constexpr KnownFormat known_formats[] = {
    {0x01010037, "Mono1p"},
    {0x01020038, "Mono2p"},
    {0x01040039, "Mono4p"},
    whole(0x01080001, "Mono8", Dtype::uint8),
    whole(0x01080002, "Mono8s", Dtype::int8),
    whole(0x01100003, "Mono10", Dtype::uint16),
    {0x010C0004, "Mono10Packed"},
    {0x010A0046, "Mono10p"},
    whole(0x01100005, "Mono12", Dtype::uint16),
    {0x010C0006, "Mono12Packed"},
    {0x010C0047, "Mono12p"},
    whole(0x01100025, "Mono14", Dtype::uint16),
    {0x010E0104, "Mono14p"},
    whole(0x01100007, "Mono16", Dtype::uint16),
    whole(0x01200111, "Mono32", Dtype::uint32),

    whole(0x01080008, "BayerGR8", Dtype::uint8),
    whole(0x01080009, "BayerRG8", Dtype::uint8),
    whole(0x0108000A, "BayerGB8", Dtype::uint8),
    whole(0x0108000B, "BayerBG8", Dtype::uint8),
    whole(0x0110000C, "BayerGR10", Dtype::uint16),
    whole(0x0110000D, "BayerRG10", Dtype::uint16),
    whole(0x0110000E, "BayerGB10", Dtype::uint16),
    whole(0x0110000F, "BayerBG10", Dtype::uint16),
    whole(0x01100010, "BayerGR12", Dtype::uint16),
    whole(0x01100011, "BayerRG12", Dtype::uint16),
    whole(0x01100012, "BayerGB12", Dtype::uint16),
    whole(0x01100013, "BayerBG12", Dtype::uint16),
    whole(0x01100109, "BayerGR14", Dtype::uint16),
    whole(0x0110010A, "BayerRG14", Dtype::uint16),
    whole(0x0110010B, "BayerGB14", Dtype::uint16),
    whole(0x0110010C, "BayerBG14", Dtype::uint16),
    whole(0x0110002E, "BayerGR16", Dtype::uint16),
    whole(0x0110002F, "BayerRG16", Dtype::uint16),
    whole(0x01100030, "BayerGB16", Dtype::uint16),
    whole(0x01100031, "BayerBG16", Dtype::uint16),
    {0x010C0026, "BayerGR10Packed"},
    {0x010C0027, "BayerRG10Packed"},
    {0x010C0028, "BayerGB10Packed"},
    {0x010C0029, "BayerBG10Packed"},
    {0x010C002A, "BayerGR12Packed"},
    {0x010C002B, "BayerRG12Packed"},
    {0x010C002C, "BayerGB12Packed"},
    {0x010C002D, "BayerBG12Packed"},
    {0x010A0056, "BayerGR10p"},
    {0x010A0058, "BayerRG10p"},
    {0x010A0054, "BayerGB10p"},
    {0x010A0052, "BayerBG10p"},
    {0x010C0057, "BayerGR12p"},
    {0x010C0059, "BayerRG12p"},
    {0x010C0055, "BayerGB12p"},
    {0x010C0053, "BayerBG12p"},
    {0x010E0105, "BayerGR14p"},
    {0x010E0106, "BayerRG14p"},
    {0x010E0107, "BayerGB14p"},
    {0x010E0108, "BayerBG14p"},

    whole(0x02180014, "RGB8", Dtype::uint8, 3),
    whole(0x02180015, "BGR8", Dtype::uint8, 3),
    whole(0x02200016, "RGBa8", Dtype::uint8, 4),
    whole(0x02200017, "BGRa8", Dtype::uint8, 4),
    whole(0x02300018, "RGB10", Dtype::uint16, 3),
    whole(0x02300019, "BGR10", Dtype::uint16, 3),
    whole(0x0230001A, "RGB12", Dtype::uint16, 3),
    whole(0x0230001B, "BGR12", Dtype::uint16, 3),
    whole(0x0230005E, "RGB14", Dtype::uint16, 3),
    whole(0x0230004A, "BGR14", Dtype::uint16, 3),
    whole(0x02300033, "RGB16", Dtype::uint16, 3),
    whole(0x0230004B, "BGR16", Dtype::uint16, 3),
    whole(0x0240005F, "RGBa10", Dtype::uint16, 4),
    whole(0x0240004C, "BGRa10", Dtype::uint16, 4),
    whole(0x02400061, "RGBa12", Dtype::uint16, 4),
    whole(0x0240004E, "BGRa12", Dtype::uint16, 4),
    whole(0x02400063, "RGBa14", Dtype::uint16, 4),
    whole(0x02400050, "BGRa14", Dtype::uint16, 4),
    whole(0x02400064, "RGBa16", Dtype::uint16, 4),
    whole(0x02400051, "BGRa16", Dtype::uint16, 4),
    {0x0220001C, "RGB10V1Packed"},
    {0x0220001D, "RGB10p32"},
    {0x02240034, "RGB12V1Packed"},
    {0x02100035, "RGB565p"},
    {0x02100036, "BGR565p"},
    {0x021E005C, "RGB10p"},
    {0x021E0048, "BGR10p"},
    {0x0224005D, "RGB12p"},
    {0x02240049, "BGR12p"},
    planes(0x02180021, "RGB8_Planar", Dtype::uint8),
    planes(0x02300022, "RGB10_Planar", Dtype::uint16),
    planes(0x02300023, "RGB12_Planar", Dtype::uint16),
    planes(0x02300024, "RGB16_Planar", Dtype::uint16),

    {0x020C001E, "YUV411_8_UYYVYY"},
    whole(0x0210001F, "YUV422_8_UYVY", Dtype::uint8, 2),
    whole(0x02100032, "YUV422_8", Dtype::uint8, 2),
    whole(0x02180020, "YUV8_UYV", Dtype::uint8, 3),
    {0x020C003C, "YCbCr411_8_CbYYCrYY"},
    {0x020C005A, "YCbCr411_8"},
    whole(0x0210003B, "YCbCr422_8", Dtype::uint8, 2),
    whole(0x02100043, "YCbCr422_8_CbYCrY", Dtype::uint8, 2),
    whole(0x0218005B, "YCbCr8", Dtype::uint8, 3),
    whole(0x0218003A, "YCbCr8_CbYCr", Dtype::uint8, 3),
    {0x020C003F, "YCbCr601_411_8_CbYYCrYY"},
    whole(0x0210003E, "YCbCr601_422_8", Dtype::uint8, 2),
    whole(0x02100044, "YCbCr601_422_8_CbYCrY", Dtype::uint8, 2),
    whole(0x0218003D, "YCbCr601_8_CbYCr", Dtype::uint8, 3),
    {0x020C0042, "YCbCr709_411_8_CbYYCrYY"},
    whole(0x02100041, "YCbCr709_422_8", Dtype::uint8, 2),
    whole(0x02100045, "YCbCr709_422_8_CbYCrY", Dtype::uint8, 2),
    whole(0x02180040, "YCbCr709_8_CbYCr", Dtype::uint8, 3),

    whole(0x021800B2, "Coord3D_ABC8", Dtype::uint8, 3),
    whole(0x023000B9, "Coord3D_ABC16", Dtype::uint16, 3),
    whole(0x026000C0, "Coord3D_ABC32f", Dtype::float32, 3),
    planes(0x026000C1, "Coord3D_ABC32f_Planar", Dtype::float32),
    whole(0x021000B4, "Coord3D_AC8", Dtype::uint8, 2),
    whole(0x022000BB, "Coord3D_AC16", Dtype::uint16, 2),
    whole(0x024000C2, "Coord3D_AC32f", Dtype::float32, 2),
    whole(0x010800AF, "Coord3D_A8", Dtype::uint8),
    whole(0x011000B6, "Coord3D_A16", Dtype::uint16),
    whole(0x012000BD, "Coord3D_A32f", Dtype::float32),
    whole(0x010800B1, "Coord3D_C8", Dtype::uint8),
    whole(0x011000B8, "Coord3D_C16", Dtype::uint16),
    whole(0x012000BF, "Coord3D_C32f", Dtype::float32),
    whole(0x010800C6, "Confidence8", Dtype::uint8),
    whole(0x011000C7, "Confidence16", Dtype::uint16),
};

const KnownFormat* find(PixelFormatCode code) noexcept {
  const auto* const found = std::find_if(std::begin(known_formats), std::end(known_formats),
                                         [=](const auto& one) { return one.code == code; });
  return found == std::end(known_formats) ? nullptr : found;
}

constexpr std::int64_t bits_per_pixel(PixelFormatCode code) noexcept {
  return static_cast<std::int64_t>((code >> 16) & 0xFF);
}

constexpr bool fits(std::int64_t value) noexcept {
  return value > 0 && value <= std::numeric_limits<std::int32_t>::max();
}

// The tensor of the image without padding: its samples, or its rows as bytes.
TensorLayout contiguous(const KnownFormat* known, const ImageFormat& format, std::int32_t row_bytes) noexcept {
  const std::int32_t height = format.height;
  if (known == nullptr || known->samples == Samples::packed) {
    return TensorLayout::row_major(Dtype::bytes, {height, row_bytes});
  }
  if (known->samples == Samples::planar) {
    return TensorLayout::row_major(known->dtype, {known->channels, height, format.width});
  }
  return known->channels == 1 ? TensorLayout::row_major(known->dtype, {height, format.width})
                              : TensorLayout::row_major(known->dtype, {height, format.width, known->channels});
}

// Rows `pitch` bytes apart; `row` is their dimension. False where a stride does not fit.
bool set_pitch(TensorLayout& layout, std::size_t row, std::int64_t pitch) noexcept {
  auto stride = static_cast<std::int32_t>(bits_of(layout.dtype) / 8);
  for (std::size_t dim = layout.ndims; dim-- > row + 1;) {
    layout.strides[dim] = stride;
    stride *= layout.dims[dim];
  }
  layout.strides[row] = static_cast<std::int32_t>(pitch);
  if (row == 0) return true;
  const std::int64_t plane = pitch * layout.dims[row];
  layout.strides[0] = static_cast<std::int32_t>(plane);
  return fits(plane);
}

}  // namespace

std::string_view pixel_format_name(PixelFormatCode code) noexcept {
  const KnownFormat* const known = find(code);
  return known == nullptr ? std::string_view() : known->name;
}

std::uint64_t bytes_of(const ImageFormat& format) noexcept {
  if (format.width <= 0 || format.height <= 0) return 0;
  const auto row_bits = static_cast<std::uint64_t>(format.width * bits_per_pixel(format.code));
  const auto rows = static_cast<std::uint64_t>(format.height);
  if (row_bits > std::numeric_limits<std::uint64_t>::max() / 2 / rows) return std::numeric_limits<std::uint64_t>::max();
  return (row_bits * rows + 7) / 8;
}

TensorLayout layout_of(const ImageFormat& format, std::size_t bytes) noexcept {
  const TensorLayout opaque = TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes));
  if (format.width <= 0 || format.height <= 0 || format.row_padding_bytes < 0) return opaque;
  const KnownFormat* const known = find(format.code);
  const bool planar = known != nullptr && known->samples == Samples::planar;
  const std::int64_t row_bits = format.width * bits_per_pixel(format.code) / (planar ? known->channels : 1);
  const std::int64_t row_bytes = row_bits / 8;
  const std::int64_t pitch = row_bytes + format.row_padding_bytes;
  if (row_bits % 8 != 0 || row_bytes == 0 || !fits(pitch)) return opaque;
  TensorLayout image = contiguous(known, format, static_cast<std::int32_t>(row_bytes));
  if (format.row_padding_bytes != 0 && !set_pitch(image, planar ? 1 : 0, pitch)) return opaque;
  if (image.check(bytes) != LayoutFault::none) return opaque;
  // What is not understood is not cut.
  const bool exact = image.extent_bytes() == bytes ||
                     image.extent_bytes() + static_cast<std::uint64_t>(format.row_padding_bytes) == bytes;
  return exact || image.dtype != Dtype::bytes ? image : opaque;
}

}  // namespace tensorpool::apps
