// Public: include/tensorpool/agent_runner.hpp.
#pragma once

#include "tensorpool/agent_runner.hpp"
