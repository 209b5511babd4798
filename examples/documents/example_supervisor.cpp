// example_supervisor CONFIG DEFAULTS: watches producers and consumers of the integration example; alerts are lines on
// standard error. Ctrl-C ends it.
#include "apps/support/supervisor_host.hpp"
#include "example_setup.hpp"

int main(int argc, char** argv) {
  using namespace examples;
  if (argc != 3) {
    fmt::print(stderr, "usage: example_supervisor CONFIG DEFAULTS\n");
    return exit_usage;
  }
  install_stop_signal();
  const auto config = load_node_config(argv[1], process_environment());
  const auto defaults = config ? load_node_config(argv[2], process_environment()) : config;
  if (!defaults) {
    fmt::print(stderr, "example_supervisor: {}\n", defaults.error().message);
    return exit_usage;
  }
  log_warnings(defaults->warnings);
  return run_supervisor_program("example_supervisor", supervisor_options(*config, *defaults));
}
