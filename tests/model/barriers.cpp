// The accesses around each of A, B, C and D (shm/seqlock.hpp), a function each, for barriers_test.py to read in machine
// code. ATOMICS is NativeAtomics, what ships, or a mutant that lacks one of the four.
#include <array>
#include <atomic>
#include <cstdint>

#include "shm/seqlock.hpp"

namespace tensorpool::shm {

struct WithoutA : NativeAtomics {
  static void fence_release() noexcept {}
};
struct WithoutB : NativeAtomics {
  static void store_release(Word& word, Word value) noexcept { store_relaxed(word, value); }
};
struct WithoutC : NativeAtomics {
  static Word load_acquire(const Word& word) noexcept { return load_relaxed(word); }
};
struct WithoutD : NativeAtomics {
  static void fence_acquire() noexcept {}
};

}  // namespace tensorpool::shm

using Word = std::uint64_t;
using Lock = tensorpool::shm::BasicSeqlock<tensorpool::shm::ATOMICS>;

// The commit word comes first and the payload second, so that their addresses are in the first two registers.
extern "C" {

void writer_marks(Word& commit, Word* payload, Word seq, Word value) {  // A
  Lock::begin(commit, seq);
  Lock::store_words(payload, std::array{value});
}

void writer_commits(Word& commit, Word* payload, Word seq, Word value) {  // B
  Lock::store_words(payload, std::array{value});
  Lock::commit(commit, seq);
}

Word reader_observes(const Word& commit, const Word* payload) {  // C
  const Word word = Lock::observe(commit);
  std::array<Word, 1> value{};
  Lock::load_words(value, payload);
  return word ^ value[0];
}

Word reader_looks_again(const Word& commit, const Word* payload, Word observed) {  // D
  std::array<Word, 1> value{};
  Lock::load_words(value, payload);
  return Lock::unchanged(commit, observed) ? value[0] : 0;
}

Word reader_of_a_part_looks_again(const Word& commit, const Word* payload, Word seq) {  // D, of a frame in flight
  std::array<Word, 1> value{};
  Lock::load_words(value, payload);
  return Lock::still_holds(commit, seq) ? value[0] : 0;
}

}  // extern "C"
