// Every command group of `tp`; each has its own file.
#pragma once

#include "apps/tp/command.hpp"

namespace tensorpool::apps::tp {

inline constexpr const char* driver_group = "Run a driver, or ask one";

void register_driver(Registry& registry);   // driver run|validate|shutdown
void register_sight(Registry& registry);    // driver status|leases|streams|dump
void register_leases(Registry& registry);   // driver attach|keepalive|detach
void register_shm(Registry& registry);      // shm inspect|validate|gc
void register_doctor(Registry& registry);   // doctor
void register_publish(Registry& registry);  // publish pattern|images|camera
void register_consume(Registry& registry);  // consume

void register_top(Registry& registry);
void register_supervise(Registry& registry);
void register_configure(Registry& registry);
void register_counters(Registry& registry);
void register_listen(Registry& registry);

void register_completion(Registry& registry);  // completion
void register_help(Registry& registry);        // help, version
void register_commands(Registry& registry);    // all of them

// `tp` with these arguments, the program's name first, to its exit status. Call once, as the whole of a main.
int run_tp(const std::vector<std::string>& arguments);

}  // namespace tensorpool::apps::tp
