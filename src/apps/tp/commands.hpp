// Every command group of `tp`; each is defined in a file of its own.
#pragma once

#include "apps/tp/command.hpp"

namespace tensorpool::apps::tp {

void register_driver(Registry& registry);   // driver run|validate|status|shutdown
void register_shm(Registry& registry);      // shm inspect
void register_publish(Registry& registry);  // publish pattern|images|camera
void register_consume(Registry& registry);  // consume

}  // namespace tensorpool::apps::tp
