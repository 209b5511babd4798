#include "shm/sigbus_guard.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>

#include "base/error.hpp"

namespace tensorpool::shm {

// `end` is set before `begin` and outlives it, so that the handler never takes two halves of two ranges for one.
struct GuardedRange::Entry {
  std::atomic<std::uintptr_t> begin{0};  // 0: free
  std::atomic<std::uintptr_t> end{0};
  std::atomic<bool> writable{false};
  std::atomic<bool> lost{false};
  std::atomic<Entry*> ring{nullptr};
};

namespace {

using Entry = GuardedRange::Entry;
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free && std::atomic<Entry*>::is_always_lock_free &&
              std::atomic<bool>::is_always_lock_free);

// Grows by a chunk at a time and never shrinks: the handler may be reading it.
struct Chunk {
  std::array<Entry, 128> entries;
  std::atomic<Chunk*> next{nullptr};
};

constinit Chunk table;
constinit std::mutex table_mutex;  // who writes the table, or installs
constinit bool installed = false;
struct sigaction previous {};

Entry& free_entry() {
  for (Chunk* chunk = &table;;) {
    for (Entry& entry : chunk->entries) {
      if (entry.begin.load(std::memory_order_relaxed) == 0) return entry;
    }
    if (chunk->next.load(std::memory_order_relaxed) == nullptr) {
      chunk->next.store(new Chunk, std::memory_order_release);
    }
    chunk = chunk->next.load(std::memory_order_relaxed);
  }
}

// --- In the handler: async-signal-safe only ---

// The range that is being touched can not leave meanwhile; any other may.
Entry* find(std::uintptr_t address) noexcept {
  for (Chunk* chunk = &table; chunk != nullptr; chunk = chunk->next.load(std::memory_order_acquire)) {
    for (Entry& entry : chunk->entries) {
      const std::uintptr_t begin = entry.begin.load(std::memory_order_acquire);
      if (begin == 0 || address < begin || address >= entry.end.load(std::memory_order_acquire)) continue;
      if (entry.begin.load(std::memory_order_relaxed) == begin) return &entry;
    }
  }
  return nullptr;
}

// The system call itself: libc promises nothing of mmap in a handler, and sanitizers take it for a write.
bool lay_zeros(Entry& entry) noexcept {
  const std::uintptr_t begin = entry.begin.load(std::memory_order_relaxed);
  const std::size_t length = entry.end.load(std::memory_order_relaxed) - begin;
  const int protection = entry.writable.load(std::memory_order_relaxed) ? PROT_READ | PROT_WRITE : PROT_READ;
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  if (::syscall(SYS_mmap, begin, length, protection, flags, -1, 0) == -1) return false;
  entry.lost.store(true, std::memory_order_release);
  return true;
}

bool mend(const siginfo_t& info) noexcept {
  if (info.si_code != BUS_ADRERR) return false;  // sent by somebody, or memory that is broken
  Entry* const entry = find(reinterpret_cast<std::uintptr_t>(info.si_addr));
  if (entry == nullptr) return false;
  Entry* const ring = entry->ring.load(std::memory_order_acquire);
  return (ring == nullptr || ring->lost.load(std::memory_order_acquire) || lay_zeros(*ring)) && lay_zeros(*entry);
}

void pass_on(int number, siginfo_t* info, void* context) noexcept {
  if ((previous.sa_flags & SA_SIGINFO) != 0) return previous.sa_sigaction(number, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(number);
  const bool sent = info->si_code <= 0;
  if (sent && previous.sa_handler == SIG_IGN) return;
  // As without a handler: the touch is done again and kills; what was sent is sent again. Nobody may ignore a touch.
  ::signal(number, SIG_DFL);
  if (sent) ::raise(number);
}

void on_sigbus(int number, siginfo_t* info, void* context) noexcept {
  const int error = errno;
  if (!mend(*info)) pass_on(number, info, context);
  errno = error;
}

}  // namespace

GuardedRange::GuardedRange(void* address, std::size_t length, Access access) {
  const std::lock_guard lock(table_mutex);
  entry_ = &free_entry();
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  entry_->writable.store(access == Access::read_write, std::memory_order_relaxed);
  entry_->lost.store(false, std::memory_order_relaxed);
  entry_->ring.store(nullptr, std::memory_order_relaxed);
  entry_->end.store(begin + length, std::memory_order_release);
  entry_->begin.store(begin, std::memory_order_release);
}

GuardedRange::~GuardedRange() {
  if (entry_ == nullptr) return;
  const std::lock_guard lock(table_mutex);
  entry_->begin.store(0, std::memory_order_release);
}

void GuardedRange::fall_after(const GuardedRange& ring) noexcept {
  entry_->ring.store(ring.entry_, std::memory_order_release);
}

bool GuardedRange::is_lost() const noexcept {
  return entry_ != nullptr && entry_->lost.load(std::memory_order_acquire);
}

Status install_sigbus_guard() {
  const std::lock_guard lock(table_mutex);
  if (installed) return {};
  // Read first: the handler may run before sigaction returns.
  if (::sigaction(SIGBUS, nullptr, &previous) != 0) return errno_error(errno, "cannot read the handler of SIGBUS");
  struct sigaction action {};
  action.sa_sigaction = on_sigbus;
  action.sa_mask = previous.sa_mask;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | (previous.sa_flags & SA_NODEFER);
  if (::sigaction(SIGBUS, &action, nullptr) != 0) return errno_error(errno, "cannot install a handler of SIGBUS");
  installed = true;
  return {};
}

}  // namespace tensorpool::shm
