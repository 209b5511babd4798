// A frame that is still being filled, as a consumer sees it for the length of one callback of poll_progress: how far it
// is, and the part of its payload that is final, still in shared memory. It is used as a Frame is: copy_to and read
// validate after use, unchecked() leaves that to the caller. A frame that is given up simply makes no more progress;
// one that completes arrives by poll() as well, like every other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "tensorpool/frame.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/tensor.hpp"

namespace tensorpool {

enum class ProgressState : std::uint8_t { started, filling, complete };
[[nodiscard]] std::string_view to_string(ProgressState state) noexcept;

namespace detail {
struct PartialFrameAccess;  // the consumer's side of a PartialFrame
}

class PartialFrame {
 public:
  PartialFrame(const PartialFrame&) = delete;
  PartialFrame& operator=(const PartialFrame&) = delete;

  [[nodiscard]] std::uint32_t stream_id() const noexcept { return stream_id_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::uint64_t seq() const noexcept { return seq_; }
  [[nodiscard]] ProgressState state() const noexcept { return state_; }
  [[nodiscard]] const TensorLayout& layout() const noexcept { return layout_; }  // of the whole frame
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_; }  // likewise
  [[nodiscard]] std::size_t bytes_filled() const noexcept { return filled_.size(); }
  // Rows (columns where those are slowest) that are whole, by the layout's progress unit; 0 if it has none.
  [[nodiscard]] std::uint32_t rows_filled() const noexcept;

  // Copies what is filled into `out` and validates. Returns the bytes copied (= bytes_filled()).
  [[nodiscard]] Expected<std::size_t, FrameLoss> copy_to(std::span<std::byte> out) const noexcept;

  // Runs f(TensorView<const T>) on the elements that are filled and validates after it returned; otherwise as
  // Frame::read.
  template <class T, class F>
  [[nodiscard]] auto read(F&& f) const -> Expected<std::invoke_result_t<F, TensorView<const T>>, FrameLoss> {
    return detail::read_elements<T>(filled_, layout_, std::forward<F>(f), [this] { return still_valid(); });
  }

  // Live memory, as Frame::unchecked.
  [[nodiscard]] std::span<const std::byte> unchecked() const noexcept { return filled_; }
  [[nodiscard]] bool still_valid() const noexcept;

 private:
  friend struct detail::PartialFrameAccess;
  PartialFrame() = default;

  const std::uint64_t* commit_word_ = nullptr;
  std::span<const std::byte> filled_;
  TensorLayout layout_;
  std::uint64_t epoch_ = 0;
  std::uint64_t seq_ = 0;
  std::size_t size_bytes_ = 0;
  std::uint32_t stream_id_ = 0;
  ProgressState state_ = ProgressState::started;
  std::uint8_t copy_mode_ = 0;
};

}  // namespace tensorpool
