// tp doctor: settings of the system that hurt later.
#include <fmt/format.h>

#include "apps/tp/doctor.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr std::uint64_t wanted_socket_bytes = std::uint64_t{2} << 20;
constexpr uid_t first_regular_uid = 1000;

bool uses_udp(const driver::DriverConfig& config) {
  const driver::DriverTable& table = config.driver;
  for (const std::string* channel : {&table.control_channel, &table.announce_channel, &table.descriptor_channel,
                                     &table.qos_channel, &table.metadata_channel}) {
    if (channel->starts_with("aeron:udp")) {
      return true;
    }
  }
  return false;
}

void check_sockets(Patient& patient, Findings& findings) {
  const auto receive = patient.machine.number("/proc/sys/net/core/rmem_max");
  const auto send = patient.machine.number("/proc/sys/net/core/wmem_max");
  const std::string have = fmt::format("rmem_max {}, wmem_max {}", receive ? std::to_string(*receive) : "unknown",
                                       send ? std::to_string(*send) : "unknown");
  const bool enough = receive.value_or(0) >= wanted_socket_bytes && send.value_or(0) >= wanted_socket_bytes;
  if (enough || !uses_udp(patient.config.driver)) {
    findings.ok("socket buffers", enough ? have : have + "; enough as long as every channel is aeron:ipc");
  } else {
    findings.warning("socket buffers", have + ": too small for Aeron over UDP at rate",
                     fmt::format("sysctl net.core.rmem_max={0} net.core.wmem_max={0}", wanted_socket_bytes));
  }
}

// The last word of logind.conf and its drop-ins; what it does without one is yes.
std::string remove_ipc(Machine& machine) {
  std::string value = "yes";
  const auto take = [&](const std::string& file) { value = machine.line(file, "RemoveIPC=").value_or(value); };
  take("/etc/systemd/logind.conf");
  for (const char* dir :
       {"/usr/lib/systemd/logind.conf.d", "/run/systemd/logind.conf.d", "/etc/systemd/logind.conf.d"}) {
    for (const std::string& name : machine.names_in(dir)) {
      take(fmt::format("{}/{}", dir, name));
    }
  }
  return value;
}

void check_remove_ipc(Patient& patient, Findings& findings) {
  if (!patient.machine.exists("/run/systemd/system")) {
    findings.ok("RemoveIPC", "systemd does not run here");
  } else if (patient.uid < first_regular_uid) {
    findings.ok("RemoveIPC", fmt::format("{} is a system user: logind leaves its files alone", patient.user));
  } else if (patient.machine.exists("/var/lib/systemd/linger/" + patient.user)) {
    findings.ok("RemoveIPC", fmt::format("{} lingers: logind leaves its files alone", patient.user));
  } else if (const std::string value = remove_ipc(patient.machine); value == "no" || value == "false" || value == "0") {
    findings.ok("RemoveIPC", "off");
  } else {
    findings.warning(
        "RemoveIPC",
        fmt::format("when {} logs out for the last time, systemd-logind removes all of this user's files in "
                    "/dev/shm, under running programs too",
                    patient.user),
        fmt::format("RemoveIPC=no in /etc/systemd/logind.conf and systemctl restart systemd-logind, or "
                    "loginctl enable-linger {}",
                    patient.user));
  }
}

}  // namespace

void check_system(Patient& patient, Findings& findings) {
  check_sockets(patient, findings);
  check_remove_ipc(patient, findings);
}

}  // namespace tensorpool::apps::tp
