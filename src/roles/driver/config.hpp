// The driver's configuration is public: include/tensorpool/driver_config.hpp.
#pragma once

#include "tensorpool/driver_config.hpp"
