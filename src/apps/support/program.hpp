// What main() of every program does around its own work.
#pragma once

#include <functional>
#include <string_view>

namespace tensorpool::apps {

// Keeps the standard streams, installs the stop signal, runs `body` and returns the exit status of the program `name`:
// that of `body`, or 1 with a message when it ended by an exception, or when results are missing on standard output.
// Objects of `body` are destroyed in any case, so that leases are given back.
[[nodiscard]] int run_program(std::string_view name, const std::function<int()>& body);

}  // namespace tensorpool::apps
