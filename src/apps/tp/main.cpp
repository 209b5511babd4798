#include "apps/flow/stats_json.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"

int main(int argc, char** argv) {
  using namespace tensorpool::apps;
  install_stop_signal();
  tp::Registry registry;
  tp::register_driver(registry);
  tp::register_publish(registry);
  tp::register_consume(registry);
  tp::register_shm(registry);
  const int status = registry.run(argc, argv, process_environment());
  const tensorpool::Status output = output_status();
  return status == exit_ok && !output ? tp::fail(output.error()) : status;
}
