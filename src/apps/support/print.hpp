// Writes to standard output and standard error. Nothing here throws or ends the program: a line that cannot be written
// is lost, on a full disk, a closed pipe or a closed terminal alike. All programs print through these functions only;
// tools/check_layers.py holds that.
//
// Any thread; a call is written whole, up to 4096 bytes of it without a line of another thread in between. A reader
// that does not read blocks the call until the program is asked to end (stop_signal.hpp), and at most a second longer.
#pragma once

#include <string_view>

#include "tensorpool/result.hpp"

namespace tensorpool::apps {

// On standard output, where results go. What is not printable is escaped in a line (printable.hpp), and nothing in a
// text, which redraws a terminal. The first failure stays and is told by output_status(). Where the reader went
// away (a closed pipe, a closed terminal unless SIGHUP is ignored), the program is asked to end, as by SIGTERM.
void print_text(std::string_view text) noexcept;
void print_line(std::string_view line) noexcept;

// On standard error, for people. Failures are ignored: there is nowhere left to tell them, and the exit status tells
// the result. `line` is without its newline.
void print_error(std::string_view line) noexcept;
// The same of a text that is printable already, with its line ends and colours.
void print_error_text(std::string_view text) noexcept;

// Why standard output lacks something that was printed; ok when only its reader went away.
[[nodiscard]] Status output_status();

}  // namespace tensorpool::apps
