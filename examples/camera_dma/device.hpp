// Stands for a camera's driver with registered buffers (BGAPI2, GenTL, ...): a thread that fills queued buffers, in any
// order, with the gray level that each was queued with, 200 a second. One in sixteen comes back incomplete.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <thread>
#include <vector>

class Device {
 public:
  struct Buffer {
    std::uint64_t id = 0;
    std::span<std::byte> memory;
    std::byte gray{};
    bool complete = true;
  };

  void queue(const Buffer& buffer) {
    const std::lock_guard lock(mutex_);
    queued_.push_back(buffer);
  }
  // A buffer that is done, if there is one.
  std::optional<Buffer> pop() {
    const std::lock_guard lock(mutex_);
    if (done_.empty()) return std::nullopt;
    const Buffer buffer = done_.back();
    done_.pop_back();
    return buffer;
  }
  // Ends the exposure; afterwards the device writes nowhere.
  void stop() { thread_ = {}; }

 private:
  void run(const std::stop_token& stopped) {
    while (!stopped.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      auto buffer = pick();
      if (!buffer) continue;
      buffer->complete = random_() % 16 != 0;
      const std::size_t bytes = buffer->complete ? buffer->memory.size() : buffer->memory.size() / 2;
      std::fill_n(buffer->memory.begin(), bytes, buffer->gray);
      const std::lock_guard lock(mutex_);
      done_.push_back(*buffer);
    }
  }
  std::optional<Buffer> pick() {
    const std::lock_guard lock(mutex_);
    if (queued_.empty()) return std::nullopt;
    std::swap(queued_[random_() % queued_.size()], queued_.back());
    const Buffer buffer = queued_.back();
    queued_.pop_back();
    return buffer;
  }

  std::mutex mutex_;
  std::minstd_rand random_{1};
  std::vector<Buffer> queued_;
  std::vector<Buffer> done_;
  std::jthread thread_{[this](const std::stop_token& stopped) { run(stopped); }};  // last: it uses all of the above
};
