// A value as a configuration file or an environment variable gave it, with the line it stands on; no TOML library in
// sight.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/result.hpp"

namespace tensorpool::apps {

struct Member;

struct Value {
  enum class Kind : std::uint8_t {
    boolean,
    integer,
    real,
    text,
    array,
    table,
    other,     // a date or a time: no key takes one
    variable,  // the text of an environment variable, whose type its key decides
  };

  Kind kind = Kind::table;
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;             // text and variable; other: as written in messages
  std::vector<Value> items;     // array
  std::vector<Member> members;  // table, in the order of the file
  int line = 0;                 // 0 = not from a file
};

struct Member {
  std::string key;
  int line = 0;
  Value value;
};

// The value as TOML, for messages; long ones are cut.
[[nodiscard]] std::string describe(const Value& value);
// "a text", "an array" and so on, without its content.
[[nodiscard]] std::string_view describe_kind(const Value& value);

// Parses a TOML document into its root table, at most 128 levels deep. The error says "<name>:<line>:<column>: <what>",
// without a column where it nests too deep.
[[nodiscard]] Result<Value> parse_toml(std::string_view text, std::string_view name);

// Reads and parses a file. Errors: missing, a directory, unreadable, too long to be a configuration, broken TOML.
[[nodiscard]] Result<Value> read_toml(const std::string& path);

}  // namespace tensorpool::apps
