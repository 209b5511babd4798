// `tp doctor`: is this machine, for this user and this configuration, fit for a tensorpool? Each finding that is not ok
// carries its fix, as a command or a setting. Looks only; changes nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apps/config/node_config.hpp"
#include "apps/flow/stats_json.hpp"
#include "apps/tp/machine.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::apps::tp {

struct Finding {
  enum class Level : std::uint8_t { ok, warning, problem };

  std::string check;
  Level level = Level::ok;
  std::string what;
  std::string fix;  // empty if ok
};
[[nodiscard]] std::string_view to_string(Finding::Level level) noexcept;

// What is examined. A test brings its own machine and media driver.
struct Patient {
  Machine& machine;
  std::string config_path;  // empty: defaults and environment
  NodeConfig config;        // as far as it could be read
  std::string aeron_dir;
  std::string user;
  uid_t uid = 0;
  Nanos now = 0;
  std::function<transport::MediaDriverProbe(const std::string&)> probe = transport::probe_media_driver;
};

class Findings {
 public:
  void ok(std::string check, std::string what) { add({std::move(check), Finding::Level::ok, std::move(what), {}}); }
  void warning(std::string check, std::string what, std::string fix) {
    add({std::move(check), Finding::Level::warning, std::move(what), std::move(fix)});
  }
  void problem(std::string check, std::string what, std::string fix) {
    add({std::move(check), Finding::Level::problem, std::move(what), std::move(fix)});
  }

  [[nodiscard]] const std::vector<Finding>& all() const { return all_; }
  [[nodiscard]] bool healthy() const;
  [[nodiscard]] bool has_problem(std::string_view check) const;

 private:
  void add(Finding finding) { all_.push_back(std::move(finding)); }

  std::vector<Finding> all_;
};

// The checks, each in the file that its name says.
void check_memory(Patient& patient, Findings& findings);  // doctor_memory: space, cgroup, memlock, huge pages, caches
void check_system(Patient& patient, Findings& findings);  // doctor_system: socket buffers, RemoveIPC
void check_places(Patient& patient, Findings& findings);  // doctor_places: media driver, permissions, stale files

// All of them, the configuration's own errors first.
[[nodiscard]] Findings examine(Patient& patient, const Status& loaded);

[[nodiscard]] std::string describe(const Findings& findings);
[[nodiscard]] Json to_json(const Findings& findings);

}  // namespace tensorpool::apps::tp
