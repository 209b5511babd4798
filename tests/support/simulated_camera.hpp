// A camera as drivers with registered buffers show it: the host queues buffers by id, a thread of the camera's fills
// them like DMA, and reports each in an order of its own. Some frames are lost (the buffer never comes back until the
// camera is told to flush), some come back incomplete.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace tensorpool {

class SimulatedCamera {
 public:
  struct Buffer {
    std::uint64_t id = 0;
    std::span<std::byte> memory;
    std::uint64_t seed = 0;  // of the pattern that fills it
  };
  struct Completion {
    std::uint64_t id = 0;
    bool whole = true;      // false: packets were missing
    std::size_t bytes = 0;  // that were filled
  };
  // Of a hundred frames each.
  struct Faults {
    unsigned lost = 0;
    unsigned incomplete = 0;
  };

  // Writes `part` of the frame `seed`, which begins at byte `offset`. Called on the camera's thread.
  using Fill = std::function<void(std::span<std::byte> part, std::size_t offset, std::uint64_t seed)>;

  SimulatedCamera(unsigned seed, Faults faults, Fill fill)
      : random_(seed), faults_(faults), fill_(std::move(fill)), thread_([this] { run(); }) {}
  ~SimulatedCamera() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  SimulatedCamera(const SimulatedCamera&) = delete;
  SimulatedCamera& operator=(const SimulatedCamera&) = delete;

  void queue(const Buffer& buffer) {
    {
      const std::lock_guard lock(mutex_);
      queued_.push_back(buffer);
    }
    changed_.notify_all();
  }
  // The next completed buffer, if there is one.
  std::optional<Completion> pop() {
    const std::lock_guard lock(mutex_);
    if (completed_.empty()) return std::nullopt;
    const Completion done = completed_.front();
    completed_.pop_front();
    return done;
  }
  // Ids of the buffers whose frames were lost, as a driver's timeout tells; the camera forgets them.
  std::vector<std::uint64_t> take_lost() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lost_, {});
  }
  // From now on every buffer stays half filled until resume().
  void pause() {
    const std::lock_guard lock(mutex_);
    paused_ = true;
  }
  void resume() {
    {
      const std::lock_guard lock(mutex_);
      paused_ = false;
    }
    changed_.notify_all();
  }
  // Forgets every buffer: afterwards the camera writes nowhere.
  void flush() {
    std::unique_lock lock(mutex_);
    flushing_ = true;
    queued_.clear();
    changed_.notify_all();
    changed_.wait(lock, [this] { return !filling_; });
    completed_.clear();
    lost_.clear();
    flushing_ = false;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ended_ || !queued_.empty(); });
      if (ended_) return;
      const std::size_t pick = random_() % queued_.size();
      const Buffer buffer = queued_[pick];
      queued_.erase(queued_.begin() + static_cast<std::ptrdiff_t>(pick));
      filling_ = true;
      fill(buffer, lock);
      filling_ = false;
      changed_.notify_all();
      if (ended_) return;
    }
  }

  void fill(const Buffer& buffer, std::unique_lock<std::mutex>& lock) {
    const auto fate = static_cast<unsigned>(random_() % 100);
    const bool whole = fate >= faults_.lost + faults_.incomplete;
    const std::size_t half = buffer.memory.size() / 2;
    lock.unlock();
    fill_(buffer.memory.first(half), 0, buffer.seed);
    lock.lock();
    changed_.wait(lock, [this] { return ended_ || flushing_ || !paused_; });
    if (ended_ || flushing_) return;
    if (whole) {
      lock.unlock();
      fill_(buffer.memory.subspan(half), half, buffer.seed);
      lock.lock();
    }
    if (fate < faults_.lost) {
      lost_.push_back(buffer.id);
    } else {
      completed_.push_back({buffer.id, whole, whole ? buffer.memory.size() : half});
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::minstd_rand random_;
  Faults faults_;
  Fill fill_;
  std::vector<Buffer> queued_;
  std::deque<Completion> completed_;
  std::vector<std::uint64_t> lost_;
  bool filling_ = false;
  bool flushing_ = false;
  bool paused_ = false;
  bool ended_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace tensorpool
