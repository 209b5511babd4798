// example_driver CONFIG: the driver of the integration example, with a media driver of its own when none is alive in
// aeron_dir. Ctrl-C ends both.
#include <fmt/format.h>

#include <cstdio>

#include "apps/support/driver_host.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/stop_signal.hpp"

int main(int argc, char** argv) {
  using namespace tensorpool::apps;
  if (argc != 2) {
    fmt::print(stderr, "usage: example_driver CONFIG\n");
    return exit_usage;
  }
  install_stop_signal();
  const auto config = load_node_config(argv[1], process_environment());
  if (!config) {
    fmt::print(stderr, "example_driver: {}\n", config.error().message);
    return exit_usage;
  }
  return run_driver_program("example_driver", *config);
}
