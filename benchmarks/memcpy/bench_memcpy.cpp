// Baselines of plain copying: memcpy, and a copy by 64-bit words, from one buffer into the slots of a ring in shared
// memory, one slot after the other.
#include <algorithm>
#include <cstring>
#include <vector>

#include "support/loops.hpp"
#include "support/scratch.hpp"
#include "support/work.hpp"

namespace tensorpool::bench {
namespace {

// The compiler may neither see into it nor leave it out.
[[gnu::noinline]] void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  std::memcpy(to, from, bytes);
  asm volatile("" : : : "memory");
}

[[gnu::noinline]] void copy_words(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  auto* const words_to = reinterpret_cast<volatile std::uint64_t*>(to);
  const auto* const words_from = reinterpret_cast<const std::uint64_t*>(from);
  for (std::size_t i = 0; i < bytes / sizeof(std::uint64_t); ++i) words_to[i] = words_from[i];
}

template <void (*copy)(std::byte*, const std::byte*, std::size_t) noexcept>
Json measure(Arguments& arguments) {
  const std::size_t bytes = arguments.number("bytes", 65'536);
  const std::size_t slots = arguments.number("slots", 64);
  const Bursts bursts{arguments.number("samples", 200), arguments.number("burst", 16), 0};
  arguments.check();

  const Scratch scratch;
  const shm::Mapping ring = shared_memory(scratch, "ring", bytes * slots);
  const std::vector<std::byte> source(bytes, std::byte{1});
  pin_to_core(producer_core);
  std::size_t slot = 0;
  Json figures = time_bursts(bursts, [&] {
                   copy(ring.data() + slot * bytes, source.data(), bytes);
                   slot = slot + 1 == slots ? 0 : slot + 1;
                 }).summary();
  figures["bytes_per_second"] = static_cast<double>(bytes) * 1e9 / figures["p50"].get<double>();
  return figures;
}

}  // namespace
}  // namespace tensorpool::bench

int main(int argc, char** argv) {
  using namespace tensorpool::bench;
  return run_program(argc, argv, {{"memcpy", &measure<&copy_bytes>}, {"words", &measure<&copy_words>}});
}
