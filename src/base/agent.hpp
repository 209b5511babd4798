// An agent owns its state, runs on one thread at a time, never blocks, and does bounded work per call.
#pragma once

#include <concepts>
#include <string_view>

#include "tensorpool/time.hpp"

namespace tensorpool {

template <class A>
concept Agent = requires(A& agent, Nanos now) {
  { agent.name() } -> std::convertible_to<std::string_view>;
  { agent.do_work(now) }
  noexcept->std::same_as<int>;  // work done; 0 lets the runner idle
};

}  // namespace tensorpool
