#include "world.hpp"

#include <cstdio>

#include "apps/support/driver_host.hpp"
#include "support/work.hpp"

namespace tensorpool::bench {
namespace {

constexpr std::size_t stride_unit = 64;
constexpr Nanos link_time_ns = 50 * nanos_per_milli;  // until every subscriber has every publication's image

apps::NodeConfig config_of(const StreamPlan& plan, const Scratch& scratch) {
  apps::NodeConfig config;
  config.driver.driver.aeron_dir = scratch.aeron_dir();
  config.driver.driver.media_driver = plan.separate_media_driver ? "external" : "embedded";
  config.driver.shm.base_dir = scratch.base_dir();
  config.driver.shm.name_space = "bench";
  config.driver.shm.reserve = plan.reserve_on_touch ? "on_touch" : "full";
  config.driver.policies.prefault_shm = !plan.reserve_on_touch;
  const std::size_t strides = (std::max<std::size_t>(plan.payload_bytes, 1) + stride_unit - 1) / stride_unit;
  config.driver.profiles = {{.name = "bench",
                             .header_nslots = static_cast<std::uint32_t>(plan.slots),
                             .payload_pools = {{1, static_cast<std::uint32_t>(strides * stride_unit)}}}};
  for (std::size_t i = 0; i < plan.streams; ++i) {
    const auto id = static_cast<std::uint32_t>(first_stream + i);
    config.driver.streams.push_back({"stream" + std::to_string(id), id, "bench"});
  }
  return config;
}

}  // namespace

World::World(const StreamPlan& plan) : progress_(scratch_, "progress") {
  if (plan.separate_media_driver) media_.emplace(start_media_driver(scratch_));
  const apps::NodeConfig config = config_of(plan, scratch_);
  driver_.emplace("driver", [&] {
    const LogSink sink = [this](LogLevel level, std::string_view text) {
      if (text.find("serves control stream") != std::string_view::npos) progress_->ready = 1;
      if (level == LogLevel::error) std::fprintf(stderr, "driver: %.*s\n", static_cast<int>(text.size()), text.data());
    };
    need(apps::run_driver(config, sink));
    return Json();
  });
  await([this] { return progress_->ready == 1; }, "the driver");
  progress_->ready = 0;
}

void World::restart_media_driver() {
  media_->kill();
  media_.emplace(start_media_driver(scratch_, 15 * nanos_per_second));
}

void World::end() noexcept {
  driver_.reset();
  media_.reset();
}

ClientOptions World::client_options(const std::string& name) const {
  ClientOptions options;
  options.aeron_dir = scratch_.aeron_dir();
  options.allowed_base_dirs = {scratch_.base_dir()};
  options.name = name;
  return options;
}

void meet(Progress& progress, std::uint32_t parts) {
  progress.ready.fetch_add(1);
  await([&] { return progress.ready.load() >= parts; }, "the other parts");
  sleep_ns(link_time_ns);
}

void wait_for_stop(const Progress& progress) {
  while (!progress.stop) sleep_ns(20 * nanos_per_milli);
}

void publish_in_place(Producer& producer, const TensorLayout& layout, bool touch, Nanos timestamp_ns) {
  const auto bytes = static_cast<std::size_t>(layout.dims[0]);
  auto claim = producer.claim(bytes);
  if (claim && touch) write_all(claim->payload().first(bytes), static_cast<std::uint64_t>(timestamp_ns));
  const PublishStatus status = claim ? std::move(*claim).commit(layout, {.timestamp_ns = timestamp_ns}) : claim.error();
  if (!is_committed(status)) throw std::runtime_error("a frame was not published: " + std::string(to_string(status)));
}

Json losses_of(const ConsumerStats& stats) {
  Json losses = Json::object();
  for (std::size_t i = 0; i < loss_causes; ++i) {
    if (stats.lost[i] != 0) losses[std::string(to_string(static_cast<LossCause>(i)))] = stats.lost[i];
  }
  return losses;
}

}  // namespace tensorpool::bench
