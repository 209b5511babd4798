// Public: include/tensorpool/idle.hpp.
#pragma once

#include "tensorpool/idle.hpp"
