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
  return registry.run(argc, argv, process_environment());
}
