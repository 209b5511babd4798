// A frame as a consumer sees it, for the length of one callback: metadata by value, the payload still in shared memory
// where its producer may overwrite it at any moment. Three ways to use the payload, the safest first:
// - copy_to(span) copies, then validates; what it returns is whole.
// - read<T>(f) runs f on live memory, then validates; a result computed from an overwritten frame cannot be reached.
// - unchecked() is live memory; the caller asks still_valid() after the last use.
// A Frame can be neither copied nor kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tensorpool/result.hpp"
#include "tensorpool/tensor.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

// Why a frame that was handed out could not be used.
enum class FrameLoss : std::uint8_t {
  overwritten,       // the producer lapped this reader while it read
  buffer_too_small,  // copy_to: the destination is smaller than size_bytes()
  wrong_type,        // read<T>: T is not the frame's element type
};
[[nodiscard]] std::string_view to_string(FrameLoss loss) noexcept;

// Elements of a frame in live memory, with its shape. Valid only inside the callback that received it.
template <class T>
struct TensorView {
  std::span<T> elements;  // contiguous from the first element; strided layouts index through `layout`
  const TensorLayout& layout;
};

namespace detail {
struct FrameAccess;  // the consumer's side of a Frame

// Runs f on `bytes` as elements of `layout`, and `is_valid` after it returned.
template <class T, class F, class Validate>
[[nodiscard]] auto read_elements(std::span<const std::byte> bytes, const TensorLayout& layout, F&& f, Validate is_valid)
    -> Expected<std::invoke_result_t<F, TensorView<const T>>, FrameLoss> {
  static_assert(!std::is_same_v<T, bool>, "foreign bytes may be neither true nor false: read booleans as std::uint8_t");
  using R = std::invoke_result_t<F, TensorView<const T>>;
  constexpr bool any_type = dtype_of<T> == Dtype::bytes;
  const bool booleans = dtype_of<T> == Dtype::uint8 && layout.dtype == Dtype::boolean;
  if (dtype_of<T> != layout.dtype && !any_type && !booleans) return FrameLoss::wrong_type;
  const TensorView<const T> view{{reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)}, layout};
  if constexpr (std::is_void_v<R>) {
    std::forward<F>(f)(view);
    if (!is_valid()) return FrameLoss::overwritten;
    return {};
  } else {
    R result = std::forward<F>(f)(view);
    if (!is_valid()) return FrameLoss::overwritten;
    return result;
  }
}
}  // namespace detail

class Frame {
 public:
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  [[nodiscard]] std::uint32_t stream_id() const noexcept { return stream_id_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::uint64_t seq() const noexcept { return seq_; }
  // The producer's time stamp: the descriptor's, else the slot's. Nanoseconds in the producer's clock domain.
  [[nodiscard]] Nanos timestamp_ns() const noexcept { return timestamp_ns_; }
  [[nodiscard]] std::uint32_t meta_version() const noexcept { return meta_version_; }
  [[nodiscard]] std::optional<std::uint64_t> trace_id() const noexcept {
    return trace_id_ != 0 ? std::optional(trace_id_) : std::nullopt;
  }
  [[nodiscard]] const TensorLayout& layout() const noexcept { return *layout_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return payload_.size(); }

  // Copies the payload into `out` and validates. Returns the bytes copied (= size_bytes()).
  [[nodiscard]] Expected<std::size_t, FrameLoss> copy_to(std::span<std::byte> out) const noexcept;

  // Runs f(TensorView<const T>) on live memory and validates after it returned. T is the frame's element type, or
  // std::byte for any; booleans are read as std::uint8_t.
  // REQUIRES: f has no effect that must not be repeated or undone when the frame turns out to be lost.
  template <class T, class F>
  [[nodiscard]] auto read(F&& f) const -> Expected<std::invoke_result_t<F, TensorView<const T>>, FrameLoss> {
    return detail::read_elements<T>(payload_, *layout_, std::forward<F>(f), [this] { return accept_if_valid(); });
  }

  // Live memory. Nothing computed from it may be trusted before still_valid() has said yes after the last use.
  [[nodiscard]] std::span<const std::byte> unchecked() const noexcept { return payload_; }
  [[nodiscard]] bool still_valid() const noexcept;

 private:
  friend struct detail::FrameAccess;
  Frame() = default;
  // Validates and notes the verdict for the consumer's counters.
  [[nodiscard]] bool accept_if_valid() const noexcept;

  enum class Verdict : std::uint8_t { open, accepted, lost };

  const std::uint64_t* commit_word_ = nullptr;
  std::span<const std::byte> payload_;
  const TensorLayout* layout_ = nullptr;  // the consumer's
  std::uint64_t epoch_ = 0;
  std::uint64_t seq_ = 0;
  Nanos timestamp_ns_ = 0;
  std::uint64_t trace_id_ = 0;  // 0 = none
  std::uint32_t stream_id_ = 0;
  std::uint32_t meta_version_ = 0;
  std::uint8_t copy_mode_ = 0;
  mutable Verdict verdict_ = Verdict::open;
};

}  // namespace tensorpool
