#include "apps/imaging/binning.hpp"

namespace tensorpool::apps {

void bin_2x2(std::span<const std::uint16_t> in, std::size_t width, std::size_t height,
             std::span<std::uint16_t> out) noexcept {
  const std::size_t out_width = width / 2;
  for (std::size_t y = 0; y < height / 2; ++y) {
    const std::uint16_t* upper = in.data() + 2 * y * width;
    const std::uint16_t* lower = upper + width;
    std::uint16_t* to = out.data() + y * out_width;
    for (std::size_t x = 0; x < out_width; ++x) {
      const std::uint32_t sum = std::uint32_t{upper[2 * x]} + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1];
      to[x] = static_cast<std::uint16_t>((sum + 2) / 4);
    }
  }
}

}  // namespace tensorpool::apps
