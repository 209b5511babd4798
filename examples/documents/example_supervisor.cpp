// example_supervisor CONFIG DEFAULTS: watches producers and consumers of the integration example; alerts are lines on
// standard error. Ctrl-C ends it.
#include "apps/support/supervisor_host.hpp"
#include "example_setup.hpp"

namespace {

int main_of(int argc, char** argv) {
  using namespace examples;
  Files files;
  CLI::App app("Watches producers and consumers of the integration example; alerts are lines on standard error.",
               "example_supervisor");
  files.declare(app);
  app.footer("Example:\n  example_supervisor docs/examples/driver_integration_example.toml config/defaults.toml");
  if (const auto ended = parse_command_line(app, argc, argv)) return *ended;
  const auto config = load_node_config(files.config, process_environment());
  const auto defaults = config ? load_node_config(files.defaults, process_environment()) : config;
  if (!defaults) return give_up("example_supervisor", defaults.error());
  log_warnings(defaults->warnings);
  return run_supervisor_program("example_supervisor", supervisor_options(*config, *defaults));
}

}  // namespace

int main(int argc, char** argv) {
  return tensorpool::apps::run_program("example_supervisor", [&] { return main_of(argc, argv); });
}
