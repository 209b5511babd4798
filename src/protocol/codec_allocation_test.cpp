// The hot messages allocate nothing, and a hostile count or length buys no memory. This file counts every allocation of
// the test program by replacing operator new.
#include <atomic>
#include <cstdlib>
#include <new>

#include "protocol/golden_test.hpp"
#include "protocol/shm_layout.hpp"

namespace {

std::atomic<std::size_t> allocated_bytes{0};

// Neither is inlined: the compiler would see free() meet what it takes for the library's operator new.
[[gnu::noinline]] void* counted_allocation(std::size_t size) {
  allocated_bytes.fetch_add(size, std::memory_order_relaxed);
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void give_back(void* memory) { std::free(memory); }

}  // namespace

void* operator new(std::size_t size) { return counted_allocation(size); }
void* operator new[](std::size_t size) { return counted_allocation(size); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }

namespace tensorpool::protocol {
namespace {

template <class Work>
std::size_t bytes_allocated_by(Work&& work) {
  const std::size_t before = allocated_bytes.load(std::memory_order_relaxed);
  work();
  return allocated_bytes.load(std::memory_order_relaxed) - before;
}

static_assert(noexcept(decode<FrameDescriptor>({})));
static_assert(noexcept(encode(FrameDescriptor{}, {})));

TEST(CodecAllocation, AFrameDescriptorIsEncodedAndDecodedWithoutAllocating) {
  std::array<std::byte, 48> buffer{};
  std::uint64_t sum = 0;
  EXPECT_EQ(bytes_allocated_by([&] {
              for (std::uint64_t seq = 0; seq < 1000; ++seq) {
                static_cast<void>(encode(FrameDescriptor{.seq = seq, .timestamp_ns = seq}, buffer));
                sum += decode<FrameDescriptor>(buffer)->seq;
              }
            }),
            0U);
  EXPECT_EQ(sum, 499500U);
}

TEST(CodecAllocation, ASlotHeaderIsEncodedAndDecodedWithoutAllocating) {
  std::array<std::byte, header_slot_bytes> buffer{};
  EXPECT_EQ(bytes_allocated_by([&] {
              encode_slot_header(SlotHeader{.seq_commit = 1}, buffer);
              static_cast<void>(decode_slot_header(buffer));
            }),
            0U);
}

TEST(CodecAllocation, ACountOrLengthWithoutBytesAllocatesNothing) {
  const Bytes count = with(encoded(ShmPoolAnnounce{}), 45, std::uint16_t{65534});
  const Bytes tags = with(encoded(DiscoveryRequest{}), 42, std::uint16_t{65534});
  const Bytes length = with(encoded(ControlResponse{}), 20, std::uint32_t{0x40000000});
  EXPECT_EQ(bytes_allocated_by([&] {
              static_cast<void>(decode<ShmPoolAnnounce>(count));
              static_cast<void>(decode<DiscoveryRequest>(tags));
              static_cast<void>(decode<ControlResponse>(length));
            }),
            0U);
}

// The worst that a message can do is entries as small as the wire allows: 63 bytes or more become one DiscoveryResult.
TEST(CodecAllocation, MemoryIsInProportionToTheMessage) {
  DiscoveryResponse message;
  message.results.resize(1000);
  const Bytes bytes = encoded(message);
  EXPECT_LT(bytes_allocated_by([&] { static_cast<void>(decode<DiscoveryResponse>(bytes)); }), 8 * bytes.size());
}

}  // namespace
}  // namespace tensorpool::protocol
