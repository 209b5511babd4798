#include "base/origin.hpp"

#include <pthread.h>

#include "base/error.hpp"

namespace tensorpool {
namespace {

void number_child() { process_number.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

Origin::Origin() noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, number_child);
  static_cast<void>(registered);
  number_ = process_number.load(std::memory_order_relaxed);
}

Error error_of_forked(std::string_view handle) {
  return make_error(ErrorCode::closed,
                    "this {} is a copy that fork() made; it works in the parent process only: connect a Client in this "
                    "process",
                    handle);
}

}  // namespace tensorpool
