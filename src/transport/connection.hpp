// Connection: one Aeron client, run by its caller (agent-invoker mode): every Aeron callback happens inside do_work().
//
// Owner and thread: the conductor's thread opens it, calls do_work() at least every 100 ms and adds resources. A pause
// longer than the media driver's client liveness time-out (3 s) makes it closed for good; open a new one.
// Application threads may meanwhile offer on its publications, poll its subscriptions and set its counters, one thread
// per object: none of that enters Aeron's conductor. A change of images swaps one pointer, and an image that went away
// stays mapped until its poller has finished a poll without it.
//
// Whoever holds a Publication, Subscription or Counter keeps the client beneath alive, so the order of destruction is
// free. Once the Connection is gone or closed, offers answer `closed` and polls answer 0. What was added should still
// be destroyed before or with the Connection: only then does the media driver learn of the end at once. Destroying any
// of these objects takes a lock against do_work(), so any thread may do it, as long as no other uses the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"
#include "transport/counters.hpp"
#include "transport/publication.hpp"
#include "transport/subscription.hpp"

namespace tensorpool::transport {

struct ConnectionOptions {
  std::string aeron_dir = {};                      // empty: default_aeron_dir()
  std::string client_name = "tensorpool";          // shown by Aeron's tools; cut to 100 characters
  Nanos driver_timeout_ns = 2 * nanos_per_second;  // media driver silent for so long: closed
  Nanos keepalive_interval_ns = 200 * nanos_per_milli;
  bool wait_for_driver = true;  // open() waits for a paused media driver; false, for a duty cycle: it says so at once
  Nanos add_timeout_ns = 5 * nanos_per_second;  // for add_*(); Aeron itself gives up after driver_timeout_ns
  // Called inside do_work (or add_*) with Aeron's error code and text; may be empty. Must not throw nor touch the
  // Connection.
  std::function<void(int code, std::string_view message)> on_error = {};
};

class Connection {
 public:
  // Blocks at most driver_timeout_ns, and only with wait_for_driver. The error tells a missing directory, missing
  // rights, a dead media driver and a silent one from each other, and names the remedy.
  static Result<Connection> open(const ConnectionOptions& options);

  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  // One duty cycle; the amount of work done. 0 for ever once closed.
  int do_work() noexcept;

  // A terminal error was seen (media driver gone, or it dropped this client), or close() was called.
  [[nodiscard]] bool is_closed() const noexcept;

  // The first terminal error, else the latest error; empty if there was none.
  [[nodiscard]] std::string last_error() const;

  // An exclusive publication. Pumps do_work until the media driver answers, at most add_timeout_ns, and until those who
  // subscribe already are connected, at most 100 ms.
  Result<Publication> add_publication(const std::string& channel, std::int32_t stream_id);
  Result<Subscription> add_subscription(const std::string& channel, std::int32_t stream_id);
  // REQUIRES: type_id >= 1000 (the rest is Aeron's), key of at most 112 bytes. The label is cut to 380 characters.
  Result<Counter> add_counter(std::int32_t type_id, std::span<const std::byte> key, std::string_view label);
  // As add_counter, without waiting.
  Result<PendingCounter> begin_counter(std::int32_t type_id, std::span<const std::byte> key, std::string_view label);

  [[nodiscard]] std::int64_t client_id() const noexcept;
  [[nodiscard]] const std::string& aeron_dir() const noexcept;

  // Same as destroying it, earlier: offers answer `closed` and polls 0 from here on.
  void close() noexcept;

  struct Core;  // the implementation's own

 private:
  explicit Connection(std::shared_ptr<Core> core) noexcept;

  std::shared_ptr<Core> core_;
};

}  // namespace tensorpool::transport
