#include "apps/demo/pipeline.hpp"

#include <fmt/format.h>

namespace tensorpool::apps {
namespace {

using Words = std::vector<std::string>;

constexpr std::uint32_t gige_stream_id = 1001;
constexpr std::uint32_t images_stream_id = 1002;
constexpr std::uint32_t pattern_stream_id = 1003;
constexpr std::uint32_t processed_offset = 1000;  // 1001 becomes 2001

ChildCommand command(const PipelinePaths& paths, std::string name, const std::string& program, Words arguments) {
  ChildCommand result;
  result.arguments.push_back(paths.programs + "/" + program);
  result.arguments.insert(result.arguments.end(), arguments.begin(), arguments.end());
  result.environment = {"DRIVER_AERON_DIR=" + aeron_dir_of(paths), "SHM_BASE_DIR=" + paths.directory + "/shm",
                        "TENSORPOOL_CONFIG=" + paths.config};
  result.log_path = paths.directory + "/logs/" + name + ".log";
  result.name = std::move(name);
  return result;
}

std::string crc_log(const PipelinePaths& paths, const std::string& name, std::string_view end) {
  return fmt::format("{}/logs/{}.{}.crc", paths.directory, name, end);
}

Station::Plan camera(const PipelinePaths& paths, std::uint32_t stream_id, const std::string& name, Words arguments) {
  Station::Plan plan;
  plan.kind = Station::Kind::camera;
  plan.out_stream_id = stream_id;
  plan.out_log = crc_log(paths, name, "out");
  const Words common{"--stream", std::to_string(stream_id), "--crc-log", plan.out_log, "--hold", "--format", "json"};
  arguments.insert(arguments.end(), common.begin(), common.end());
  plan.command = command(paths, name, "tp", std::move(arguments));
  return plan;
}

Station::Plan processor(const PipelinePaths& paths, std::uint32_t in_stream_id, const std::string& kind) {
  Station::Plan plan;
  plan.kind = Station::Kind::processor;
  plan.in_stream_id = in_stream_id;
  plan.out_stream_id = in_stream_id + processed_offset;
  plan.in_log = crc_log(paths, kind, "in");
  plan.out_log = crc_log(paths, kind, "out");
  plan.command = command(paths, kind, "demo_processor",
                         {"--config", paths.config, "--kind", kind, "--in", std::to_string(plan.in_stream_id), "--out",
                          std::to_string(plan.out_stream_id), "--in-crc-log", plan.in_log, "--out-crc-log",
                          plan.out_log, "--hold", "--format", "json"});
  return plan;
}

Station::Plan consumer(const PipelinePaths& paths, std::uint32_t stream_id) {
  const std::string name = fmt::format("consumer-{}", stream_id);
  Station::Plan plan;
  plan.kind = Station::Kind::consumer;
  plan.in_stream_id = stream_id;
  plan.in_log = crc_log(paths, name, "in");
  plan.command =
      command(paths, name, "tp",
              {"consume", "--stream", std::to_string(stream_id), "--crc-log", plan.in_log, "--format", "json"});
  return plan;
}

}  // namespace

std::string aeron_dir_of(const PipelinePaths& paths) { return paths.directory + "/aeron"; }

Station::Plan driver_plan(const PipelinePaths& paths) {
  return {.command = command(paths, "driver", "tp", {"driver", "run", paths.config})};
}

Station::Plan fake_camera_plan(const PipelinePaths& paths) {
  return {.command =
              command(paths, "gige-camera", "fake_gige_camera", {"--rate", "50", "--width", "320", "--height", "240"})};
}

std::vector<Station::Plan> camera_plans(const PipelinePaths& paths) {
  return {camera(paths, gige_stream_id, "gige", {"publish", "camera", "--address", "127.0.0.1"}),
          camera(paths, images_stream_id, "starfield", {"publish", "images", paths.images, "--rate", "60"}),
          camera(paths, pattern_stream_id, "pattern", {"publish", "pattern", "--size", "1920x1080", "--rate", "30"})};
}

std::vector<Station::Plan> processor_plans(const PipelinePaths& paths) {
  return {processor(paths, gige_stream_id, "threshold"), processor(paths, images_stream_id, "background"),
          processor(paths, pattern_stream_id, "bin2")};
}

std::vector<Station::Plan> consumer_plans(const PipelinePaths& paths) {
  return {consumer(paths, gige_stream_id + processed_offset), consumer(paths, images_stream_id + processed_offset),
          consumer(paths, pattern_stream_id + processed_offset)};
}

}  // namespace tensorpool::apps
