// 2x2 binning: each output pixel is the rounded mean of four input pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorpool::apps {

// in: height x width, out: (height / 2) x (width / 2); an odd last row or column is left out.
// REQUIRES: in.size() >= width * height, out.size() >= (width / 2) * (height / 2).
void bin_2x2(std::span<const std::uint16_t> in, std::size_t width, std::size_t height,
             std::span<std::uint16_t> out) noexcept;

}  // namespace tensorpool::apps
