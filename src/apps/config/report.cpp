#include "apps/config/report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/config/nearest.hpp"
#include "base/log.hpp"

namespace tensorpool::apps {

Site Site::below(std::string_view name, int at_line) const {
  return {key.empty() ? std::string(name) : fmt::format("{}.{}", key, name), at_line == 0 ? line : at_line, variable};
}

Site Site::item(std::size_t index, int at_line) const {
  return {fmt::format("{}[{}]", key, index), at_line == 0 ? line : at_line, variable};
}

void Report::add(const Site& site, std::string_view what) {
  if (problems_.size() >= most_problems) {
    ++omitted_;
    return;
  }
  const std::string place = site.variable.empty() ? fmt::format("{}:{}", file_, site.line)
                                                  : fmt::format("environment variable {}", site.variable);
  problems_.push_back(fmt::format("{}: {}: {}", place, escape(site.key), what));
}

std::vector<std::string> Report::problems() const {
  std::vector<std::string> all = problems_;
  if (omitted_ != 0)
    all.push_back(fmt::format("{}: {} more problems", file_.empty() ? "environment" : file_, omitted_));
  return all;
}

void Report::wrong(const Site& site, const Value& value, std::string_view expected) {
  add(site, fmt::format("expected {}, got {}", expected, describe(value)));
}

void Report::wrong_kind(const Site& site, const Value& value, std::string_view expected) {
  add(site, fmt::format("expected {}, got {}", expected, describe_kind(value)));
}

void Report::unknown(const Site& site, std::string_view kind, std::string_view name,
                     const std::vector<std::string>& known) {
  const std::optional<std::string> near = nearest(name, known);
  add(site, fmt::format("unknown {}{}; known: {}", kind, near ? fmt::format(", did you mean \"{}\"?", *near) : "",
                        fmt::join(known, ", ")));
}

}  // namespace tensorpool::apps
