// What must work in this environment, or the test fails with the reason.
#pragma once

#include <stdexcept>
#include <utility>

#include "tensorpool/result.hpp"

namespace tensorpool {

template <class T>
T need(Result<T> made) {
  if (!made) throw std::runtime_error(made.error().message);
  return *std::move(made);
}

}  // namespace tensorpool
