#include "apps/config/toml_depth.hpp"

#include <algorithm>
#include <vector>

namespace tensorpool::apps {
namespace {

class DepthScan {
 public:
  DepthScan(std::string_view text, std::size_t limit) : text_(text), limit_(limit) {}

  std::optional<int> run() {
    while (at_ < text_.size()) {
      step(text_[at_]);
      if (outer_ + dots_ >= limit_) return line_;
    }
    return std::nullopt;
  }

 private:
  void step(char c) {
    if (c == '"' || c == '\'') return skip_string(c);
    if (c == '#') return skip_comment();
    ++at_;
    if (c == '.') ++dots_;
    if (c == '[' || c == '{') open();
    if (c == ']' || c == '}') close();
    if (c == ',' || c == '\n') dots_ = 0;
    if (c == '\n') ++line_;
  }

  // An array or inline table is a level, and so is each part of the key before it.
  void open() {
    around_.push_back(dots_);
    outer_ += dots_ + 1;
    dots_ = 0;
  }
  void close() {
    if (around_.empty()) return;
    dots_ = around_.back();
    outer_ -= dots_ + 1;
    around_.pop_back();
  }

  void skip_comment() { at_ = std::min(text_.find('\n', at_), text_.size()); }

  void skip_string(char quote) {
    if (text_.substr(at_).starts_with(quote == '"' ? R"(""")" : "'''")) return skip_long_string(quote);
    for (++at_; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == quote) {
        ++at_;
        return;
      }
      if (is_escape(quote)) ++at_;
    }
  }

  // Ends with three quotes; of up to five in a row the first two are its content.
  void skip_long_string(char quote) {
    std::size_t quotes = 0;
    for (at_ += 3; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n') ++line_;
      quotes = text_[at_] == quote ? quotes + 1 : 0;
      if (quotes < 3) {
        if (is_escape(quote)) skip_escaped();
        continue;
      }
      for (++at_; quotes < 5 && at_ < text_.size() && text_[at_] == quote; ++quotes) ++at_;
      return;
    }
  }

  [[nodiscard]] bool is_escape(char quote) const { return quote == '"' && text_[at_] == '\\'; }
  void skip_escaped() {
    ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++line_;
  }

  std::string_view text_;
  std::size_t limit_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::size_t dots_ = 0;             // of the key, or number, that is being read
  std::size_t outer_ = 0;            // levels of the brackets around it, and of their keys
  std::vector<std::size_t> around_;  // the dots before each open bracket
};

}  // namespace

std::optional<int> line_nested_deeper_than(std::string_view toml, std::size_t limit) {
  return DepthScan(toml, limit).run();
}

}  // namespace tensorpool::apps
