// Background subtraction and centroid: finds what moves in front of a slowly changing scene.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tensorpool::apps {

// Centre of gravity of the brightest part, in pixels from the centre of the top left one. weight 0 = nothing stood out.
struct Centroid {
  double x = 0;
  double y = 0;
  double weight = 0;
};

// Keeps a running mean of each pixel and gives the difference of each new frame to it. The first frame is the
// background of itself. Works on uint8 and uint16 frames of one size; another size starts over.
class Background {
 public:
  // Each frame moves the mean by 1/2^shift of the difference.
  explicit Background(unsigned shift = 5) noexcept : shift_(shift) {}

  // out = clamp(in - mean) to int16. Does not change the mean, so that a frame lost while it was read leaves no trace.
  // REQUIRES: in.size() == out.size().
  template <class T>
  void subtract(std::span<const T> in, std::span<std::int16_t> out);
  // Moves the mean by the difference that subtract() gave.
  void learn(std::span<const std::int16_t> difference) noexcept;

 private:
  static constexpr unsigned fraction_bits = 8;
  unsigned shift_;
  std::vector<std::int32_t> mean_;  // 24.8 fixed point; empty until the first frame
};

// Of the pixels above half of the brightest one, weighted by their value.
[[nodiscard]] Centroid centroid_of(std::span<const std::int16_t> pixels, std::size_t width) noexcept;

}  // namespace tensorpool::apps
