// Random ids, from the operating system.
#pragma once

#include <cstdint>

namespace tensorpool {

[[nodiscard]] std::uint64_t random_u64() noexcept;
[[nodiscard]] std::uint32_t random_nonzero_u32() noexcept;

}  // namespace tensorpool
