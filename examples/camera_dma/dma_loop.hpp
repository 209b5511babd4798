// From the attach on it does not matter to what: the loop of a camera whose device fills claimed slots in place.
#pragma once

#include <cstdio>
#include <tensorpool/tensorpool.hpp>

#include "device.hpp"

inline void dma_loop(tensorpool::Producer& producer, int frames) {
  const auto layout =
      tensorpool::TensorLayout::row_major(tensorpool::Dtype::uint8, {480, 640});  // once, for all frames
  tensorpool::InflightQueue inflight(producer.slots());
  Device device;
  std::uint64_t next_id = 0;
  const auto register_buffer = [&] {
    auto claim = producer.claim(layout.extent_bytes());
    if (!claim) return false;
    device.queue({next_id, claim->payload().first(layout.extent_bytes()), static_cast<std::byte>(claim->seq())});
    return inflight.push(next_id++, std::move(*claim));
  };
  for (std::uint32_t i = 0; i < producer.slots() && register_buffer();) ++i;
  std::printf("%u slots, %zu registered: the others stay readable\n", producer.slots(), inflight.size());
  int published = 0, incomplete = 0;
  while (published < frames) {
    const auto done = device.pop();
    auto claim = done ? inflight.take(done->id) : std::nullopt;
    if (claim && done->complete) {
      published += is_committed(std::move(*claim).commit(layout)) ? 1 : 0;
    } else if (claim) {
      ++incomplete;
      claim.reset();  // its sequence is given up, and consumers know that it was
    }
    while (!inflight.full() && register_buffer()) continue;
  }
  device.stop();  // before the claims go
  std::printf("%d frames published, %d incomplete ones given up\n", published, incomplete);
}
