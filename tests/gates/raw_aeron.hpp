// A stream of raw Aeron, one exclusive publication and one subscription in this process, through Aeron's C API: what a
// message costs before anything of ours is added. One thread, which also is the client's conductor.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace tensorpool::test {

class RawAeron {
 public:
  // Connects to the media driver of `aeron_dir` and waits until publication and subscription found each other.
  // Throws std::runtime_error.
  explicit RawAeron(const std::string& aeron_dir);
  ~RawAeron();
  RawAeron(const RawAeron&) = delete;
  RawAeron& operator=(const RawAeron&) = delete;

  // One message of `length` bytes, copied; true if it was sent.
  bool offer(const std::byte* bytes, std::size_t length) noexcept;
  // One message of `length` bytes, claimed and committed with whatever the log holds; true if it was sent.
  bool try_claim(std::size_t length) noexcept;
  // Takes at most `limit` messages and looks at none; how many.
  int poll(std::size_t limit) noexcept;
  // A cycle of the conductor.
  void do_work() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tensorpool::test
