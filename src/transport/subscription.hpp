// Subscription: the receiving end of one stream; each publication that feeds it is an image.
//
// Thread: one application thread at a time polls. Images come and go inside the connection's do_work(), on the
// conductor's thread, at any time; the counters below are atomics for that reason and may be read anywhere.
// A new subscription joins where the media driver last saw its slowest reader: messages already sent may come first. An
// image that was lost and joined again (eviction of a slow untethered subscriber) has a gap: resynchronise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

namespace tensorpool::transport {

// A message assembled from fragments is never longer; a longer one is dropped and counted.
inline constexpr std::size_t max_assembled_bytes = std::size_t{16} << 20;

class Subscription {
 public:
  Subscription() noexcept;  // empty: polls answer 0
  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;
  ~Subscription();

  // Calls on_fragment(std::span<const std::byte>) for at most `limit` fragments as they lie in the log; the bytes are
  // valid during the call. The handler must not throw nor destroy the subscription. Returns the number of fragments.
  template <class F>
  int poll(F&& on_fragment, int limit) noexcept {
    return poll_erased(&call<std::remove_reference_t<F>>, erase(on_fragment), limit);
  }

  // The same, but messages that were cut into fragments arrive whole. The limit and the result still count fragments.
  // Use either poll or poll_assembled on one subscription, not both.
  template <class F>
  int poll_assembled(F&& on_message, int limit) noexcept {
    return poll_assembled_erased(&call<std::remove_reference_t<F>>, erase(on_message), limit);
  }

  [[nodiscard]] bool is_connected() const noexcept;
  [[nodiscard]] bool is_closed() const noexcept;
  [[nodiscard]] int image_count() const noexcept;
  [[nodiscard]] std::uint64_t images_joined() const noexcept;  // available events so far
  [[nodiscard]] std::uint64_t images_lost() const noexcept;    // unavailable events so far
  // Whether one of the images lost since images_lost() was `since` was that publication's; yes also if too many were to
  // tell.
  [[nodiscard]] bool lost_image_of(std::int32_t session_id, std::uint64_t since) const noexcept;
  // The publication that sent the fragment or message in hand, and its position behind that. REQUIRES: called by a
  // handler that poll or poll_assembled is running.
  [[nodiscard]] std::int32_t fragment_session_id() const noexcept;
  [[nodiscard]] std::int64_t fragment_position() const noexcept;
  [[nodiscard]] std::uint64_t messages_too_long() const noexcept;
  [[nodiscard]] std::int32_t stream_id() const noexcept;

  struct Impl;  // the implementation's own
  explicit Subscription(std::unique_ptr<Impl> impl) noexcept;

 private:
  using Handler = void (*)(void* context, const std::byte* data, std::size_t length);

  template <class F>
  static void call(void* context, const std::byte* data, std::size_t length) {
    (*static_cast<F*>(context))(std::span<const std::byte>(data, length));
  }
  template <class F>
  static void* erase(F& handler) noexcept {
    return const_cast<void*>(static_cast<const void*>(std::addressof(handler)));
  }

  int poll_erased(Handler handler, void* context, int limit) noexcept;
  int poll_assembled_erased(Handler handler, void* context, int limit) noexcept;

  std::unique_ptr<Impl> impl_;
};

}  // namespace tensorpool::transport
