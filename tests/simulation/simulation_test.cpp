// Driver, producers, consumers and supervisor on one thread over the in-memory twin of transport, by a clock and a
// chance that the seed alone decides: whatever goes wrong, the invariants of docs/verify.md hold after every step.
//   TENSORPOOL_SIM_SEED=n                        replays one seed, with its trace
//   TENSORPOOL_SIM_FIRST=n TENSORPOOL_SIM_SEEDS=n  the long form: so many seeds from there on
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "simulation/world.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::simulation {
namespace {

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// I9: a seed that aborts, crashes or hangs is named by the signal's handler.
std::uint64_t seed_in_hand = 0;
constexpr unsigned longest_seed_s = 120;
#ifndef TENSORPOOL_SIM_SHORT_FORM
#define TENSORPOOL_SIM_SHORT_FORM 200
#endif
constexpr std::uint64_t default_seeds = TENSORPOOL_SIM_SHORT_FORM;
constexpr std::uint64_t most_failures = 20;

extern "C" void name_the_seed(int signal) {
  char text[64];
  const int length = std::snprintf(text, sizeof text, "TENSORPOOL_SIM_SEED=%llu dies of signal %d\n",
                                   static_cast<unsigned long long>(seed_in_hand), signal);
  static_cast<void>(!::write(STDERR_FILENO, text, static_cast<std::size_t>(length)));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

constexpr std::array fatal_signals{SIGABRT, SIGALRM, SIGSEGV, SIGBUS};

bool is_ours(int signal, void (*handler)(int)) {
  struct sigaction present {};
  return ::sigaction(signal, nullptr, &present) == 0 && present.sa_handler == handler;
}

class Simulation : public testing::Test {
 protected:
  Simulation() {
    for (const int fatal : fatal_signals) {
      if (is_ours(fatal, SIG_DFL)) std::signal(fatal, name_the_seed);  // a sanitizer's stays
    }
  }
  ~Simulation() override {
    ::alarm(0);
    for (const int fatal : fatal_signals) {
      if (is_ours(fatal, name_the_seed)) std::signal(fatal, SIG_DFL);
    }
  }

  Outcome run(std::uint64_t seed, Sabotage sabotage = Sabotage::none, bool aloud = false) {
    seed_in_hand = seed;
    ::alarm(longest_seed_s);
    return World(seed, dir_.path(), sabotage, aloud).run();
  }
  void expect_sound(std::uint64_t seed, bool aloud = false) {
    const Outcome outcome = run(seed, Sabotage::none, aloud);
    add(outcome.figures, seed);
    if (!outcome.violation) return;
    ++failed_;
    ADD_FAILURE() << outcome.last_lines << "seed " << seed << " breaks " << outcome.violation->invariant << " in step "
                  << outcome.violation->step << ": " << outcome.violation->what
                  << "\nreplay: TENSORPOOL_SIM_SEED=" << seed << " simulation_test";
  }
  // The first of some seeds in which the sabotage was seen, or what was seen instead.
  std::string seen(Sabotage sabotage) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
      const Outcome outcome = run(seed, sabotage);
      if (outcome.violation) return outcome.violation->invariant;
    }
    return "nothing";
  }
  void add(const Figures& figures, std::uint64_t seed) {
    total_.published += figures.published;
    total_.accepted += figures.accepted;
    total_.lost += figures.lost;
    total_.partial += figures.partial;
    total_.epochs += figures.epochs;
    total_.lives += figures.lives;
    if (figures.slowest_recovery_ns <= total_.slowest_recovery_ns) return;
    total_.slowest_recovery_ns = figures.slowest_recovery_ns;
    slowest_ = seed;
  }

  TempDir dir_{"tp-sim", "/dev/shm"};
  Figures total_;
  std::uint64_t slowest_ = 0;  // its seed
  std::uint64_t failed_ = 0;
};

TEST_F(Simulation, HoldsEveryInvariantInEverySeed) {
  const std::uint64_t only = number_of("TENSORPOOL_SIM_SEED", 0);
  const std::uint64_t first = only != 0 ? only : number_of("TENSORPOOL_SIM_FIRST", 1);
  const std::uint64_t seeds = only != 0 ? 1 : number_of("TENSORPOOL_SIM_SEEDS", default_seeds);
  std::uint64_t seed = first;
  for (; seed < first + seeds && failed_ < most_failures; ++seed) expect_sound(seed, only != 0);
  fmt::print("seen: {} seeds, {} frames written, {} frames accepted, {} losses booked, {} epochs, {} lives\n",
             seed - first, total_.published, total_.accepted, total_.lost, total_.epochs, total_.lives);
  fmt::print("slowest recovery: {} ms, seed {}\n", total_.slowest_recovery_ns / nanos_per_milli, slowest_);
}

// Each failed before the fix.
TEST_F(Simulation, HoldsInTheSeedsThatFoundBugs) {
  struct Story {
    std::uint64_t seed;
    const char* bug;
  };
  for (const Story& story :
       {Story{217, "an epoch that could not be subscribed to was never mapped again"}, Story{686, "the same"},
        Story{30, "epochs fell when all files were gone and the clock was set back"}, Story{96, "the same"},
        Story{268, "an idle epoch that waited for space came between"}}) {
    SCOPED_TRACE(story.bug);
    expect_sound(story.seed);
  }
}

TEST_F(Simulation, ReplaysASeedExactly) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Outcome once = run(seed);
    const Outcome again = run(seed);
    EXPECT_EQ(once.digest, again.digest) << "seed " << seed << ", whose last lines were\n"
                                         << once.last_lines << "and then\n"
                                         << again.last_lines;
  }
  EXPECT_NE(run(1).digest, run(2).digest);
}

TEST_F(Simulation, SeesContentThatChanges) { EXPECT_EQ(seen(Sabotage::change_content), "I1"); }
TEST_F(Simulation, SeesAFrameThatComesTwice) { EXPECT_EQ(seen(Sabotage::deliver_twice), "I2"); }
TEST_F(Simulation, SeesAnEpochThatIsUsedAgain) { EXPECT_EQ(seen(Sabotage::reuse_epochs), "I3"); }
TEST_F(Simulation, SeesASecondProducer) { EXPECT_EQ(seen(Sabotage::share_a_stream), "I4"); }
TEST_F(Simulation, SeesALossThatWasNone) { EXPECT_EQ(seen(Sabotage::miscount), "I5"); }
TEST_F(Simulation, SeesAProducerThatInsists) { EXPECT_EQ(seen(Sabotage::insist), "I6"); }
TEST_F(Simulation, SeesWhoDoesNotComeBack) { EXPECT_EQ(seen(Sabotage::deaf_at_the_end), "I7"); }
TEST_F(Simulation, SeesAFileThatIsLeftOpen) { EXPECT_EQ(seen(Sabotage::leak), "I8"); }
TEST_F(Simulation, SeesAnAttachThatWasNotCounted) { EXPECT_EQ(seen(Sabotage::forget_an_attach), "books"); }

}  // namespace
}  // namespace tensorpool::simulation
