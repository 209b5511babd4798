// The demo's pipeline as a list of programs: three cameras, three processors, three consumers, and what serves them.
#pragma once

#include <string>
#include <vector>

#include "apps/demo/station.hpp"

namespace tensorpool::apps {

struct PipelinePaths {
  std::string programs;   // directory of tp, demo_processor and fake_gige_camera
  std::string config;     // the driver's configuration
  std::string images;     // directory of the image camera
  std::string directory;  // of this run
};

[[nodiscard]] Station::Plan driver_plan(const PipelinePaths& paths);
[[nodiscard]] Station::Plan fake_camera_plan(const PipelinePaths& paths);
[[nodiscard]] std::vector<Station::Plan> camera_plans(const PipelinePaths& paths);
[[nodiscard]] std::vector<Station::Plan> processor_plans(const PipelinePaths& paths);
[[nodiscard]] std::vector<Station::Plan> consumer_plans(const PipelinePaths& paths);

// The media driver's directory of this run.
[[nodiscard]] std::string aeron_dir_of(const PipelinePaths& paths);

}  // namespace tensorpool::apps
