// The group of payload pools, which announces, attach responses and discovery results share. Included by *_codec.cpp
// alone.
#pragma once

#include "protocol/message_codec.hpp"

namespace tensorpool::protocol::wire {

template <>
struct Layout<PayloadPool> {
  using G = PayloadPool;
  static constexpr auto block = block_of(&G::pool_id, &G::pool_nslots, &G::stride_bytes);
  static constexpr auto tail = tail_of(&G::region_uri);
};

}  // namespace tensorpool::protocol::wire
