// A producer of the soak. What it writes, it notes in a file as it goes (write(2), so that a kill -9 loses nothing):
// for each epoch the sequences that it may have taken and that it surely committed. By this truth the consumers' books
// are judged, also when it was killed.
#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "content.hpp"
#include "peer_lines.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::soak {

// As it lies in the file, one after the other, in the order of epochs.
struct EpochNote {
  std::uint64_t stream = 0;
  std::uint64_t epoch = 0;
  std::uint64_t may_end = 0;  // no sequence from here on was ever claimed
  std::uint64_t surely = 0;   // every sequence before this one was committed or abandoned
  std::uint64_t committed = 0;
  std::uint64_t abandoned = 0;
};
static_assert(sizeof(EpochNote) == 48);

class Writer {
 public:
  Writer(Producer producer, const std::string& notes_path);

  // One step of a camera: mostly a frame, now and then one given up, or two that end in the other order.
  void step(std::size_t bytes);
  // Before a pause: a frame tells its readers of all before it, a claim that is given up does not.
  void last_frame(std::size_t bytes);
  void publish_derived(const Origin& origin);
  [[nodiscard]] Json figures() const;
  // For the test of the soak: it writes what it should not, or claims to have written what it did not.
  void spoil_frames() noexcept { spoils_ = true; }
  void overstate() noexcept { overstated_ = 1; }

 private:
  std::optional<SlotClaim> claim(std::size_t bytes);
  void finish(SlotClaim claim, std::size_t bytes);
  void commit(SlotClaim claim, std::size_t bytes, std::uint64_t trace);
  EpochNote& note_of(std::uint64_t epoch);  // from here on it is the one that is kept
  void settle();
  void write_down();
  [[nodiscard]] FrameName name_of(const SlotClaim& claim) const {
    return {producer_.stream_id(), claim.epoch(), claim.seq()};
  }

  Producer producer_;
  UniqueFd notes_;
  EpochNote note_;
  std::uint64_t count_ = 0;  // of epochs noted
  std::uint64_t steps_ = 0;
  bool spoils_ = false;
  std::uint64_t overstated_ = 0;
};

}  // namespace tensorpool::soak
