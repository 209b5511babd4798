// The faults are over: all that live find together within the time that the protocol allows (I7), and what readers
// account for ends where their producers ended (I5).
#include <algorithm>
#include <map>

#include "simulation/world.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::simulation {

namespace loopback = transport::loopback;

namespace {

// Leases of the dead, attempts that have to be given up, back-offs, and one after the other.
constexpr Nanos longest_recovery_ns = 10 * nanos_per_second;
constexpr std::uint64_t enough_frames = 3;
constexpr int last_steps = 10;
// A frame whose descriptor was dropped, and behind which none came, is looked for once in 64 polls that find nothing.
constexpr int last_polls = 130;

}  // namespace

void World::be_quiet() {
  Journal& journal = stage_->journal;
  journal.note("quiet");
  weather_->calm_down();
  for (const std::int32_t stream : {1000, 1001, 1100, 1200, 1300, 31000}) {
    loopback::force_offer_result(stage_->bus, stream, transport::OfferResult::ok, 0);
  }
  loopback::time_out_next_adds(stage_->bus, 0);
  loopback::hold_counters(stage_->bus, false);
  stage_->no_space = false;
  stage_->dreams = false;
  driver_->recover();
  if (!media_up_) loopback::start_media_driver(stage_->bus);
  media_up_ = true;
  for (const auto& node : nodes_) node->recover();
  stop_rivals();
  const Nanos begun = stage_->clock.now;
  // Who is thought alive for what he said before the faults.
  while (stage_->clock.now - begun < 2 * stage_->setup.driver.lease_duration_ns() && !journal.violation()) {
    quiet_step(true);
  }
  std::string missing = "nothing yet";
  while (!missing.empty() && !journal.violation()) {
    for (int i = 0; i < 4; ++i) quiet_step(true);
    missing = unsettled();
    if (stage_->clock.now - begun > longest_recovery_ns) {
      journal.violated("I7", "{} ms after the last fault: {}", longest_recovery_ns / nanos_per_milli, missing);
    }
  }
  stage_->figures.slowest_recovery_ns = stage_->clock.now - begun;
  if (journal.violation()) return;
  for (int i = 0; i < last_steps; ++i) quiet_step(false);
  poll_all();
  quiet_step(true);  // the last frame tells of all before it
  poll_all();
  if (!journal.violation()) check_ends();
}

void World::poll_all() {
  for (const auto& node : nodes_) {
    for (const auto& reader : node->readers()) {
      for (int i = 0; i < last_polls; ++i) reader->poll(64);
    }
  }
}

// A stream has one producer at a time, so of several who want it one goes on.
void World::stop_rivals() {
  std::map<std::uint32_t, int> writers;
  for (const auto& node : nodes_) {
    std::erase_if(node->writers(), [&](const auto& writer) { return ++writers[writer->stream_id()] > 1; });
  }
}

void World::quiet_step(bool frames) {
  ++stage_->journal.step;
  stage_->clock.pass(stage_->setup.period_ns / 8);
  for (int cycles = 0; cycles < 4; ++cycles) driver_->turn();
  for (const auto& node : nodes_) node->quiet_turn(frames);
  turn_of_supervisor();
  driver_->audit();
}

// What is still missing; empty if nothing is.
std::string World::unsettled() {
  if (!driver_->runs()) return "there is no driver";
  const driver::DriverStatus status = driver_->status();
  if (status.state != driver::DriverState::running) return "the driver does not run";
  std::size_t attached = 0;
  for (const auto& node : nodes_) {
    if (!node->lives()) return node->name() + " does not live";
    for (const auto& writer : node->writers()) {
      if (!writer->attached()) return writer->name() + " is not attached";
      attached += writer->stream_id() != standalone_stream ? 1 : 0;
    }
    for (const auto& reader : node->readers()) {
      if (auto missing = unsettled_reader(*reader); !missing.empty()) return missing;
      attached += reader->stream_id() != standalone_stream ? 1 : 0;
    }
  }
  if (status.leases.size() != attached) {
    return fmt::format("the driver has {} leases for {} attachments", status.leases.size(), attached);
  }
  return {};
}

std::string World::unsettled_reader(Reader& reader) {
  if (!reader.attached()) return reader.name() + " is not attached";
  for (const auto& node : nodes_) {
    for (const auto& writer : node->writers()) {
      if (writer->stream_id() != reader.stream_id()) continue;
      const std::uint64_t accepted = reader.accepted_in(writer->epoch());
      if (accepted >= enough_frames) continue;
      return fmt::format("{} has accepted {} frames of epoch {} of {}: {}", reader.name(), accepted, writer->epoch(),
                         writer->name(), shown(reader.stats()));
    }
  }
  return {};
}

void World::check_ends() {
  for (const auto& node : nodes_) {
    for (const auto& reader : node->readers()) {
      for (const auto& other : nodes_) {
        for (const auto& writer : other->writers()) {
          if (writer->stream_id() != reader->stream_id() || !reader->hears_all()) continue;
          const ConsumerStats stats = reader->stats();
          if (stats.epoch != writer->epoch() || stats.last_seq + 1 != writer->next_seq()) {
            stage_->journal.violated("I5", "{} wrote {} frames in epoch {}, {} accounts for: {}", writer->name(),
                                     writer->next_seq(), writer->epoch(), reader->name(), shown(stats));
          }
        }
      }
    }
  }
}

}  // namespace tensorpool::simulation
