// Preloaded into a process, it adds to what the wall clock says the nanoseconds that stand in the file which
// WALL_CLOCK_OFFSET names, as if somebody had set the machine's clock. The monotonic clocks stay as they are.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t second = 1'000'000'000;

const std::atomic<std::int64_t>* offset() {
  static const auto* const mapped = []() -> const std::atomic<std::int64_t>* {
    const char* const path = std::getenv("WALL_CLOCK_OFFSET");
    const int file = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return nullptr;
    void* const at = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    return at == MAP_FAILED ? nullptr : static_cast<const std::atomic<std::int64_t>*>(at);
  }();
  return mapped;
}

void shift(timespec& time) {
  if (offset() == nullptr) return;
  const std::int64_t shifted = time.tv_sec * second + time.tv_nsec + offset()->load(std::memory_order_relaxed);
  time = {static_cast<time_t>(shifted / second), static_cast<long>(shifted % second)};
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) {
  const long failed = ::syscall(SYS_clock_gettime, clock, time);
  if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(*time);
  return static_cast<int>(failed);
}

int gettimeofday(timeval* time, void* /*zone*/) {
  timespec now{};
  const int failed = clock_gettime(CLOCK_REALTIME, &now);
  *time = {now.tv_sec, now.tv_nsec / 1000};
  return failed;
}

time_t time(time_t* out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
