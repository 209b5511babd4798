#include "simulation/setup.hpp"

namespace tensorpool::simulation {

Setup::Setup(std::uint64_t seed) : random(mixed(seed + 1)) {
  draw_driver();
  draw_nodes();
  draw_weather();
  supervised = random.chance(30);
  policy.rate_limited = random.chance(50);
  if (random.chance(25)) descriptor_window = random.one_of<std::size_t>({512, 1024, 2048});
  steps = static_cast<int>(random.one_of({100, 200, 400}));
}

void Setup::draw_driver() {
  period_ns = random.one_of({20, 50, 100}) * nanos_per_milli;
  const auto period_ms = static_cast<std::uint32_t>(period_ns / nanos_per_milli);
  driver.policies.announce_period_ms = period_ms;
  driver.policies.lease_keepalive_interval_ms = period_ms;
  driver.policies.lease_expiry_grace_intervals = static_cast<std::uint32_t>(random.between(3, 5));
  driver.policies.prefault_shm = false;
  driver.policies.cleanup_shm_on_exit = random.chance(30);
  driver.policies.epoch_gc_keep = static_cast<std::uint32_t>(random.between(1, 3));
  driver.policies.epoch_gc_on_startup = random.chance(30);
  driver.policies.unique_client_ids = random.chance(70);
  driver.policies.shutdown_timeout_ms = static_cast<std::uint32_t>(random.one_of({0, 50, 300}));
  driver.policies.node_id_reuse_cooldown_ms = 50;
  if (random.chance(20)) driver.driver.announce_stream_id = 1001;
  if (random.chance(70)) {
    driver.driver.descriptor_stream_id_range = {own_descriptor_streams, own_descriptor_streams + 2};
    driver.driver.control_stream_id_range = {own_control_streams, own_control_streams + 2};
  }
  driver.policies.allow_dynamic_streams = true;
  driver.driver.stream_id_range = {dynamic_stream, dynamic_stream + 1};
  const auto nslots = static_cast<std::uint32_t>(random.one_of({4, 8, 16}));
  driver::Profile profile{"small", nslots, 256, 8, {{1, 64}}};
  longest_frame = 64;
  if (random.chance(50)) {
    profile.payload_pools.push_back({2, 256});
    longest_frame = 256;
  }
  standalone.nslots = nslots;
  standalone.pools = {{1, static_cast<std::uint32_t>(longest_frame + 63) / 64 * 64}};
  standalone.name_space = "alone";
  standalone.user = "simulated";
  standalone.prefault = false;
  driver.profiles.push_back(std::move(profile));
  driver.streams.push_back({"first", first_stream, "small"});
  driver.streams.push_back({"second", second_stream, "small"});
}

void Setup::draw_nodes() {
  nodes.resize(static_cast<std::size_t>(random.between(2, 4)));
  const auto somewhere = [this]() -> NodePlan& { return nodes[random.below(nodes.size())]; };
  for (NodePlan& node : nodes) {
    node.counters = random.chance(20);
    node.follows_metadata = random.chance(20);
  }
  std::vector<std::uint32_t> streams{first_stream};
  if (random.chance(60)) streams.push_back(second_stream);
  if (random.chance(25)) streams.push_back(standalone_stream);
  if (random.chance(25)) streams.push_back(dynamic_stream);
  for (const std::uint32_t stream_id : streams) {
    somewhere().writers.push_back(draw_writer(stream_id));
    if (stream_id != standalone_stream && random.chance(30)) somewhere().writers.push_back(draw_writer(stream_id));
    for (auto readers = random.between(1, 3); readers > 0; --readers) {
      somewhere().readers.push_back(draw_reader(stream_id));
    }
  }
}

WriterPlan Setup::draw_writer(std::uint32_t stream_id) {
  WriterPlan plan;
  plan.options.stream_id = stream_id;
  plan.options.create = stream_id == dynamic_stream;
  plan.options.min_readable_slots = static_cast<std::uint32_t>(random.one_of({0, 0, 1, 2}));
  plan.options.progress_interval_ns = 0;
  plan.options.progress_bytes_delta = 0;
  plan.options.wake_consumers = random.chance(10);
  if (random.chance(30)) plan.options.client_id = ++last_client_id_;
  if (stream_id == standalone_stream) plan.options.standalone = standalone;
  plan.describes = random.chance(30);
  return plan;
}

ReaderPlan Setup::draw_reader(std::uint32_t stream_id) {
  ReaderPlan plan;
  ConsumerOptions& options = plan.options;
  options.stream_id = stream_id;
  options.create = stream_id == dynamic_stream;
  options.standalone = stream_id == standalone_stream;
  options.start = random.one_of({StartAt::latest, StartAt::next, StartAt::oldest});
  options.latest_only = random.chance(15);
  if (random.chance(30)) options.skip_threshold = static_cast<std::uint32_t>(random.between(1, 20));
  if (random.chance(15)) options.max_outstanding_seq_gap = static_cast<std::uint32_t>(random.between(1, 8));
  if (random.chance(25)) options.max_rate_hz = static_cast<double>(random.one_of({10, 50, 500}));
  if (random.chance(20)) options.decimation = static_cast<std::uint32_t>(random.between(2, 3));
  options.own_streams = random.chance(40);
  if (random.chance(30)) options.progress = ProgressHints{.interval_us = 0, .bytes_delta = 0, .rows_delta = 0};
  if (random.chance(30)) options.client_id = ++last_client_id_;
  plan.laziness = random.one_of({0U, 20U, 60U, 95U});
  plan.dreaming = random.one_of({0U, 5U, 30U});
  return plan;
}

void Setup::draw_weather() {
  const auto sometimes = [this](unsigned percent, std::initializer_list<unsigned> values) {
    return random.chance(percent) ? random.one_of(values) : 0U;
  };
  weather.drop = sometimes(40, {1, 5, 30});
  weather.duplicate = sometimes(30, {2, 20});
  weather.hold = sometimes(30, {2, 20});
  weather.descriptor_drop = sometimes(40, {1, 10, 50});
  weather.descriptor_duplicate = sometimes(30, {5, 30});
  weather.descriptor_hold = sometimes(30, {5, 30});
  weather.process_faults = sometimes(70, {5, 20, 60});
  weather.driver_faults = sometimes(60, {5, 20, 60});
  weather.media_faults = sometimes(30, {3, 15});
  weather.clock_faults = sometimes(30, {10, 50});
  weather.offer_faults = sometimes(30, {10, 60});
  weather.jumps = sometimes(50, {5, 30});
}

}  // namespace tensorpool::simulation
