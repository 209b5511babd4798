#include "simulation/world.hpp"

#include <unistd.h>
#include <algorithm>

#include <filesystem>
#include <fstream>
#include <map>

#include "shm/epoch_store.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::simulation {

namespace fs = std::filesystem;

namespace {

int count_open_files() {
  int files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++files;
  return files;
}

}  // namespace

World::World(std::uint64_t seed, const std::string& dir, Sabotage sabotage, bool aloud) : dir_(dir) {
  open_files_ = count_open_files();
  stage_.reset(new Stage{.setup = Setup(seed),
                         .sabotage = sabotage,
                         .clock = Clockwork(seed),
                         .random = Random(mixed(seed ^ 0x5EED)),
                         .journal = {},
                         .truth = {},
                         .figures = {},
                         .bus = dir + "/bus",
                         .base_dir = dir + "/shm",
                         .next_id = 0,
                         .no_space = false,
                         .dreams = true,
                         .write_meanwhile = {},
                         .wait = {}});
  stage_->journal.aloud = aloud;
  fs::create_directory(stage_->base_dir);
  fs::permissions(stage_->base_dir, fs::perms(0755));
  stage_->setup.standalone.base_dir = stage_->base_dir;
  for (NodePlan& node : stage_->setup.nodes) {
    for (WriterPlan& writer : node.writers) {
      if (writer.options.standalone) writer.options.standalone->base_dir = stage_->base_dir;
    }
  }
  transport::loopback::start_media_driver(stage_->bus);
  if (stage_->setup.descriptor_window) {
    transport::loopback::set_window(stage_->bus,
                                    static_cast<std::int32_t>(stage_->setup.driver.driver.descriptor_stream_id),
                                    *stage_->setup.descriptor_window);
  }
  weather_ = std::make_unique<MessageWeather>(*stage_);
  driver_ = std::make_unique<DriverHost>(*stage_);
  stage_->wait = [this] {
    stage_->clock.pass(nanos_per_milli);
    driver_->work();
    return stage_->clock.now;
  };
  stage_->write_meanwhile = [this](std::uint32_t stream_id) {
    const auto frames = stage_->random.between(1, 2 * stage_->setup.standalone.nslots);
    for (const auto& node : nodes_) {
      if (!node->writes()) continue;
      for (const auto& writer : node->writers()) {
        for (int i = 0; i < frames && writer->stream_id() == stream_id; ++i) writer->publish();
      }
    }
  };
  for (std::size_t i = 0; i < stage_->setup.nodes.size(); ++i) {
    nodes_.push_back(std::make_unique<Node>(*stage_, stage_->setup.nodes[i], fmt::format("node{}", i)));
  }
}

// After a violation everything is left as it lies, and goes.
World::~World() {
  weather_->calm_down();
  if (!media_up_) transport::loopback::start_media_driver(stage_->bus);
  supervisor_.reset();
  nodes_.clear();
  driver_.reset();
  weather_.reset();
  transport::loopback::remove_bus(stage_->bus);
  for (const auto& entry : fs::directory_iterator(dir_)) {
    std::error_code ignored;
    fs::remove_all(entry.path(), ignored);
  }
}

Outcome World::run() {
  Journal& journal = stage_->journal;
  for (int i = 0; i < stage_->setup.steps && !journal.violation(); ++i) step();
  if (!journal.violation()) be_quiet();
  if (!journal.violation()) leave();
  return {journal.violation(), journal.last_lines(), journal.digest(), stage_->figures};
}

void World::step() {
  ++stage_->journal.step;
  pass_time();
  faults();
  turn_of_each();
  weather_->turn();
  driver_->audit();
}

void World::pass_time() {
  Random& random = stage_->random;
  const std::uint64_t kind = random.below(100);
  Nanos passed = random.between(1, 20) * nanos_per_milli;
  if (kind < 20) passed = random.between(0, 1000) * nanos_per_micro;
  if (kind >= 90) passed = random.between(20, 150) * nanos_per_milli;
  if (random.below(1000) < stage_->setup.weather.jumps) passed = random.between(200, 5000) * nanos_per_milli;
  stage_->clock.pass(passed);
}

void World::turn_of_each() {
  if (!media_up_ && stage_->clock.now >= media_down_until_) {
    media_up_ = true;
    transport::loopback::start_media_driver(stage_->bus);
    stage_->journal.note("a media driver starts");
    ++stage_->figures.lives;
  }
  std::vector<std::size_t> order(nodes_.size() + 2);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  stage_->random.shuffle(order);
  for (const std::size_t who : order) {
    if (stage_->random.chance(10)) continue;
    if (who < nodes_.size()) {
      nodes_[who]->turn();
    } else if (who == nodes_.size()) {
      driver_->turn();
    } else {
      turn_of_supervisor();
    }
  }
}

void World::turn_of_supervisor() {
  if (!stage_->setup.supervised) return;
  if (!supervisor_) {
    SupervisorOptions options;
    options.where.aeron_dir = stage_->bus;
    options.where.announce.stream_id = static_cast<std::int32_t>(stage_->setup.driver.announce_stream_id());
    options.where.name = "supervisor";
    options.where.announce_period_ns = stage_->setup.period_ns;
    options.where.wait = [this] { return stage_->clock.now; };
    options.liveness_timeout_ns = 5 * stage_->setup.period_ns;
    options.liveness_check_interval_ns = stage_->setup.period_ns;
    options.config_interval_ns = stage_->setup.period_ns;
    options.policies = {stage_->setup.policy};
    options.on_event = [this](const MonitorEvent& event) {
      stage_->journal.note("supervisor {} {}.{}: {}", to_string(event.kind), event.stream_id, event.client_id,
                           event.message);
    };
    auto created = Supervisor::create(std::move(options));
    if (!created) return;
    supervisor_.emplace(*std::move(created));
  }
  supervisor_->do_work(stage_->clock.now);
  const SupervisorStats stats = supervisor_->stats();
  for (const std::uint64_t figure : {stats.alerts, stats.configs_sent, stats.strangers}) stage_->journal.mix(figure);
}

// --- The end of a world that is at rest ---

// I8. REQUIRES: quiet.
void World::leave() {
  stage_->journal.note("all end");
  supervisor_.reset();
  for (const auto& node : nodes_) node->end(0);
  driver_->finish();
  if (stage_->journal.violation()) return;
  const int leaked = stage_->sabotaged(Sabotage::leak) ? ::dup(0) : -1;
  const transport::loopback::Resources left = transport::loopback::resources_of(stage_->bus);
  if (!(left == transport::loopback::Resources{})) {
    stage_->journal.violated("I8", "{} publications, {} subscriptions and {} counters are left", left.publications,
                             left.subscriptions, left.counters);
  }
  if (const int open = count_open_files(); open != open_files_) {
    stage_->journal.violated("I8", "{} files are open, {} were", open, open_files_);
  }
  if (leaked >= 0) ::close(leaked);
  check_files();
}

void World::check_files() {
  std::map<std::string, int> epochs;
  const std::string streams = stage_->base_dir + "/tensorpool-simulated/default";
  std::error_code none;
  for (const auto& entry : fs::recursive_directory_iterator(stage_->base_dir, none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(shm::making_prefix) || name.starts_with(shm::removed_prefix)) {
      stage_->journal.violated("I8", "{} is left half-made", entry.path().string());
    }
    if (name == shm::header_file_name) ++epochs[entry.path().parent_path().parent_path().string()];
  }
  for (const auto& [stream, count] : epochs) {
    const bool of_the_driver = stream.starts_with(streams);
    const int most = of_the_driver && !stage_->setup.driver.policies.cleanup_shm_on_exit ? 1 : 0;
    if (count > most) stage_->journal.violated("I8", "{} epochs are left in {}", count, stream);
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(stage_->base_dir) != std::string::npos) stage_->journal.violated("I8", "still mapped: {}", line);
  }
}

}  // namespace tensorpool::simulation
