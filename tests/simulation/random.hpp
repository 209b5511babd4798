// The only source of chance in a simulated world: the same seed gives the same numbers on every machine. At most one is
// drawn in an expression whose order a compiler may choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

namespace tensorpool::simulation {

// splitmix64's finalizer: neighbouring inputs share no visible bits.
constexpr std::uint64_t mixed(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept { return mixed(state_ += 0x9E3779B97F4A7C15); }
  // REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  std::int64_t between(std::int64_t first, std::int64_t last) noexcept {
    return first + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(last - first + 1)));
  }
  bool chance(unsigned percent) noexcept { return below(100) < percent; }
  template <class T>
  T one_of(std::initializer_list<T> values) noexcept {
    return values.begin()[below(values.size())];
  }
  template <class List>
  void shuffle(List& list) noexcept {
    for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[below(i)]);
  }

 private:
  std::uint64_t state_;
};

}  // namespace tensorpool::simulation
