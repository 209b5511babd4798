// The product's measures, through its public API.
#include "world.hpp"

int main(int argc, char** argv) {
  using namespace tensorpool::bench;
  return run_program(argc, argv,
                     {{"publish", &measure_publish},
                      {"consume", &measure_consume},
                      {"round-trip", &measure_round_trip},
                      {"one-way", &measure_one_way},
                      {"throughput", &measure_throughput},
                      {"fan-out", &measure_fan_out},
                      {"overload", &measure_overload},
                      {"fault", &measure_fault},
                      {"idle", &measure_idle},
                      {"wake-up", &measure_wake_up},
                      {"streams", &measure_streams},
                      {"join", &measure_join},
                      {"attachments", &measure_attachments},
                      {"start-up", &measure_start_up},
                      {"recovery", &measure_recovery}});
}
