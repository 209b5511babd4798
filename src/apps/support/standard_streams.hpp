// A program may be started with its standard streams closed (`<&- >&- 2>&-`). The next files that it opens then get
// their numbers, a lock, a region or Aeron's counters, and what it prints would be written into those.
#pragma once

namespace tensorpool::apps {

// Gives the number of each closed standard stream to /dev/null, opened such that reading input and writing results fail
// as before; what goes to standard error is discarded.
// Call it first in main.
void keep_standard_streams() noexcept;

}  // namespace tensorpool::apps
