// Counters: 64-bit values that live in the media driver's directory, so that a tool can read them while everything
// runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tensorpool/result.hpp"

namespace tensorpool::transport {

// Aeron keeps the type ids below for itself.
inline constexpr std::int32_t first_own_counter_type = 1000;
// What the labels of our counters begin with: "tensorpool 1000, ". One media driver may serve several drivers, each
// with its clients on a control stream of its own.
[[nodiscard]] std::string counter_label_prefix(std::int32_t control_stream_id);

// A counter that this process owns; it disappears with its connection. Thread: one writer at a time; get() anywhere.
class Counter {
 public:
  Counter() noexcept;  // empty: writes go nowhere
  Counter(Counter&&) noexcept;
  Counter& operator=(Counter&&) noexcept;
  ~Counter();

  void set(std::int64_t value) noexcept;
  void add(std::int64_t increment) noexcept;
  [[nodiscard]] std::int64_t get() const noexcept;
  [[nodiscard]] std::int32_t id() const noexcept;  // -1 if empty

  struct Impl;  // the implementation's own
  explicit Counter(std::unique_ptr<Impl> impl) noexcept;

 private:
  std::unique_ptr<Impl> impl_;
};

// A counter that was asked for and is not there yet; destroyed, it takes the request back. Its connection's thread
// only.
class PendingCounter {
 public:
  PendingCounter(PendingCounter&&) noexcept;
  PendingCounter& operator=(PendingCounter&&) noexcept;
  ~PendingCounter();

  // One look, without waiting: the counter, nothing while the media driver has not answered, or why there will be none.
  // REQUIRES: called after each do_work of the connection, and no more after a counter or an error.
  [[nodiscard]] Result<std::optional<Counter>> poll();

  struct Impl;  // the implementation's own
  explicit PendingCounter(std::unique_ptr<Impl> impl) noexcept;

 private:
  std::unique_ptr<Impl> impl_;
};

// One counter as a reader found it.
struct CounterValue {
  std::int32_t id = 0;
  std::int32_t type_id = 0;
  std::int64_t value = 0;
  std::int64_t owner_client_id = 0;  // -1: the media driver itself
  std::string label;
  std::vector<std::byte> key;
};

// All counters of a media driver's directory, in the order of their ids; maps it read-only for the time of the call.
[[nodiscard]] Result<std::vector<CounterValue>> read_counters(const std::string& aeron_dir);

}  // namespace tensorpool::transport
