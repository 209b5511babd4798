// Faults and knobs of the in-memory twin, for tests only. A "directory" is the name of a bus inside this process; a bus
// comes to life with EmbeddedMediaDriver::start or start_media_driver(), and dies with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "transport/publication.hpp"

namespace tensorpool::transport::loopback {

// Starts a media driver that nobody owns (tests that need no EmbeddedMediaDriver object); true if none was running.
bool start_media_driver(const std::string& dir);

// Like kill -9: every connection of the directory is closed at its next do_work, undelivered messages are gone.
void kill_media_driver(const std::string& dir);

// kill_media_driver, then a new, empty bus of the same name.
void restart_media_driver(const std::string& dir);

// Forgets the bus and all its settings; for the end of a test.
void remove_bus(const std::string& dir);

// The next `count` messages offered on the stream are lost / arrive twice / wait for release_delayed().
void drop_next(const std::string& dir, std::int32_t stream_id, int count);
void duplicate_next(const std::string& dir, std::int32_t stream_id, int count);
void delay_next(const std::string& dir, std::int32_t stream_id, int count);
void release_delayed(const std::string& dir, std::int32_t stream_id);

// What becomes of a message that was offered. One that is held waits for release_held().
enum class Fate : unsigned char { deliver, drop, duplicate, hold };
using FateOf = std::function<Fate(std::int32_t stream_id, std::span<const std::byte> message)>;
// Asked for every message, before the counts above. Must not call the bus. Empty: all are delivered.
void set_fate(const std::string& dir, FateOf fate_of);
[[nodiscard]] std::size_t held_messages(const std::string& dir);
// Delivers one of them, the oldest being 0, behind whatever its publication has sent meanwhile.
void release_held(const std::string& dir, std::size_t index);

// What a media driver does to a client that fell silent: its connections are closed, and what they had is gone. Those
// that are opened under that name later live.
void cut_connections(const std::string& dir, const std::string& client_name);

// Offers and claims that were tried so far, on all streams.
[[nodiscard]] std::uint64_t offers_so_far(const std::string& dir);

// The next `count` offers and claims on the stream answer `result`; anything but ok sends nothing.
void force_offer_result(const std::string& dir, std::int32_t stream_id, OfferResult result, int count);

// Window of publications added from now on, in bytes of log; default: half of the channel's term-length.
void set_window(const std::string& dir, std::int32_t stream_id, std::size_t bytes);

// Subscribers that join from now on see what is still in the window of each publication, instead of only what comes
// after.
void set_replay(const std::string& dir, std::int32_t stream_id, bool replay);

// What everybody together has open now; what a test compares to find a leak.
struct Resources {
  std::size_t publications = 0;
  std::size_t subscriptions = 0;
  std::size_t counters = 0;
  bool operator==(const Resources&) const = default;
};
[[nodiscard]] Resources resources_of(const std::string& dir);

// The next `count` publications and subscriptions that are asked for answer timed_out at once.
void time_out_next_adds(const std::string& dir, int count);

// While held, no counter that is asked for is granted; add_counter answers timed_out at once.
void hold_counters(const std::string& dir, bool held);

}  // namespace tensorpool::transport::loopback
