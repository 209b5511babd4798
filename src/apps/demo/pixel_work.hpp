// The three kinds of work that the demo's processors do on an image, with the shape and type of what comes out:
//   background  uint8 or uint16 [h, w] -> int16 [h, w], the difference to the running mean; and the centroid of it
//   bin2        uint16 [h, w] -> uint16 [h/2, w/2], the mean of 2x2 pixels
//   threshold   uint8 or uint16 [h, w] -> uint8 [h, w], 255 where brighter than Otsu's threshold
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "apps/flow/stats_json.hpp"
#include "apps/imaging/background.hpp"
#include "tensorpool/tensor.hpp"

namespace tensorpool::apps {

enum class WorkKind : std::uint8_t { background, bin2, threshold };
[[nodiscard]] std::optional<WorkKind> work_kind_from_string(std::string_view name) noexcept;

class PixelWork {
 public:
  explicit PixelWork(WorkKind kind) noexcept : kind_(kind) {}

  // What comes out of a frame of `bytes` with layout `in`; nothing if this work cannot be done on it.
  [[nodiscard]] std::optional<TensorLayout> output_of(const TensorLayout& in, std::size_t bytes) const noexcept;

  // Does the work. Leaves no trace in this object but what keep() will use, because the input may turn out to be lost.
  // REQUIRES: output_of(in_layout) gave `out_layout`, T is its element type, and the spans are as long as the layouts
  // say.
  template <class T>
  void run(std::span<const T> in, const TensorLayout& in_layout, std::span<std::byte> out);

  // The input of the last run() was whole: lets its result count. `out` is what run() wrote.
  void keep(const TensorLayout& out_layout, std::span<const std::byte> out) noexcept;

  // What the last frame showed, for people: {"centroid": [x, y]} or {"threshold": bin}; empty for bin2.
  [[nodiscard]] Json finding() const;

 private:
  WorkKind kind_;
  Background background_;
  Centroid centroid_;
  std::size_t threshold_ = 0;
};

}  // namespace tensorpool::apps
