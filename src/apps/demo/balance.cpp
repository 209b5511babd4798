#include "apps/demo/balance.hpp"

#include <fmt/format.h>

namespace tensorpool::apps {

Balance balance(const ProducerStats& producer, const ConsumerStats& consumer) {
  Balance result;
  result.delivered = consumer.delivered;
  result.abandoned = consumer.abandoned;
  result.lost = consumer.lost_total();
  const auto fault = [&result]<class... A>(fmt::format_string<A...> text, A&&... arguments) {
    result.faults.push_back(fmt::format(text, std::forward<A>(arguments)...));
  };
  if (producer.published + producer.abandoned != producer.next_seq - producer.first_seq) {
    fault("its producer used the sequences {} to {}, but published {} and abandoned {}", producer.first_seq,
          producer.next_seq, producer.published, producer.abandoned);
  }
  if (consumer.delivered == 0) fault("nothing was delivered");
  if (consumer.epoch != producer.epoch) {
    fault("it ended in epoch {} while its producer was in {}: the stream was remapped during the run", consumer.epoch,
          producer.epoch);
    return result;
  }
  if (producer.next_seq <= consumer.last_seq) {
    fault("it heard of sequence {}, but its producer's next one is {}", consumer.last_seq, producer.next_seq);
    return result;
  }
  result.sequences = producer.next_seq - consumer.first_seq;
  result.tail = producer.next_seq - 1 - consumer.last_seq;
  const std::uint64_t counted = result.delivered + result.abandoned + result.lost + result.tail;
  if (counted != result.sequences) {
    fault("{} sequences, but {} delivered + {} abandoned + {} lost + {} tail = {}", result.sequences, result.delivered,
          result.abandoned, result.lost, result.tail, counted);
  }
  return result;
}

void check_content(Balance& balance, const CrcComparison& comparison) {
  if (!comparison.all_right()) {
    balance.faults.push_back(
        fmt::format("{} frames differ from what was sent, {} were never sent, {} came twice; first sequence {}",
                    comparison.different, comparison.unknown, comparison.repeated, comparison.example->seq));
  }
  if (comparison.verified + comparison.different + comparison.unknown + comparison.repeated != balance.delivered) {
    balance.faults.push_back(fmt::format("{} frames were delivered, but the content of {} was checked",
                                         balance.delivered, comparison.verified));
  }
}

}  // namespace tensorpool::apps
