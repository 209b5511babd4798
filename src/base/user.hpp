#pragma once

#include <string>

namespace tensorpool {

// The name of the process's effective user; its number where the system knows no name for it.
std::string effective_user_name();

}  // namespace tensorpool
