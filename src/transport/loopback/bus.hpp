// The in-memory twin's whole world: one Bus per "directory", shared by every connection of this process that names it.
//
// One mutex per bus guards everything on it; no callback runs under it. Lifetimes follow the real thing: what a dead
// media driver's connections hold stays alive and answers `closed`.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transport/connection.hpp"
#include "transport/fragment_assembly.hpp"
#include "transport/loopback/faults.hpp"
#include "transport/lost_images.hpp"
#include "transport/publication.hpp"
#include "transport/publication_positions.hpp"

namespace tensorpool::transport::loopback {

inline constexpr std::size_t header_bytes = 32;  // Aeron's frame header and alignment
inline constexpr std::size_t alignment = 32;
inline constexpr std::size_t default_mtu = 1408;

using Bytes = std::shared_ptr<const std::vector<std::byte>>;

// One fragment in a log.
struct Frame {
  std::int64_t begin_position = 0;
  std::int64_t end_position = 0;
  bool begins = true;
  bool ends = true;
  Bytes bytes;
};

// What one publication has written and not every subscriber has read.
struct Log {
  std::string channel_key;
  std::int32_t stream_id = 0;
  std::int32_t session_id = 0;
  std::int64_t owner_client_id = 0;
  std::size_t window = 0;
  std::size_t max_payload = 0;
  std::size_t max_message = 0;
  std::int64_t position = 0;
  std::uint64_t first_index = 0;  // of frames.front()
  std::deque<Frame> frames;
  bool ended = false;  // its publication is gone
};

// One subscription's view of one log.
struct Image {
  std::shared_ptr<Log> log;
  std::uint64_t next_index = 0;
  std::int64_t position = 0;
  enum class State : unsigned char {
    fresh,    // linked; becomes available in the subscriber's next do_work
    active,   // polled
    evicted,  // too slow; becomes unavailable in the subscriber's next do_work
    resting,  // joins again in the one after that
  } state = State::fresh;
};

// The bus's half of a subscription.
struct Inbox {
  std::string channel_key;
  std::int32_t stream_id = 0;
  std::int64_t owner_client_id = 0;
  bool tethered = true;
  std::optional<std::int32_t> session_id;  // of the only publication that it is linked to
  std::vector<Image> images;
  std::size_t next_image = 0;  // where the next poll begins
  std::atomic<std::uint64_t> joined{0};
  LostImages lost;
};

struct CounterCell {
  std::int32_t id = 0;
  std::int32_t type_id = 0;
  std::int64_t owner_client_id = 0;
  std::string label;
  std::vector<std::byte> key;
  std::atomic<std::int64_t> value{0};
};

struct Message {
  std::shared_ptr<Log> log;
  std::vector<std::byte> bytes;
};

// What a test asked for on one stream.
struct StreamFaults {
  int drop = 0;
  int duplicate = 0;
  int delay = 0;
  int forced = 0;
  OfferResult forced_result = OfferResult::ok;
  std::size_t window = 0;
  bool replay = false;
  std::vector<Message> delayed;
};

class Bus {
 public:
  // The bus of that name; made on first use.
  static std::shared_ptr<Bus> of(const std::string& dir);
  static void forget(const std::string& dir);

  bool start();  // false if alive
  void kill();
  [[nodiscard]] bool alive() const;
  // 0 while no media driver is alive; a connection of an older generation is closed.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }

  std::int64_t next_client_id();
  void register_connection(const std::shared_ptr<Connection::Core>& core);
  // Closes every connection of that name, and takes away what it had.
  void cut(const std::string& client_name);
  std::shared_ptr<Log> add_log(std::int64_t client_id, const std::string& channel, std::int32_t stream_id);
  std::shared_ptr<Inbox> add_inbox(std::int64_t client_id, const std::string& channel, std::int32_t stream_id);
  std::shared_ptr<CounterCell> add_counter(CounterCell&& prototype);
  void remove(const std::shared_ptr<Log>& log);
  void remove(const std::shared_ptr<Inbox>& inbox);
  void remove(const std::shared_ptr<CounterCell>& counter);

  // offer = ask + put: whether the log takes a message now, and its going in (or the fault that a test asked for).
  OfferResult ask(Log& log);
  void put(const std::shared_ptr<Log>& log, std::span<const std::byte> message);
  OfferResult offer(const std::shared_ptr<Log>& log, std::span<const std::byte> message);
  bool is_connected(const Log& log) const;
  std::int64_t position(const Log& log) const;
  [[nodiscard]] std::vector<PublicationPosition> publication_positions(std::int32_t stream_id) const;

  // Image events of one subscription, as its connection's do_work sees them; how many there were.
  int work(Inbox& inbox);
  // Takes the next fragment off the inbox.
  bool take(Inbox& inbox, Fragment& fragment, Bytes& keep_alive);

  std::vector<CounterValue> counters() const;
  Resources resources() const;

  template <class Change>
  void change_faults(std::int32_t stream_id, Change&& change) {
    const std::lock_guard guard(mutex_);
    change(faults_[stream_id]);
  }
  void release_delayed(std::int32_t stream_id);
  void set_fate(FateOf fate_of);
  [[nodiscard]] std::size_t held_messages() const;
  void release_held(std::size_t index);
  [[nodiscard]] std::uint64_t offers() const noexcept { return offers_.load(std::memory_order_relaxed); }
  std::atomic<bool> counters_held{false};
  std::atomic<int> adds_to_time_out{0};

 private:
  void link(Inbox& inbox, const std::shared_ptr<Log>& log);
  OfferResult ask_locked(Log& log);
  void put_locked(const std::shared_ptr<Log>& log, std::span<const std::byte> message);
  bool is_connected_locked(const Log& log) const;
  void append(Log& log, std::span<const std::byte> message);
  bool has_room(Log& log);
  void evict_slow(Log& log);
  void trim(Log& log);
  template <class F>
  void for_each_image(const Log& log, F&& f) const;

  mutable std::mutex mutex_;
  std::atomic<std::uint64_t> generation_{0};
  std::uint64_t last_generation_ = 0;
  std::int64_t last_client_id_ = 0;
  std::int32_t last_session_id_ = 0;
  std::int32_t last_counter_id_ = -1;
  std::vector<std::shared_ptr<Log>> logs_;
  std::vector<std::shared_ptr<Inbox>> inboxes_;
  std::vector<std::shared_ptr<CounterCell>> counters_;
  std::vector<std::weak_ptr<Connection::Core>> connections_;
  std::map<std::int32_t, StreamFaults> faults_;
  FateOf fate_of_;
  std::deque<Message> held_;
  std::atomic<std::uint64_t> offers_{0};
};

}  // namespace tensorpool::transport::loopback

namespace tensorpool::transport {

struct Connection::Core {
  ConnectionOptions options;
  std::shared_ptr<loopback::Bus> bus;
  std::uint64_t generation = 0;
  std::int64_t client_id = 0;
  std::atomic<bool> detached{false};  // the Connection is gone
  std::mutex mutex;                   // of what follows
  std::vector<std::weak_ptr<loopback::Inbox>> inboxes;
  bool loss_reported = false;

  [[nodiscard]] bool is_closed() const noexcept {
    return detached.load(std::memory_order_acquire) || bus->generation() != generation;
  }
};

}  // namespace tensorpool::transport
