// example_driver CONFIG: the driver of the integration example, with a media driver of its own when none is alive in
// aeron_dir. Ctrl-C ends both.
#include "apps/support/command_line.hpp"
#include "apps/support/driver_host.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/program.hpp"

namespace {

int main_of(int argc, char** argv) {
  using namespace tensorpool::apps;
  std::string file;
  CLI::App app("The driver of the integration example, with its media driver when none is alive. Ctrl-C ends both.",
               "example_driver");
  app.add_option("CONFIG", file, "the driver's configuration")->required();
  app.footer("Example:\n  example_driver docs/examples/driver_integration_example.toml");
  if (const auto ended = parse_command_line(app, argc, argv)) return *ended;
  const auto config = load_node_config(file, process_environment());
  if (!config) return give_up("example_driver", config.error());
  return run_driver_program("example_driver", *config);
}

}  // namespace

int main(int argc, char** argv) {
  return tensorpool::apps::run_program("example_driver", [&] { return main_of(argc, argv); });
}
