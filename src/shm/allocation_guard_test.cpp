// spec: the hot path allocates nothing (style.md). Counts every operator new of this executable while a guard is open.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "shm/slot_reader.hpp"
#include "shm/slot_writer.hpp"
#include "support/region_files.hpp"

namespace {
thread_local std::size_t allocations = 0;

// Not inlined: the compiler would otherwise see free() meet what it takes for the library's operator new.
[[gnu::noinline]] void* take(std::size_t size) noexcept {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void give(void* memory) noexcept { std::free(memory); }

void* take_or_throw(std::size_t size) {
  if (void* memory = take(size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return take_or_throw(size); }
void* operator new[](std::size_t size) { return take_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void operator delete(void* memory) noexcept { give(memory); }
void operator delete[](void* memory) noexcept { give(memory); }
void operator delete(void* memory, std::size_t) noexcept { give(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give(memory); }

namespace tensorpool::shm {
namespace {

TEST(HotPath, AllocatesNothing) {
  RegionFiles files;
  const auto regions = files.map(files.make(), Access::read_write);
  SlotWriter writer(*regions);
  const SlotReader reader(*regions);
  const std::array<std::byte, 1000> payload{};
  std::array<std::byte, 1024> copy{};
  const TensorLayout layout = TensorLayout::raw_bytes(1000);
  SlotView view;
  bool good = true;
  const std::size_t before = allocations;
  for (std::uint64_t seq = 0; seq < 100; ++seq) {
    const int pool = writer.pool_for(payload.size());
    writer.copy_in(pool, writer.begin(seq, pool), payload);
    writer.commit(seq, pool, {1000, 1, 1, &layout});
    good = good && reader.open(seq, view) == SlotFault::none && copy_out(copy, view.payload, view.copy_mode) &&
           still_valid(view.commit_word, seq);
    good = good && reader.open(seq + 1, view) != SlotFault::none && latest_committed(*regions) == seq;
    regions->touch_activity(static_cast<Nanos>(seq));
    writer.abandon(seq + 1);
  }
  const std::size_t after = allocations;
  EXPECT_EQ(after - before, 0U);
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace tensorpool::shm
