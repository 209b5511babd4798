#include "transport/loopback/faults.hpp"

#include <utility>

#include "transport/loopback/bus.hpp"

namespace tensorpool::transport::loopback {

bool start_media_driver(const std::string& dir) { return Bus::of(dir)->start(); }
void kill_media_driver(const std::string& dir) { Bus::of(dir)->kill(); }

void restart_media_driver(const std::string& dir) {
  kill_media_driver(dir);
  (void)start_media_driver(dir);
}

void remove_bus(const std::string& dir) { Bus::forget(dir); }

void drop_next(const std::string& dir, std::int32_t stream_id, int count) {
  Bus::of(dir)->change_faults(stream_id, [count](StreamFaults& faults) { faults.drop = count; });
}

void duplicate_next(const std::string& dir, std::int32_t stream_id, int count) {
  Bus::of(dir)->change_faults(stream_id, [count](StreamFaults& faults) { faults.duplicate = count; });
}

void delay_next(const std::string& dir, std::int32_t stream_id, int count) {
  Bus::of(dir)->change_faults(stream_id, [count](StreamFaults& faults) { faults.delay = count; });
}

void release_delayed(const std::string& dir, std::int32_t stream_id) { Bus::of(dir)->release_delayed(stream_id); }

void set_fate(const std::string& dir, FateOf fate_of) { Bus::of(dir)->set_fate(std::move(fate_of)); }
std::size_t held_messages(const std::string& dir) { return Bus::of(dir)->held_messages(); }
void release_held(const std::string& dir, std::size_t index) { Bus::of(dir)->release_held(index); }

void cut_connections(const std::string& dir, const std::string& client_name) { Bus::of(dir)->cut(client_name); }

std::uint64_t offers_so_far(const std::string& dir) { return Bus::of(dir)->offers(); }

void force_offer_result(const std::string& dir, std::int32_t stream_id, OfferResult result, int count) {
  Bus::of(dir)->change_faults(stream_id, [=](StreamFaults& faults) {
    faults.forced = count;
    faults.forced_result = result;
  });
}

void set_window(const std::string& dir, std::int32_t stream_id, std::size_t bytes) {
  Bus::of(dir)->change_faults(stream_id, [bytes](StreamFaults& faults) { faults.window = bytes; });
}

void set_replay(const std::string& dir, std::int32_t stream_id, bool replay) {
  Bus::of(dir)->change_faults(stream_id, [replay](StreamFaults& faults) { faults.replay = replay; });
}

Resources resources_of(const std::string& dir) { return Bus::of(dir)->resources(); }

void time_out_next_adds(const std::string& dir, int count) { Bus::of(dir)->adds_to_time_out.store(count); }

void hold_counters(const std::string& dir, bool held) { Bus::of(dir)->counters_held.store(held); }

}  // namespace tensorpool::transport::loopback
