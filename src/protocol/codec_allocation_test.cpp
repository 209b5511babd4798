// The hot messages allocate nothing, and a hostile count or length buys no memory.
#include "protocol/golden_test.hpp"
#include "protocol/shm_layout.hpp"
#include "support/allocation_counter.hpp"

namespace tensorpool::protocol {
namespace {

template <class Work>
std::size_t bytes_allocated_by(Work&& work) {
  return test::allocations_of(work).bytes;
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
