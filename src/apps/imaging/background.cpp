#include "apps/imaging/background.hpp"

#include <algorithm>
#include <limits>

namespace tensorpool::apps {

template <class T>
void Background::subtract(std::span<const T> in, std::span<std::int16_t> out) {
  if (mean_.size() != in.size()) {
    mean_.resize(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) mean_[i] = static_cast<std::int32_t>(in[i]) << fraction_bits;
  }
  constexpr std::int32_t lowest = std::numeric_limits<std::int16_t>::min();
  constexpr std::int32_t highest = std::numeric_limits<std::int16_t>::max();
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::int32_t difference = static_cast<std::int32_t>(in[i]) - (mean_[i] >> fraction_bits);
    out[i] = static_cast<std::int16_t>(std::clamp(difference, lowest, highest));
  }
}
template void Background::subtract(std::span<const std::uint8_t>, std::span<std::int16_t>);
template void Background::subtract(std::span<const std::uint16_t>, std::span<std::int16_t>);

void Background::learn(std::span<const std::int16_t> difference) noexcept {
  const std::size_t count = std::min(mean_.size(), difference.size());
  for (std::size_t i = 0; i < count; ++i) mean_[i] += (std::int32_t{difference[i]} * (1 << fraction_bits)) >> shift_;
}

Centroid centroid_of(std::span<const std::int16_t> pixels, std::size_t width) noexcept {
  if (pixels.empty() || width == 0) return {};
  const std::int32_t brightest = *std::max_element(pixels.begin(), pixels.end());
  if (brightest <= 0) return {};
  Centroid sum;
  for (std::size_t y = 0; y * width < pixels.size(); ++y) {
    std::int64_t row_weight = 0;
    std::int64_t row_moment = 0;
    for (std::size_t x = 0; x < width; ++x) {
      const std::int32_t value = pixels[y * width + x];
      const std::int32_t weight = 2 * value > brightest ? value : 0;
      row_weight += weight;
      row_moment += static_cast<std::int64_t>(x) * weight;
    }
    sum.weight += static_cast<double>(row_weight);
    sum.x += static_cast<double>(row_moment);
    sum.y += static_cast<double>(y) * static_cast<double>(row_weight);
  }
  return {sum.x / sum.weight, sum.y / sum.weight, sum.weight};
}

}  // namespace tensorpool::apps
