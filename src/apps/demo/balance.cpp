#include "apps/demo/balance.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tensorpool::apps {

namespace {

// How many frames of `epoch` from sequence `first` on were committed.
std::uint64_t committed_from(std::uint64_t epoch, std::uint64_t first, const std::vector<CrcRecord>& sent) {
  return static_cast<std::uint64_t>(std::count_if(
      sent.begin(), sent.end(), [=](const CrcRecord& one) { return one.epoch == epoch && one.seq >= first; }));
}

}  // namespace

Balance balance(const ProducerStats& producer, const ConsumerStats& consumer, const std::vector<CrcRecord>& sent) {
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
  result.unheard = committed_from(producer.epoch, consumer.last_seq + 1, sent);
  result.lost += result.unheard;
  result.abandoned += producer.next_seq - 1 - consumer.last_seq - result.unheard;
  const std::uint64_t counted = result.delivered + result.abandoned + result.lost;
  if (counted != result.sequences) {
    fault("{} sequences, but {} delivered + {} abandoned + {} lost = {}", result.sequences, result.delivered,
          result.abandoned, result.lost, counted);
  }
  // A gap that was left on purpose may be overwritten before it is seen, and is lost then; never the other way round.
  const std::uint64_t given_up = result.sequences - committed_from(producer.epoch, consumer.first_seq, sent);
  if (result.abandoned > given_up) {
    fault("it counts {} abandoned sequences, but its producer gave up {}", result.abandoned, given_up);
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
