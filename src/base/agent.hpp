// Public: include/tensorpool/agent.hpp.
#pragma once

#include "tensorpool/agent.hpp"
