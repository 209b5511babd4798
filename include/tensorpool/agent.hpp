// An agent owns its state, runs on one thread at a time, never blocks, and does bounded work per call. Client (in
// invoker mode), Driver and Supervisor are agents, and so is any class of yours that has these two members.
#pragma once

#include <concepts>
#include <string_view>
#include <tuple>

#include "tensorpool/time.hpp"

namespace tensorpool {

template <class A>
concept Agent = requires(A& agent, Nanos now) {
  { agent.name() } -> std::convertible_to<std::string_view>;
  { agent.do_work(now) }
  noexcept->std::same_as<int>;  // work done; 0 lets the runner idle
};

// Several agents as one: a cycle is a cycle of each, in this order, at the same `now`. REQUIRES: they outlive it.
template <Agent... A>
class CompositeAgent {
 public:
  explicit CompositeAgent(A&... agents) noexcept : agents_(agents...) {}

  [[nodiscard]] std::string_view name() const noexcept { return "composite"; }
  int do_work(Nanos now) noexcept {
    int work = 0;
    std::apply([&work, now](A&... agents) { ((work += agents.do_work(now)), ...); }, agents_);
    return work;
  }

 private:
  std::tuple<A&...> agents_;
};

}  // namespace tensorpool
