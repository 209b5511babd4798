#include "base/user.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>

namespace tensorpool {

std::string effective_user_name() {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->pw_name;
  }
  return std::to_string(::geteuid());
}

}  // namespace tensorpool
