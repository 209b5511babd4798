// How deep a TOML text nests, found without recursion and before a parser sees it: the TOML library recurses once per
// level, in its parser and in its destructors, and limits arrays and inline tables only, not dotted keys.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tensorpool::apps {

// The first line, from 1, where a key, with the arrays and inline tables around it, has more than `limit` levels;
// nothing if there is none. Exact for valid TOML; in a broken text it holds up to the first fault, where a parser
// stops.
[[nodiscard]] std::optional<int> line_nested_deeper_than(std::string_view toml, std::size_t limit);

}  // namespace tensorpool::apps
