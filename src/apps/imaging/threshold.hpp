// Histogram, Otsu's threshold, and the mask of what is brighter.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorpool::apps {

inline constexpr std::size_t histogram_bins = 256;
using Histogram = std::array<std::uint32_t, histogram_bins>;

// Counts by the upper 8 bits of the value: bin = value for uint8, value >> 8 for uint16.
template <class T>
[[nodiscard]] Histogram histogram_of(std::span<const T> pixels) noexcept;

// The bin that best parts dark from bright: it maximizes the variance between the two (Otsu 1979); bright = above it.
// 0 when all pixels lie in one bin.
[[nodiscard]] std::size_t otsu_threshold(const Histogram& histogram) noexcept;

// out = 255 where the pixel's bin is above `bin`, else 0. REQUIRES: out.size() >= in.size().
template <class T>
void mask_above(std::span<const T> in, std::size_t bin, std::span<std::uint8_t> out) noexcept;

}  // namespace tensorpool::apps
