// What the run proved: the account of every consumer, the content of every delivered frame, and how every program
// ended.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "apps/demo/balance.hpp"
#include "apps/demo/station.hpp"

namespace tensorpool::apps {

struct ConsumerVerdict {
  std::string name;
  std::uint32_t stream_id = 0;
  Balance balance;
  std::uint64_t verified = 0;  // delivered frames whose CRC is the one that the producer wrote down
  ConsumerStats stats;
  ConsumerEnd end;
};

struct Verdict {
  std::vector<ConsumerVerdict> consumers;
  std::vector<std::string> faults;  // everything that does not hold; empty = the run proved what it should
  [[nodiscard]] bool holds() const noexcept { return faults.empty(); }
};

// REQUIRES: every program has ended. `faults` are those that are known already.
[[nodiscard]] Verdict judge(std::deque<Station>& stations, std::vector<std::string> faults);

void print_verdict(const Verdict& verdict, bool json);

}  // namespace tensorpool::apps
