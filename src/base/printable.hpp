// Text for a terminal. Programs pass everything that they print or log through printable(), so that no file name,
// label or message of another process can move the cursor, change colours, or reorder what is shown.
#pragma once

#include <string>
#include <string_view>

namespace tensorpool {

enum class Lines : unsigned char { one, many };

// `text` with every byte that is not printable text written as \xNN: control characters, escape sequences, invalid
// UTF-8, and the code points that reverse or hide text. Printable UTF-8 and tabs stay; line feeds stay with
// Lines::many.
[[nodiscard]] std::string printable(std::string_view text, Lines lines = Lines::many);

}  // namespace tensorpool
