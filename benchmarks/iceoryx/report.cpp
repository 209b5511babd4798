#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace tensorpool::bench {
namespace {

const char* name_of(Measure measure) {
  switch (measure) {
    case Measure::round_trip:
      return "round-trip";
    case Measure::throughput:
      return "throughput";
    case Measure::fan_out:
      return "fan-out";
  }
  return "";
}

}  // namespace

std::string to_json(const Options& options, std::vector<std::uint64_t> durations, std::optional<double> mean_ns) {
  std::sort(durations.begin(), durations.end());
  const auto at = [&](double share) {
    return durations[static_cast<std::size_t>(share * static_cast<double>(durations.size() - 1))];
  };
  const double sum = std::accumulate(durations.begin(), durations.end(), 0.0);
  const double mean = mean_ns.value_or(sum / static_cast<double>(durations.size()));
  std::string json = fmt::format(
      R"({{"measure": "{}", "settings": {{"transport": "iceoryx", "bytes": {}, "touch": {:d}, "samples": {}, "slots": {}, )"
      R"("consumers": {}, "loop": "closed"}}, "unit": "ns", "count": {}, "mean": {:.1f}, "p50": {}, "p99": {}, )"
      R"("p999": {}, "max": {})",
      name_of(options.measure), options.bytes, options.touch, options.samples, options.slots, options.consumers,
      durations.size(), mean, at(0.5), at(0.99), at(0.999), at(1.0));
  if (mean_ns) {
    json += fmt::format(R"(, "frames_per_second": {:.1f}, "gigabytes_per_second": {:.3f})", 1e9 / mean,
                        static_cast<double>(options.bytes) / mean);
  }
  return json + "}";
}

}  // namespace tensorpool::bench
