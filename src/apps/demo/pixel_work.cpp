#include "apps/demo/pixel_work.hpp"

#include <cmath>

#include "apps/imaging/binning.hpp"
#include "apps/imaging/threshold.hpp"

namespace tensorpool::apps {
namespace {

// Slots are aligned to 64 bytes, and the offset within is 0, so that any element type may be put there.
template <class T>
std::span<T> as(std::span<std::byte> bytes) noexcept {
  return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
}

bool is_plain_image(const TensorLayout& layout, std::size_t bytes) noexcept {
  if (layout.ndims != 2 || layout.major_order != MajorOrder::row) return false;
  if (layout.dtype != Dtype::uint8 && layout.dtype != Dtype::uint16) return false;
  const TensorLayout packed = TensorLayout::row_major(layout.dtype, layout.shape());
  return layout.extent_bytes() == packed.extent_bytes() && packed.extent_bytes() == bytes && bytes > 0;
}

}  // namespace

std::optional<WorkKind> work_kind_from_string(std::string_view name) noexcept {
  if (name == "background") return WorkKind::background;
  if (name == "bin2") return WorkKind::bin2;
  if (name == "threshold") return WorkKind::threshold;
  return std::nullopt;
}

std::optional<TensorLayout> PixelWork::output_of(const TensorLayout& in, std::size_t bytes) const noexcept {
  if (!is_plain_image(in, bytes)) return std::nullopt;
  const std::int32_t height = in.dims[0];
  const std::int32_t width = in.dims[1];
  switch (kind_) {
    case WorkKind::background:
      return TensorLayout::row_major(Dtype::int16, {height, width});
    case WorkKind::threshold:
      return TensorLayout::row_major(Dtype::uint8, {height, width});
    case WorkKind::bin2:
      break;
  }
  if (in.dtype != Dtype::uint16 || height < 2 || width < 2) return std::nullopt;
  return TensorLayout::row_major(Dtype::uint16, {height / 2, width / 2});
}

template <class T>
void PixelWork::run(std::span<const T> in, const TensorLayout& in_layout, std::span<std::byte> out) {
  switch (kind_) {
    case WorkKind::background:
      return background_.subtract(in, as<std::int16_t>(out));
    case WorkKind::threshold:
      threshold_ = otsu_threshold(histogram_of(in));
      return mask_above(in, threshold_, as<std::uint8_t>(out));
    case WorkKind::bin2:
      break;
  }
  if constexpr (sizeof(T) == 2) {
    const auto height = static_cast<std::size_t>(in_layout.dims[0]);
    const auto width = static_cast<std::size_t>(in_layout.dims[1]);
    bin_2x2(in, width, height, as<std::uint16_t>(out));
  }
}
template void PixelWork::run(std::span<const std::uint8_t>, const TensorLayout&, std::span<std::byte>);
template void PixelWork::run(std::span<const std::uint16_t>, const TensorLayout&, std::span<std::byte>);

void PixelWork::keep(const TensorLayout& out_layout, std::span<const std::byte> out) noexcept {
  if (kind_ != WorkKind::background) return;
  const std::span<const std::int16_t> difference(reinterpret_cast<const std::int16_t*>(out.data()), out.size() / 2);
  background_.learn(difference);
  centroid_ = centroid_of(difference, static_cast<std::size_t>(out_layout.dims[1]));
}

Json PixelWork::finding() const {
  const auto rounded = [](double value) { return std::round(value * 100) / 100; };
  switch (kind_) {
    case WorkKind::background:
      if (centroid_.weight <= 0) return Json::object();
      return {{"centroid", {rounded(centroid_.x), rounded(centroid_.y)}}};
    case WorkKind::threshold:
      return {{"threshold", threshold_}};
    case WorkKind::bin2:
      break;
  }
  return Json::object();
}

}  // namespace tensorpool::apps
