#include "apps/demo/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tensorpool::apps {
namespace {

Station* producer_of(std::deque<Station>& stations, std::uint32_t stream_id) {
  const auto found = std::find_if(stations.begin(), stations.end(),
                                  [=](const Station& station) { return station.plan().out_stream_id == stream_id; });
  return found == stations.end() ? nullptr : &*found;
}

ConsumerVerdict judge_consumer(std::deque<Station>& stations, const Station& consumer) {
  ConsumerVerdict verdict;
  verdict.name = consumer.plan().command.name;
  verdict.stream_id = consumer.plan().in_stream_id;
  verdict.stats = consumer.in().stats;
  verdict.end = consumer.in();
  const Station* producer = producer_of(stations, verdict.stream_id);
  if (producer == nullptr || !producer->out().final || !consumer.in().final) {
    verdict.balance.faults.emplace_back("there are no final figures of it or of its producer");
    return verdict;
  }
  auto sent = read_crc_log(producer->plan().out_log);
  const auto delivered = read_crc_log(consumer.plan().in_log);
  if (!sent || !delivered) {
    verdict.balance.faults.push_back(sent ? delivered.error().message : sent.error().message);
    return verdict;
  }
  verdict.balance = balance(producer->out().stats, consumer.in().stats, *sent);
  const CrcComparison comparison = compare_crc_logs(std::move(*sent), *delivered);
  verdict.verified = comparison.verified;
  check_content(verdict.balance, comparison);
  return verdict;
}

void note_ending(Station& station, std::vector<std::string>& faults) {
  const int status = station.child().exit_status().value_or(-1);
  if (status == 0) return;
  const std::string words = station.child().last_words();
  faults.push_back(fmt::format("{} ended with status {}{}{}", station.child().name(), status,
                               words.empty() ? "" : ", saying:\n", words));
}

Json json_of(const Verdict& verdict) {
  Json consumers = Json::array();
  for (const ConsumerVerdict& one : verdict.consumers) {
    const Balance& sum = one.balance;
    Json lost = to_json(one.stats)["lost"];
    lost["unheard"] = sum.unheard;
    consumers.push_back({{"consumer", one.name},
                         {"stream", one.stream_id},
                         {"sequences", sum.sequences},
                         {"delivered", sum.delivered},
                         {"verified", one.verified},
                         {"abandoned", sum.abandoned},
                         {"lost", std::move(lost)},
                         {"hz", one.end.hz},
                         {"megabytes_per_s", one.end.megabytes_per_s},
                         {"latency_p50_ns", one.end.latency_p50_ns},
                         {"latency_p99_ns", one.end.latency_p99_ns},
                         {"ok", sum.faults.empty()}});
  }
  return {
      {"event", "summary"}, {"ok", verdict.holds()}, {"consumers", std::move(consumers)}, {"faults", verdict.faults}};
}

std::string line_of(const ConsumerVerdict& one) {
  const Balance& sum = one.balance;
  std::string losses = describe_losses(one.stats);
  if (sum.unheard != 0) losses += fmt::format("{}unheard {}", losses.empty() ? "" : ", ", sum.unheard);
  return fmt::format("{:>6}  {:<14} {:>9} = {:>9} + {:>9} + {:>6}   {:>9}   {}{}", one.stream_id, one.name,
                     sum.sequences, sum.delivered, sum.abandoned, sum.lost, one.verified,
                     sum.faults.empty() ? "ok" : "WRONG", losses.empty() ? "" : " (lost: " + losses + ")");
}

}  // namespace

Verdict judge(std::deque<Station>& stations, std::vector<std::string> faults) {
  Verdict verdict;
  verdict.faults = std::move(faults);
  for (Station& station : stations) {
    note_ending(station, verdict.faults);
    if (station.plan().in_stream_id == 0) continue;
    verdict.consumers.push_back(judge_consumer(stations, station));
    const ConsumerVerdict& judged = verdict.consumers.back();
    for (const std::string& fault : judged.balance.faults) {
      verdict.faults.push_back(fmt::format("{} on stream {}: {}", judged.name, judged.stream_id, fault));
    }
  }
  std::stable_sort(verdict.consumers.begin(), verdict.consumers.end(),
                   [](const ConsumerVerdict& a, const ConsumerVerdict& b) { return a.stream_id < b.stream_id; });
  return verdict;
}

void print_verdict(const Verdict& verdict, bool json) {
  if (json) return print_json(json_of(verdict));
  print_line("");
  print_line(fmt::format("{:>6}  {:<14} {:>9} = {:>9} + {:>9} + {:>6}   {:>9}", "stream", "consumer", "sequences",
                         "delivered", "abandoned", "lost", "verified"));
  for (const ConsumerVerdict& one : verdict.consumers) print_line(line_of(one));
  print_line("");
  for (const std::string& fault : verdict.faults) print_error(fmt::format("demo: {}", fault));
  print_line(verdict.holds() ? "Every count adds up, and every delivered frame is the one that was sent."
                             : fmt::format("FAILED: {} of the checks above do not hold.", verdict.faults.size()));
}

}  // namespace tensorpool::apps
