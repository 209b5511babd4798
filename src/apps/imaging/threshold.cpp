#include "apps/imaging/threshold.hpp"

namespace tensorpool::apps {
namespace {

template <class T>
constexpr unsigned bin_shift = sizeof(T) == 1 ? 0 : 8;

}  // namespace

template <class T>
Histogram histogram_of(std::span<const T> pixels) noexcept {
  // Four tables: neighbouring pixels often fall into one bin, and each increment would wait for the one before.
  std::array<Histogram, 4> parts{};
  const std::size_t quads = pixels.size() / 4 * 4;
  for (std::size_t i = 0; i < quads; i += 4) {
    for (std::size_t part = 0; part < 4; ++part)
      ++parts[part][static_cast<std::size_t>(pixels[i + part] >> bin_shift<T>)];
  }
  for (std::size_t i = quads; i < pixels.size(); ++i) ++parts[0][static_cast<std::size_t>(pixels[i] >> bin_shift<T>)];
  for (std::size_t bin = 0; bin < histogram_bins; ++bin) parts[0][bin] += parts[1][bin] + parts[2][bin] + parts[3][bin];
  return parts[0];
}
template Histogram histogram_of(std::span<const std::uint8_t>) noexcept;
template Histogram histogram_of(std::span<const std::uint16_t>) noexcept;

std::size_t otsu_threshold(const Histogram& histogram) noexcept {
  double count = 0;
  double moment = 0;
  for (std::size_t bin = 0; bin < histogram_bins; ++bin) {
    count += histogram[bin];
    moment += static_cast<double>(bin) * histogram[bin];
  }
  double dark_count = 0;
  double dark_moment = 0;
  double best_variance = 0;
  std::size_t best_bin = 0;
  for (std::size_t bin = 0; bin + 1 < histogram_bins; ++bin) {
    dark_count += histogram[bin];
    dark_moment += static_cast<double>(bin) * histogram[bin];
    const double bright_count = count - dark_count;
    if (dark_count == 0 || bright_count == 0) continue;
    const double distance = dark_moment / dark_count - (moment - dark_moment) / bright_count;
    const double variance = dark_count * bright_count * distance * distance;
    if (variance > best_variance) best_variance = variance, best_bin = bin;
  }
  return best_bin;
}

template <class T>
void mask_above(std::span<const T> in, std::size_t bin, std::span<std::uint8_t> out) noexcept {
  const auto limit = static_cast<std::uint32_t>(((bin + 1) << bin_shift<T>)-1);  // the highest value of the bin
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] > limit ? std::uint8_t{255} : std::uint8_t{0};
}
template void mask_above(std::span<const std::uint8_t>, std::size_t, std::span<std::uint8_t>) noexcept;
template void mask_above(std::span<const std::uint16_t>, std::size_t, std::span<std::uint8_t>) noexcept;

}  // namespace tensorpool::apps
