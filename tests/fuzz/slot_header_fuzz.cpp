// Any 256 bytes as a header slot: what is accepted decodes to the same after encoding, and its layout can be judged.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "protocol/shm_layout.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tensorpool;
  using namespace tensorpool::protocol;
  TensorSlotHeader256 slot;
  if (size != slot.bytes.size()) return 0;
  std::memcpy(slot.bytes.data(), data, size);
  const auto header = slot.decode();
  if (!header) {
    if (to_string(header.error()).empty()) std::abort();
    return 0;
  }

  if (header->seq_commit != slot.seq_commit() || header->pool_id != slot.pool_id()) std::abort();
  TensorSlotHeader256 again;
  encode_slot_header(*header, again.bytes);
  const auto decoded_again = again.decode();
  if (!decoded_again || *decoded_again != *header) std::abort();

  if (header->layout.check(header->values_len_bytes) == LayoutFault::none &&
      header->layout.extent_bytes() > header->values_len_bytes) {
    std::abort();
  }
  static_cast<void>(header->layout.describe());
  return 0;
}
