#include "apps/tp/commands.hpp"

#include "apps/flow/stats_json.hpp"
#include "apps/support/standard_streams.hpp"
#include "apps/support/stop_signal.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::apps::tp {

void register_commands(Registry& registry) {
  register_driver(registry);
  register_sight(registry);
  register_leases(registry);
  register_doctor(registry);
  register_publish(registry);
  register_consume(registry);
  register_counters(registry);
  register_listen(registry);
  register_top(registry);
  register_supervise(registry);
  register_configure(registry);
  register_shm(registry);
  register_completion(registry);
  register_help(registry);
}

int run_tp(const std::vector<std::string>& arguments) {
  keep_standard_streams();
  install_stop_signal();
  if (const Status guarded = install_sigbus_guard(); !guarded) return fail(guarded.error());
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(argument.c_str());
  }
  Registry registry;
  register_commands(registry);
  const int status = registry.run(static_cast<int>(argv.size()), argv.data(), process_environment());
  const Status output = output_status();
  return status == exit_ok && !output ? fail(output.error()) : status;
}

}  // namespace tensorpool::apps::tp
