#include "apps/tp/commands.hpp"

#include "apps/support/program.hpp"
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

namespace {

int run_command(const std::vector<std::string>& arguments) {
  if (const Status guarded = install_sigbus_guard(); !guarded) return fail(guarded.error());
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(argument.c_str());
  }
  Registry registry;
  register_commands(registry);
  return registry.run(static_cast<int>(argv.size()), argv.data(), process_environment());
}

}  // namespace

int run_tp(const std::vector<std::string>& arguments) {
  return run_program("tp", [&] { return run_command(arguments); });
}

}  // namespace tensorpool::apps::tp
