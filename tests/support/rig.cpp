#include "support/rig.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "apps/config/client_setup.hpp"
#include "apps/flow/pattern.hpp"
#include "base/user.hpp"
#include "support/need.hpp"

namespace tensorpool {

namespace fs = std::filesystem;

// --- EventLog

std::function<void(const Event&)> EventLog::sink() {
  return [this](const Event& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  };
}

std::size_t EventLog::count(EventKind kind) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(events_.begin(), events_.end(), [kind](const Event& event) { return event.kind == kind; }));
}

bool EventLog::heard(EventKind kind, std::string_view text) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(events_.begin(), events_.end(), [&](const Event& event) {
    return event.kind == kind && event.message.find(text) != std::string::npos;
  });
}

std::optional<Event> EventLog::find(EventKind kind, EndReason reason) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(events_.rbegin(), events_.rend(),
                                  [&](const Event& event) { return event.kind == kind && event.reason == reason; });
  return found == events_.rend() ? std::nullopt : std::optional(*found);
}

std::string EventLog::text() const {
  const std::lock_guard lock(mutex_);
  std::string all;
  for (const Event& event : events_) all += fmt::format("\n{}: {}", to_string(event.kind), event.message);
  return all;
}

// --- Rig

namespace {

std::string config_text(const RigOptions& options, const std::string& aeron_dir, const std::string& base_dir) {
  std::string pools;
  for (const auto& pool : options.pools) {
    pools += fmt::format("{{pool_id = {}, stride_bytes = {}}}, ", pool.pool_id, pool.stride_bytes);
  }
  return fmt::format(R"([driver]
aeron_dir = "{}"
media_driver = "external"
stream_id_range = "20000-20099"
descriptor_stream_id_range = "{}"
[shm]
base_dir = "{}"
namespace = "test"
[policies]
allow_dynamic_streams = true
announce_period_ms = {}
lease_keepalive_interval_ms = {}
lease_expiry_grace_intervals = {}
{}
shutdown_token = "let me out"
shutdown_timeout_ms = 300
{}
[profiles.camera]
header_nslots = {}
payload_pools = [{}]
[streams.cam1]
stream_id = {}
profile = "camera"
[streams.cam2]
stream_id = {}
profile = "camera"
)",
                     aeron_dir, options.own_stream_range, base_dir, options.period_ms, options.period_ms,
                     options.lease_periods, options.cleans_up ? "cleanup_shm_on_exit = true" : "", options.policies,
                     options.nslots, pools, Rig::stream, Rig::other_stream);
}

}  // namespace

Rig::Rig(const RigOptions& options)
    : dir_("tp-rig", "/dev/shm"), base_dir_(options.base_dir), client_liveness_ns_(options.client_liveness_ns) {
  if (base_dir_.empty()) {
    base_dir_ = dir_.path() + "/shm";
    fs::create_directory(base_dir_);
    fs::permissions(base_dir_, fs::perms(0755));
  }
  std::ofstream(config_path()) << config_text(options, aeron_dir(), base_dir_);
  config_ = need(apps::load_node_config(config_path(), apps::Environment{}));
}

Rig::~Rig() {
  stop_driver();
  stop_media();
}

std::string Rig::namespace_dir() const {
  return fmt::format("{}/tensorpool-{}/test", base_dir_, effective_user_name());
}

std::string Rig::epoch_dir(std::uint64_t epoch, std::uint32_t stream_id) const {
  return fmt::format("{}/{}/{}", namespace_dir(), stream_id, epoch);
}

void Rig::start_media() {
  transport::MediaDriverOptions options;
  options.aeron_dir = aeron_dir();
  options.wait_for_predecessor_ns = 15 * nanos_per_second;
  options.client_liveness_ns = client_liveness_ns_;
  options.image_liveness_ns = client_liveness_ns_;
  options.publication_unblock_ns = client_liveness_ns_ + nanos_per_second;
  media_.emplace(need(transport::EmbeddedMediaDriver::start(options)));
}

void Rig::start_driver() {
  driver::DriverDeps deps;
  deps.connect = [dir = aeron_dir()] {
    transport::ConnectionOptions options;
    options.aeron_dir = dir;
    options.client_name = "driver";
    return transport::Connection::open(options);
  };
  driver_ = need(driver::Driver::create(config_.driver, std::move(deps)));
  driver_thread_ = std::make_unique<AgentRunner>("driver", Idle(IdleMode::sleep), [this](Nanos now) {
    const std::lock_guard lock(driver_mutex_);
    return driver_->do_work(now);
  });
}

void Rig::stop_driver() {
  if (!driver_) return;
  driver_->request_shutdown(protocol::ShutdownReason::normal);
  EXPECT_TRUE(eventually([this] { return driver_->finished(); })) << "the driver does not end";
  driver_thread_.reset();
  driver_.reset();
}

driver::DriverStatus Rig::driver_status() {
  const std::lock_guard lock(driver_mutex_);
  return driver_->status();
}

std::uint64_t Rig::epoch_of(std::uint32_t stream_id) {
  for (const auto& status : driver_status().streams) {
    if (status.stream_id == stream_id) return status.epoch;
  }
  return 0;
}

std::unique_ptr<Child> Rig::spawn_media() const {
  auto child = std::make_unique<Child>(std::vector<std::string>{TEST_PEER, "media", aeron_dir()}, environment_);
  EXPECT_TRUE(child->await("ready")) << child->output();
  return child;
}

std::unique_ptr<Child> Rig::spawn_driver() const {
  auto child =
      std::make_unique<Child>(std::vector<std::string>{TP_BINARY, "driver", "run", config_path()}, environment_);
  EXPECT_TRUE(child->await("serves control stream")) << child->output();
  return child;
}

std::unique_ptr<Child> Rig::spawn_producer(std::vector<std::string> more) const {
  return spawn_peer("producer", std::move(more));
}
std::unique_ptr<Child> Rig::spawn_consumer(std::vector<std::string> more) const {
  return spawn_peer("consumer", std::move(more));
}

std::unique_ptr<Child> Rig::spawn_peer(const std::string& role, std::vector<std::string> more) const {
  std::vector<std::string> arguments{TEST_PEER, role, config_path()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  auto child = std::make_unique<Child>(std::move(arguments), environment_);
  EXPECT_TRUE(child->await("peer is up")) << child->output();
  return child;
}

ClientOptions Rig::client_options(const std::string& name, EventLog* events) const {
  ClientOptions options = apps::consumer_client_options(config_, config_);
  options.name = name;
  options.attach_timeout_ns = 30 * nanos_per_second;
  options.qos_interval_ns = 100 * nanos_per_milli;
  if (events != nullptr) options.on_event = events->sink();
  return options;
}

Client Rig::connect(const std::string& name, EventLog* events) const {
  return need(Client::connect(client_options(name, events)));
}

std::string Rig::files() const {
  return files_below(base_dir_) + (base_dir_.rfind(dir_.path(), 0) == 0 ? "" : files_below(dir_.path()));
}

// --- RigTest

Rig& RigTest::rig(const RigOptions& options) {
  if (!rig_) rig_ = std::make_unique<Rig>(options);
  return *rig_;
}

void RigTest::TearDown() {
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
  EXPECT_EQ(errno, ECHILD);
  if (!rig_) return;
  rig_->stop_driver();
  rig_->stop_media();
  EXPECT_EQ(files_below(rig_->dir()), "");
}

void RigTest::end(Child& peer) {
  peer.close_input();
  EXPECT_EQ(peer.wait(), 0) << peer.output();
}

void RigTest::end_driver(Child& driver) {
  driver.signal(SIGTERM);
  EXPECT_EQ(driver.wait(), 0) << driver.output();
}

std::string files_below(const std::string& dir) {
  std::string found;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(dir, ignored)) {
    const bool lock = entry.path().extension() == ".lock" && entry.is_regular_file() && entry.file_size() == 0;
    if (!entry.is_directory() && !lock && entry.path().extension() != ".toml") found += entry.path().string() + "\n";
  }
  return found;
}

PublishStatus publish_pattern(Producer& producer, std::size_t bytes) {
  auto claim = producer.claim(bytes);
  if (!claim) return claim.error();
  apps::fill_pattern(claim->payload().first(bytes), claim->seq(), apps::Pattern::words);
  return std::move(*claim).commit(TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes)));
}

}  // namespace tensorpool
