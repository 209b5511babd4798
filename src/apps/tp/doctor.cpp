#include "apps/tp/doctor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "apps/support/driver_host.hpp"
#include "apps/tp/commands.hpp"
#include "base/user.hpp"

namespace tensorpool::apps::tp {
namespace {

using Level = Finding::Level;

void check_config(const Patient& patient, const Status& loaded, Findings& findings) {
  const std::string name = patient.config_path.empty() ? "defaults and environment" : patient.config_path;
  std::vector<std::string> warnings;
  const bool for_driver = patient.config.has_table("driver") || patient.config.has_table("profiles") ||
                          patient.config.has_table("streams");  // else a client's machine: nothing to check
  const Status status = loaded && for_driver ? check_driver(patient.config, warnings) : loaded;
  if (!status) {
    std::istringstream lines(status.error().message);
    for (std::string line; std::getline(lines, line);) {
      findings.problem("configuration", line, "correct it; tp driver validate shows all of it");
    }
    return;
  }
  for (const std::string& warning : warnings) {
    findings.warning("configuration", warning, "see docs/configuration.md");
  }
  if (warnings.empty()) {
    findings.ok("configuration", fmt::format("{}: {} streams, no errors", name, patient.config.driver.streams.size()));
  }
}

int doctor(const Invocation& invocation, const std::string& positional) {
  Machine machine;
  Patient patient{machine,
                  positional.empty() ? invocation.config_path() : positional,
                  {},
                  {},
                  effective_user_name(),
                  ::geteuid(),
                  monotonic_now()};
  Result<NodeConfig> config = invocation.config(positional);
  const Status loaded = config ? Status() : Status(config.error());
  if (config) {
    patient.config = std::move(*config);
  }
  patient.aeron_dir = aeron_dir_of(patient.config.driver);
  const Findings findings = examine(patient, loaded);
  invocation.json() ? print_json(to_json(findings)) : print_line(describe(findings));
  if (findings.healthy()) return exit_ok;
  return findings.has_problem("configuration") ? exit_usage : exit_failed;
}

}  // namespace

std::string_view to_string(Level level) noexcept {
  if (level == Level::ok) return "ok";
  return level == Level::warning ? "warning" : "problem";
}

bool Findings::healthy() const {
  return std::none_of(all_.begin(), all_.end(), [](const Finding& one) { return one.level == Level::problem; });
}

Findings examine(Patient& patient, const Status& loaded) {
  Findings findings;
  check_config(patient, loaded, findings);
  check_memory(patient, findings);
  check_system(patient, findings);
  check_places(patient, findings);
  return findings;
}

bool Findings::has_problem(std::string_view check) const {
  return std::any_of(all_.begin(), all_.end(),
                     [&](const Finding& one) { return one.level == Level::problem && one.check == check; });
}

std::string describe(const Findings& findings) {
  std::vector<std::string> lines;
  std::size_t problems = 0;
  std::size_t warnings = 0;
  for (const Finding& finding : findings.all()) {
    problems += finding.level == Level::problem ? 1 : 0;
    warnings += finding.level == Level::warning ? 1 : 0;
    lines.push_back(fmt::format("{:<8} {:<16} {}", to_string(finding.level), finding.check, finding.what));
    if (!finding.fix.empty()) {
      lines.push_back(fmt::format("{:<25} fix: {}", "", finding.fix));
    }
  }
  lines.push_back(fmt::format("{} problem{}, {} warning{}", problems, problems == 1 ? "" : "s", warnings,
                              warnings == 1 ? "" : "s"));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Json to_json(const Findings& findings) {
  Json checks = Json::array();
  for (const Finding& finding : findings.all()) {
    checks.push_back({{"check", finding.check},
                      {"level", to_string(finding.level)},
                      {"what", finding.what},
                      {"fix", finding.fix.empty() ? Json(nullptr) : Json(finding.fix)}});
  }
  return {{"healthy", findings.healthy()}, {"checks", std::move(checks)}};
}

void register_doctor(Registry& registry) {
  const auto file = std::make_shared<std::string>();
  registry
      .add(registry.top(), "doctor", "Check this machine: memory, limits, permissions, media driver, stale files",
           "tp doctor driver.toml", [file](const Invocation& invocation) { return doctor(invocation, *file); })
      .add_option("CONFIG", *file, "configuration file");
}

}  // namespace tensorpool::apps::tp
