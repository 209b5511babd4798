#include "apps/tensorpoold/node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "apps/support/driver_host.hpp"
#include "apps/support/hosted_role.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/support/supervisor_host.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

struct RoleKind {
  const char* name;
  std::vector<std::string> tables;  // any of them in the file makes it run
  Result<std::unique_ptr<HostedRole>> (*start)(const NodeConfig& config, const LogSink& sink);
};

// A driver comes first: the others are its clients.
const std::array kinds{RoleKind{"driver", {"driver", "shm", "policies", "profiles", "streams"}, start_driver},
                       RoleKind{"supervisor", {"supervisor"}, start_supervisor}};

// The environment alone starts no role: it is the same for all programs of a session.
bool file_has(const NodeConfig& config, const std::string& table) {
  return std::any_of(config.sources.begin(), config.sources.end(), [&](const auto& source) {
    return source.first.starts_with(table + ".") && !config.is_from_environment(source.first);
  });
}

bool runs(const RoleKind& kind, const NodeConfig& config, const std::vector<std::string>& wanted) {
  if (!wanted.empty()) return std::find(wanted.begin(), wanted.end(), kind.name) != wanted.end();
  return std::any_of(kind.tables.begin(), kind.tables.end(),
                     [&](const std::string& table) { return file_has(config, table); });
}

Error named(std::string_view role, const Error& error, std::size_t roles) {
  return roles == 1 ? error : make_error(error.code, "role {}: {}", role, error.message);
}

// Whoever runs already ends in good order when another cannot start.
void end_all(std::span<const std::unique_ptr<HostedRole>> running, const LogSink& sink) {
  for (const auto& role : running) role->request_stop();
  static_cast<void>(run_roles(running, sink));
}

}  // namespace

std::vector<std::string> known_roles() {
  std::vector<std::string> names;
  for (const RoleKind& kind : kinds) names.emplace_back(kind.name);
  return names;
}

Result<std::vector<std::string>> roles_of(const NodeConfig& config, const std::vector<std::string>& wanted) {
  std::vector<std::string> roles;
  for (const RoleKind& kind : kinds) {
    if (runs(kind, config, wanted)) roles.emplace_back(kind.name);
  }
  if (!roles.empty()) return roles;
  std::vector<std::string> hints;
  for (const RoleKind& kind : kinds) hints.push_back(fmt::format("{} [{}]", kind.name, fmt::join(kind.tables, "], [")));
  return make_error(ErrorCode::invalid_config,
                    "{}: no role to run; a role runs when the file has a key of its tables ({}), or with --role",
                    config.file, fmt::join(hints, "; "));
}

Status run_node(const NodeConfig& config, const std::vector<std::string>& roles, const LogSink& sink) {
  let_hangup_reopen_log();
  Log log(sink);
  for (const std::string& warning : config.warnings) log.warning("{}", warning);
  std::vector<std::unique_ptr<HostedRole>> running;
  for (const RoleKind& kind : kinds) {
    if (std::find(roles.begin(), roles.end(), kind.name) == roles.end()) continue;
    auto started = kind.start(config, sink);
    if (!started) {
      end_all(running, sink);
      return named(kind.name, started.error(), roles.size());
    }
    running.push_back(*std::move(started));
  }
  return run_roles(running, sink);
}

}  // namespace tensorpool::apps
