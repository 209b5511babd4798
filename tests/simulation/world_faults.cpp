// What goes wrong in a world.
#include "simulation/world.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::simulation {

namespace loopback = transport::loopback;

// From less than a period to many leases.
Nanos World::a_while() {
  Random& random = stage_->random;
  return random.chance(70) ? random.between(1, 300) * nanos_per_milli : random.between(300, 4000) * nanos_per_milli;
}

void World::faults() {
  Random& random = stage_->random;
  const Weather& weather = stage_->setup.weather;
  if (random.below(1000) < weather.process_faults) process_fault();
  if (random.below(1000) < weather.driver_faults) driver_fault();
  if (random.below(1000) < weather.media_faults) media_fault();
  if (random.below(1000) < weather.clock_faults) clock_fault();
  if (random.below(1000) < weather.offer_faults) offer_fault();
}

void World::process_fault() {
  Random& random = stage_->random;
  if (supervisor_ && random.chance(10)) {
    stage_->journal.note("the supervisor dies");
    if (random.chance(50)) loopback::cut_connections(stage_->bus, "supervisor");
    supervisor_.reset();
    return;
  }
  Node& node = *nodes_[random.below(nodes_.size())];
  switch (random.below(8)) {
    case 0:
    case 1: {
      const Nanos down_for = a_while();
      return node.kill(random.chance(50) ? 0 : a_while(), down_for);
    }
    case 2:
      return node.stop(true, true, a_while());
    case 3:
      return node.stop(true, false, a_while());
    case 4:
      return node.stop(false, true, a_while());
    case 5:
      return node.cut();
    case 6:
      return node.end(a_while());
    default:
      return node.close_a_handle();
  }
}

void World::driver_fault() {
  switch (stage_->random.below(6)) {
    case 0:
    case 1:
      return driver_->kill(a_while());
    case 2:
    case 3:
      return driver_->stop(a_while());
    case 4:
      return driver_->shut_down(a_while());
    default:
      return driver_->cut();
  }
}

void World::media_fault() {
  if (!media_up_) return;
  stage_->journal.note("the media driver is killed");
  loopback::kill_media_driver(stage_->bus);
  media_up_ = false;
  media_down_until_ = stage_->clock.now + (stage_->random.chance(30) ? 0 : a_while());
}

void World::clock_fault() {
  Random& random = stage_->random;
  const Nanos unit = random.one_of<Nanos>({1, 1000, 100'000});
  const Nanos by = unit * random.between(-nanos_per_second, nanos_per_second);
  stage_->journal.note("the wall clock steps by {} ms", by / nanos_per_milli);
  stage_->clock.realtime += by;
}

void World::offer_fault() {
  Random& random = stage_->random;
  const auto stream = static_cast<std::int32_t>(random.one_of<std::uint32_t>(
      {1000, 1100, 1200, 1300, stage_->setup.driver.announce_stream_id(), own_descriptor_streams}));
  const int count = static_cast<int>(random.between(1, 20));
  switch (random.below(5)) {
    case 0:
      return loopback::force_offer_result(stage_->bus, stream, transport::OfferResult::admin_action, count);
    case 1:
      return loopback::time_out_next_adds(stage_->bus, static_cast<int>(random.between(1, 4)));
    case 2:
      return loopback::hold_counters(stage_->bus, random.chance(50));
    case 3:
      stage_->no_space = random.chance(50);
      return;
    default:
      return loopback::force_offer_result(stage_->bus, stream, transport::OfferResult::back_pressured, count);
  }
}

}  // namespace tensorpool::simulation
