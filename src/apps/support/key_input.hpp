// Single keys from the terminal, without waiting for the end of a line. The terminal gets its own settings back at the
// end, and while the program is suspended (Ctrl-Z); signals of the keyboard go on to work.
#pragma once

namespace tensorpool::apps {

// At most one at a time. Does nothing unless standard input is a terminal.
class KeyInput {
 public:
  KeyInput();
  KeyInput(const KeyInput&) = delete;
  KeyInput& operator=(const KeyInput&) = delete;
  ~KeyInput();

  // Whether q, or Ctrl-D, was pressed since the last call. Never blocks; false while the program is in the background.
  [[nodiscard]] bool wants_to_quit() noexcept;

 private:
  bool active_ = false;
};

}  // namespace tensorpool::apps
