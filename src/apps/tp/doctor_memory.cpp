// tp doctor: is there memory enough, and may it be locked and come in huge pages?
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "apps/tp/doctor.hpp"
#include "shm/space.hpp"

namespace tensorpool::apps::tp {
namespace {

using driver::format_bytes;

constexpr std::uint64_t small_file_system = std::uint64_t{256} << 20;  // a container's /dev/shm has 64 MiB
constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;

std::uint64_t gibibytes(std::uint64_t bytes) { return (bytes + gibibyte - 1) / gibibyte; }

// The nearest directory above that exists: the driver makes a base directory below /dev/shm itself.
std::string existing_parent(const std::string& path) {
  std::filesystem::path at(path);
  std::error_code ignored;
  while (at.has_relative_path() && !std::filesystem::exists(at, ignored)) {
    at = at.parent_path();
  }
  return at.string();
}

std::string larger_file_system(const std::optional<Mount>& mount, std::uint64_t needed) {
  if (!mount || mount->type != "tmpfs") {
    return "set shm.base_dir to a larger file system, or lower profiles.<name>.header_nslots or the strides";
  }
  return fmt::format("mount -o remount,size={}G {} (in a container: --shm-size={}g), or lower header_nslots or strides",
                     gibibytes(needed + needed / 8), mount->directory, gibibytes(needed + needed / 8));
}

std::string describe_wanted(const driver::Footprint& wanted) {
  std::string text = fmt::format("all configured streams together take {}", format_bytes(wanted.total_bytes));
  if (wanted.dynamic_streams > 0) {
    text += fmt::format(", up to {} dynamic streams up to {} more", wanted.dynamic_streams,
                        format_bytes(wanted.dynamic_bytes));
  }
  return text;
}

// Whether what is free holds the configured streams, and with them all dynamic ones that clients may create.
bool holds(std::uint64_t free, const driver::Footprint& wanted) { return free >= wanted.total_bytes; }
bool holds_dynamic(std::uint64_t free, const driver::Footprint& wanted) {
  return holds(free, wanted) && free - wanted.total_bytes >= wanted.dynamic_bytes;
}
constexpr const char* fewer_dynamic_streams = "narrow driver.stream_id_range, or lower header_nslots or strides";

void check_space(Patient& patient, const driver::Footprint& wanted, Findings& findings) {
  const std::uint64_t needed = wanted.total_bytes;
  const std::string& base = patient.config.driver.shm.base_dir;
  const std::optional<Mount> mount = patient.machine.mount_of(base);
  const std::string kind = mount ? fmt::format("{} on {}", mount->type, mount->directory) : "unknown file system";
  const auto space = shm::probe_space(existing_parent(base), patient.machine);
  if (!space) {
    findings.problem("shared memory", space.error().message, "set shm.base_dir to a directory that exists");
    return;
  }
  const std::uint64_t free = space->file_system_free.value_or(UINT64_MAX);
  if (!holds(free, wanted)) {
    findings.problem("shared memory",
                     fmt::format("{} ({}) has {} free, {}", base, kind, format_bytes(free), describe_wanted(wanted)),
                     larger_file_system(mount, needed));
  } else if (!holds_dynamic(free, wanted)) {
    findings.warning("shared memory",
                     fmt::format("{} ({}) has {} free, {}", base, kind, format_bytes(free), describe_wanted(wanted)),
                     fewer_dynamic_streams);
  } else if (mount && mount->type != "tmpfs" && mount->type != "hugetlbfs") {
    findings.warning("shared memory", fmt::format("{} lies on a disk ({}): frames are written to it", base, kind),
                     "set shm.base_dir to a directory below /dev/shm");
  } else if (free < small_file_system) {
    findings.warning("shared memory", fmt::format("{} ({}) has only {} free", base, kind, format_bytes(free)),
                     larger_file_system(mount, 2 * gibibyte));
  } else {
    findings.ok("shared memory", fmt::format("{} ({}) has {} free, {}", base, kind,
                                             space->file_system_free ? format_bytes(free) : "an unknown amount",
                                             describe_wanted(wanted)));
  }
  const auto limited = [&](const char* check, const std::optional<std::uint64_t>& granted, const char* fix) {
    if (!granted) {
      findings.ok(check, "no limit known");
    } else if (!holds(*granted, wanted)) {
      findings.problem(check, fmt::format("{} left, {}", format_bytes(*granted), describe_wanted(wanted)), fix);
    } else if (!holds_dynamic(*granted, wanted)) {
      findings.warning(check, fmt::format("{} left, {}", format_bytes(*granted), describe_wanted(wanted)),
                       fewer_dynamic_streams);
    } else {
      findings.ok(check, fmt::format("{} left", format_bytes(*granted)));
    }
  };
  limited("memory", space->mem_available,
          "end what uses memory, or lower profiles.<name>.header_nslots or the strides");
  limited("cgroup", space->cgroup_free,
          "raise the limit (systemd: MemoryMax=, docker: --memory): beyond it the kernel kills instead of refusing");
}

void check_memlock(Patient& patient, std::uint64_t needed, Findings& findings) {
  if (!patient.config.driver.policies.mlock_shm) {
    findings.ok("memlock", "not needed: policies.mlock_shm is false");
    return;
  }
  constexpr std::uint64_t cap_ipc_lock = 1U << 14;
  std::uint64_t effective = 0;
  if (const auto text = patient.machine.line("/proc/self/status", "CapEff:\t")) {
    effective = std::strtoull(text->c_str(), nullptr, 16);
  }
  const auto limit_text = patient.machine.line("/proc/self/limits", "Max locked memory ");
  const auto limit = patient.machine.number("/proc/self/limits", "Max locked memory ");
  if ((effective & cap_ipc_lock) != 0 || (limit_text && limit_text->find("unlimited") < 24)) {
    findings.ok("memlock", "any amount may be locked");
  } else if (limit && *limit >= needed) {
    findings.ok("memlock", fmt::format("{} may be locked, {} are wanted", format_bytes(*limit), format_bytes(needed)));
  } else {
    findings.problem(
        "memlock",
        fmt::format("policies.mlock_shm wants {} locked, the limit is {}", format_bytes(needed),
                    limit ? format_bytes(*limit) : "unknown"),
        fmt::format("add \"{} - memlock unlimited\" to /etc/security/limits.conf and log in anew (systemd: "
                    "LimitMEMLOCK=infinity)",
                    patient.user));
  }
}

void check_hugepages(Patient& patient, std::uint64_t needed, Findings& findings) {
  const std::uint64_t page = patient.machine.number("/proc/meminfo", "Hugepagesize:").value_or(0) << 10;
  const std::uint64_t free = patient.machine.number("/proc/meminfo", "HugePages_Free:").value_or(0);
  const std::uint64_t total = patient.machine.number("/proc/meminfo", "HugePages_Total:").value_or(0);
  std::string mounted;
  for (const Mount& mount : patient.machine.mounts()) {
    if (mount.type == "hugetlbfs") {
      mounted += fmt::format(" {}", mount.directory);
    }
  }
  const std::string have = fmt::format("{} of {} huge pages of {} are free, hugetlbfs is mounted on{}", free, total,
                                       format_bytes(page), mounted.empty() ? " nothing" : mounted);
  if (!patient.config.driver.shm.require_hugepages) {
    findings.ok("huge pages", "not asked for; " + have);
    return;
  }
  const std::optional<Mount> mount = patient.machine.mount_of(patient.config.driver.shm.base_dir);
  if (!mount || mount->type != "hugetlbfs") {
    findings.problem("huge pages", "shm.require_hugepages is true, but shm.base_dir is not on hugetlbfs; " + have,
                     "mount -t hugetlbfs none /mnt/huge, and shm.base_dir = \"/mnt/huge\"");
  } else if (page == 0 || free * page < needed) {
    findings.problem("huge pages", fmt::format("{}, the streams take {}", have, format_bytes(needed)),
                     page == 0 ? "a kernel with huge pages"
                               : fmt::format("sysctl vm.nr_hugepages={}", total - free + (needed + page - 1) / page));
  } else {
    findings.ok("huge pages", have);
  }
}

void check_caches(Patient& patient, Findings& findings) {
  const Caches caches = patient.machine.caches();
  findings.ok("caches", caches.last_level_bytes == 0
                            ? "the system does not say how large they are"
                            : fmt::format("L2 {} per core, L{} {}; tp driver validate says what fits",
                                          format_bytes(caches.l2_bytes), caches.last_level,
                                          format_bytes(caches.last_level_bytes)));
}

}  // namespace

void check_memory(Patient& patient, Findings& findings) {
  const driver::Footprint wanted = footprint(patient.config.driver);
  const std::uint64_t needed = wanted.total_bytes;
  check_space(patient, wanted, findings);
  check_memlock(patient, needed, findings);
  check_hugepages(patient, needed, findings);
  check_caches(patient, findings);
}

}  // namespace tensorpool::apps::tp
