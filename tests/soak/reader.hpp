// A consumer of the soak: checks every byte, the order of sequences and epochs, and the books, after each poll.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "content.hpp"
#include "peer_lines.hpp"
#include "tensorpool/consumer.hpp"

namespace tensorpool::soak {

class Reader {
 public:
  enum class Way : std::uint8_t { copies, reads, looks };  // copy_to, read<T>, unchecked and still_valid
  // What a stage does with a frame that was read whole: its name and its first word.
  using Sink = std::function<void(const Origin&)>;

  Reader(Consumer consumer, Way way, bool derived) : consumer_(std::move(consumer)), way_(way), derived_(derived) {}

  // Frames that it was called for.
  int poll(int limit = 16, const Sink& sink = {}, Nanos dawdle_ns = 0);
  bool wait(Nanos timeout_ns) { return consumer_.wait(timeout_ns); }
  [[nodiscard]] Json figures() const;

 private:
  bool take(const Frame& frame, std::uint64_t& first_word);
  [[nodiscard]] bool is_right(std::span<const std::byte> payload, const FrameName& name);
  void check_order(const Frame& frame);
  void check_books(const ConsumerStats& before, Nanos began);

  Consumer consumer_;
  Way way_;
  bool derived_;
  std::vector<std::byte> copy_;
  std::uint64_t calls_ = 0;
  std::uint64_t whole_ = 0;  // read to the end, and still valid then
  std::uint64_t right_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t seq_ = 0;
  std::map<std::uint64_t, FrameName> origins_;  // by stream, the newest in this epoch
  std::optional<Origin> origin_;                // of the frame in hand
};

}  // namespace tensorpool::soak
