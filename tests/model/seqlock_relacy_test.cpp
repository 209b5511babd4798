// spec: wire 8.3. Every interleaving, and every reordering that the C++ memory model allows, of one writer that
// publishes twice into one slot and one reader that looks twice, run by Relacy on the very templates that ship
// (shm/seqlock.hpp) with its atomics in place of the machine's. The shipped orders must never accept a torn frame; each
// weakening of one of A, B, C, D must be caught, or the search would prove nothing. Among the mutants is the form that
// the published specification prints.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <ostream>
#include <streambuf>

#include "shm/seqlock.hpp"

// Relacy redefines words of the language; nothing but the model may come after it.
#include <relacy/relacy.hpp>
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free

namespace {

using Word = rl::atomic<std::uint64_t>;
constexpr int payload_words = 2;

// Relacy's atomics, with the four orderings of the protocol as parameters. Only the commit word's accesses vary: the
// payload's are relaxed always, so the commit word is known by its address.
template <rl::memory_order Mark, bool FenceA, rl::memory_order CommitB, rl::memory_order ObserveC, bool FenceD,
          rl::memory_order Recheck>
struct ModelAtomics {
  using Word = ::Word;
  static inline const Word* commit_word = nullptr;

  static void store_relaxed(Word& word, std::uint64_t value) {
    word.store(value, &word == commit_word ? Mark : rl::mo_relaxed, $);
  }
  static void store_release(Word& word, std::uint64_t value) { word.store(value, CommitB, $); }
  static std::uint64_t load_relaxed(const Word& word) {
    return word.load(&word == commit_word ? Recheck : rl::mo_relaxed, $);
  }
  static std::uint64_t load_acquire(const Word& word) { return word.load(ObserveC, $); }
  static void fence_release() {
    if (FenceA) rl::atomic_thread_fence(rl::mo_release, $);
  }
  static void fence_acquire() {
    if (FenceD) rl::atomic_thread_fence(rl::mo_acquire, $);
  }
};

using Shipped = ModelAtomics<rl::mo_relaxed, true, rl::mo_release, rl::mo_acquire, true, rl::mo_relaxed>;
using AsPublished = ModelAtomics<rl::mo_release, false, rl::mo_release, rl::mo_acquire, false, rl::mo_acquire>;
using PublishedWriter = ModelAtomics<rl::mo_release, false, rl::mo_release, rl::mo_acquire, true, rl::mo_relaxed>;
using PublishedReader = ModelAtomics<rl::mo_relaxed, true, rl::mo_release, rl::mo_acquire, false, rl::mo_acquire>;
using WithoutA = ModelAtomics<rl::mo_relaxed, false, rl::mo_release, rl::mo_acquire, true, rl::mo_relaxed>;
using WithoutB = ModelAtomics<rl::mo_relaxed, true, rl::mo_relaxed, rl::mo_acquire, true, rl::mo_relaxed>;
using WithoutC = ModelAtomics<rl::mo_relaxed, true, rl::mo_release, rl::mo_relaxed, true, rl::mo_relaxed>;
using WithoutD = ModelAtomics<rl::mo_relaxed, true, rl::mo_release, rl::mo_acquire, false, rl::mo_relaxed>;

// Thread 0 publishes frames 0 and 1 into the one slot, thread 1 reads twice. Every word of frame seq is seq + 1.
template <class Atomics, rl::test_result_e Expected>
struct OverwriteModel : rl::test_suite<OverwriteModel<Atomics, Expected>, 2, Expected> {
  using Seqlock = tensorpool::shm::BasicSeqlock<Atomics>;

  Word commit;
  std::array<Word, payload_words> payload;

  void before() {
    Atomics::commit_word = nullptr;
    commit.store(0, rl::mo_relaxed, $);
    for (Word& word : payload) word.store(0, rl::mo_relaxed, $);
    Atomics::commit_word = &commit;
  }

  void thread(unsigned index) {
    if (index == 0) return write();
    read();
    read();
  }

  void write() {
    for (std::uint64_t seq = 0; seq < 2; ++seq) {
      const std::array<std::uint64_t, payload_words> frame{seq + 1, seq + 1};
      Seqlock::begin(commit, seq);
      Seqlock::store_words(payload.data(), reinterpret_cast<const std::byte*>(frame.data()), payload_words);
      Seqlock::commit(commit, seq);
    }
  }

  void read() {
    const std::uint64_t word = Seqlock::observe(commit);
    if (!tensorpool::protocol::is_committed(word)) return;
    std::array<std::uint64_t, payload_words> frame{};
    Seqlock::load_words(reinterpret_cast<std::byte*>(frame.data()), payload.data(), payload_words);
    if (!Seqlock::unchanged(commit, word)) return;
    const std::uint64_t expected = tensorpool::protocol::seq_of(word) + 1;
    RL_ASSERT(frame[0] == expected && frame[1] == expected);
  }
};

// Thread 0 fills frame 1 in two halves, tells by a message when the first is final, commits, and gives the slot to
// frame 2; thread 1 reads the first half of frame 1 if it was told. What it accepts must be frame 1's, in flight or
// committed.
template <class Atomics, rl::memory_order Tell, rl::test_result_e Expected>
struct InFlightModel : rl::test_suite<InFlightModel<Atomics, Tell, Expected>, 2, Expected> {
  using Seqlock = tensorpool::shm::BasicSeqlock<Atomics>;

  Word commit;
  Word told;
  std::array<Word, payload_words> payload;

  void before() {
    Atomics::commit_word = nullptr;
    for (Word* word : {&commit, &told, &payload[0], &payload[1]}) word->store(0, rl::mo_relaxed, $);
    Atomics::commit_word = &commit;
  }

  void thread(unsigned index) {
    if (index == 0) return write();
    read();
    read();
  }

  void write() {
    Seqlock::begin(commit, 1);
    store(payload[0], 1);
    told.store(1, Tell, $);
    store(payload[1], 1);
    Seqlock::commit(commit, 1);
    Seqlock::begin(commit, 2);
    store(payload[0], 2);
    store(payload[1], 2);
    Seqlock::commit(commit, 2);
  }
  static void store(Word& word, std::uint64_t value) {
    Seqlock::store_words(&word, reinterpret_cast<const std::byte*>(&value), 1);
  }

  void read() {
    if (told.load(rl::mo_acquire, $) != 1) return;
    if (!Seqlock::holds(Seqlock::observe(commit), 1)) return;
    std::uint64_t half = 0;
    Seqlock::load_words(reinterpret_cast<std::byte*>(&half), payload.data(), 1);
    if (!Seqlock::still_holds(commit, 1)) return;
    RL_ASSERT(half == 1);
  }
};

// Relacy's report goes nowhere. A growing buffer would be freed by another allocator than took it: Relacy's, inside a
// search.
class Discard : public std::streambuf {
 protected:
  int overflow(int c) override { return c; }
};

// True if the full search ended as `Expected` says; `iterations` tells after how many interleavings.
template <class Model>
bool search(std::uint64_t* iterations) {
  Discard discard;
  std::ostream report(&discard);
  rl::test_params params;
  params.search_type = rl::fair_full_search_scheduler_type;
  params.iteration_count = 100'000'000;
  params.output_stream = &report;
  params.progress_stream = &report;
  const bool as_expected = rl::simulate<Model>(params);
  *iterations = params.stop_iteration;
  return as_expected;
}

template <template <rl::test_result_e> class Model>
bool never_fails() {
  std::uint64_t iterations = 0;
  const bool passed = search<Model<rl::test_result_success>>(&iterations);
  std::printf("seen: %llu interleavings, %s\n", static_cast<unsigned long long>(iterations),
              passed ? "0 torn" : "1 torn");
  return passed && iterations > 1000;
}

template <template <rl::test_result_e> class Model>
bool fails() {
  std::uint64_t iterations = 0;
  const bool caught = search<Model<rl::test_result_user_assert_failed>>(&iterations);
  std::printf("seen: 1 mutants %s\n", caught ? "caught" : "missed");
  return caught;
}

template <class Atomics>
struct Overwrite {
  template <rl::test_result_e Expected>
  using Model = OverwriteModel<Atomics, Expected>;
};
template <class Atomics>
bool never_tears() {
  return never_fails<Overwrite<Atomics>::template Model>();
}
template <class Atomics>
bool tears() {
  return fails<Overwrite<Atomics>::template Model>();
}

template <class Atomics, rl::memory_order Tell = rl::mo_release>
struct InFlight {
  template <rl::test_result_e Expected>
  using Model = InFlightModel<Atomics, Tell, Expected>;
};

TEST(SeqlockModel, AcceptsNoTornFrameInAnyInterleaving) { EXPECT_TRUE(never_tears<Shipped>()); }
TEST(SeqlockModel, FindsTheTearOfThePublishedForm) { EXPECT_TRUE(tears<AsPublished>()); }
TEST(SeqlockModel, FindsTheTearOfThePublishedWriter) { EXPECT_TRUE(tears<PublishedWriter>()); }
TEST(SeqlockModel, FindsTheTearOfThePublishedReader) { EXPECT_TRUE(tears<PublishedReader>()); }
TEST(SeqlockModel, NeedsFenceA) { EXPECT_TRUE(tears<WithoutA>()); }
TEST(SeqlockModel, NeedsReleaseB) { EXPECT_TRUE(tears<WithoutB>()); }
TEST(SeqlockModel, NeedsAcquireC) { EXPECT_TRUE(tears<WithoutC>()); }
TEST(SeqlockModel, NeedsFenceD) { EXPECT_TRUE(tears<WithoutD>()); }

TEST(InFlightModel, AcceptsNothingButThePartThatWasToldInAnyInterleaving) {
  EXPECT_TRUE(never_fails<InFlight<Shipped>::Model>());
}
TEST(InFlightModel, NeedsFenceA) { EXPECT_TRUE(fails<InFlight<WithoutA>::Model>()); }
TEST(InFlightModel, NeedsFenceD) { EXPECT_TRUE(fails<InFlight<WithoutD>::Model>()); }
TEST(InFlightModel, NeedsAMessageThatReleases) {
  const bool missed = fails<InFlight<Shipped, rl::mo_relaxed>::Model>();
  EXPECT_TRUE(missed);
}

}  // namespace
