// The measures of README.md over iceoryx v1. This process keeps RouDi alive around one that sends, which starts one
// that answers; those two poll without a pause. RouDi ends whoever is known to it when it ends: hence not this one. One
// JSON object on standard output, whatever the library prints there.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "measures.hpp"
#include "ports.hpp"
#include "roudi.hpp"

namespace tensorpool::bench {
namespace {

constexpr const char* usage =
    "usage: iceoryx_bench round-trip|throughput|fan-out [--bytes N] [--touch 0|1] [--samples N] [--slots N] "
    "[--consumers N]";

Measure measure_named(std::string_view name) {
  if (name == "round-trip") return Measure::round_trip;
  if (name == "throughput") return Measure::throughput;
  if (name == "fan-out") return Measure::fan_out;
  throw std::runtime_error(usage);
}

std::size_t number_in(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) throw std::runtime_error(usage);
  return number;
}

Options parse(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0) throw std::runtime_error(usage);
  Options options{.measure = measure_named(argv[1])};
  for (int i = 2; i < argc; i += 2) {
    const std::string_view key = argv[i];
    const std::size_t value = number_in(argv[i + 1]);
    if (key == "--bytes") {
      options.bytes = value;
    } else if (key == "--touch") {
      options.touch = value != 0;
    } else if (key == "--samples") {
      options.samples = value;
    } else if (key == "--slots") {
      options.slots = value;
    } else if (key == "--consumers") {
      options.consumers = value;
    } else {
      throw std::runtime_error(usage);
    }
  }
  if (options.bytes == 0 || options.bytes % sizeof(std::uint64_t) != 0) {
    throw std::runtime_error("--bytes must be a multiple of 8, and not 0");
  }
  if (options.samples == 0 || options.slots == 0 || options.slots > 256 || options.consumers == 0) {
    throw std::runtime_error("--samples and --consumers must be above 0, --slots from 1 to 256");
  }
  return options;
}

// The process that sends. It prints on `output`.
[[noreturn]] void send_and_measure(const Options& options, pid_t run, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  int status = 1;
  try {
    Peer peer(options, run);
    pin_to_core(0);
    join_roudi(sender_name(run));
    status = ::dprintf(output, "%s\n", measure(options, peer).c_str()) > 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "iceoryx_bench: %s\n", error.what());
  }
  std::exit(status);  // with iceoryx' static runtime, which tells RouDi
}

int run(const Options& options, int output) {
  const RouDi roudi(options);
  const pid_t run = ::getpid();
  const pid_t sender = ::fork();
  if (sender < 0) throw std::runtime_error("no process that sends");
  if (sender == 0) send_and_measure(options, run, output);
  int status = 0;
  ::waitpid(sender, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace
}  // namespace tensorpool::bench

int main(int argc, char** argv) {
  const int output = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  if (argc > 1 && (std::string_view(argv[1]) == "--help" || std::string_view(argv[1]) == "-h")) {
    return ::dprintf(output, "%s\n", tensorpool::bench::usage) > 0 ? 0 : 1;
  }
  try {
    return tensorpool::bench::run(tensorpool::bench::parse(argc, argv), output);
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "iceoryx_bench: %s\n", error.what()), 1;
  }
}
