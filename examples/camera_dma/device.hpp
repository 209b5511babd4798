// Stands for a camera with registered buffers (BGAPI2, GenTL): a thread that fills queued buffers in any order, 200 a
// second; one in sixteen comes back incomplete.
#pragma once

#include <algorithm>
#include <mutex>
#include <tensorpool/tensorpool.hpp>
#include <thread>

struct Device {
  struct Buffer {
    std::uint64_t id = 0;
    std::span<std::byte> memory{};
    bool complete = true;
  };
  std::mutex mutex;
  std::vector<Buffer> queued, done;
  std::jthread thread{[this](const std::stop_token& stop) {
    for (std::size_t n = 1; !stop.stop_requested(); std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
      const std::lock_guard lock(mutex);
      if (queued.empty()) continue;
      std::swap(queued[n % queued.size()], queued.back());
      std::ranges::fill(queued.back().memory, static_cast<std::byte>(n));
      queued.back().complete = ++n % 16 != 0;
      done.push_back(queued.back());
      queued.pop_back();
    }
  }};
};
