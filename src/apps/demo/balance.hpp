// The account of one consumer against its producer's own final figures and CRC log: every sequence from the first that
// the consumer counted to the last that the producer used was delivered, or abandoned by the producer, or lost for
// exactly one cause.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/flow/crc_log.hpp"
#include "tensorpool/consumer.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::apps {

struct Balance {
  std::uint64_t sequences = 0;  // from the consumer's first to the producer's last
  std::uint64_t delivered = 0;
  std::uint64_t abandoned = 0;      // after the last that the consumer heard of: what is not in the log
  std::uint64_t lost = 0;           // the causes that the consumer knows, and unheard
  std::uint64_t unheard = 0;        // committed after the last that the consumer heard of
  std::vector<std::string> faults;  // why it does not hold; empty = it does
};

// `sent`: what the producer committed, in any order.
[[nodiscard]] Balance balance(const ProducerStats& producer, const ConsumerStats& consumer,
                              const std::vector<CrcRecord>& sent);

// Adds a fault unless every delivered frame has its right record in the producer's log.
void check_content(Balance& balance, const CrcComparison& comparison);

}  // namespace tensorpool::apps
