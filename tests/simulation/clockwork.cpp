#include "simulation/clockwork.hpp"

namespace tensorpool::simulation {
namespace {

Clockwork* current = nullptr;

}  // namespace

Clockwork::Clockwork(std::uint64_t seed) : ids(seed) { current = this; }
Clockwork::~Clockwork() { current = nullptr; }

// The linker's names for the functions, and for what stands in their place (--wrap).
Nanos true_monotonic_now() noexcept asm("__real__ZN10tensorpool13monotonic_nowEv");
Nanos true_realtime_now() noexcept asm("__real__ZN10tensorpool12realtime_nowEv");
std::uint64_t true_random_u64() noexcept asm("__real__ZN10tensorpool10random_u64Ev");
Nanos simulated_monotonic_now() noexcept asm("__wrap__ZN10tensorpool13monotonic_nowEv");
Nanos simulated_realtime_now() noexcept asm("__wrap__ZN10tensorpool12realtime_nowEv");
std::uint64_t simulated_random_u64() noexcept asm("__wrap__ZN10tensorpool10random_u64Ev");

Nanos simulated_monotonic_now() noexcept { return current != nullptr ? current->now : true_monotonic_now(); }
Nanos simulated_realtime_now() noexcept { return current != nullptr ? current->realtime : true_realtime_now(); }
std::uint64_t simulated_random_u64() noexcept { return current != nullptr ? current->ids.next() : true_random_u64(); }

}  // namespace tensorpool::simulation
