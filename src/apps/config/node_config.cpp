#include "apps/config/node_config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "apps/config/schema.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

// Expands ${NAME} in every text below `value`.
void expand_texts(Value& value, const Site& site, const Environment& environment, Report& report) {
  if (value.kind == Value::Kind::text) {
    if (Result<std::string> expanded = expand(value.text, environment)) {
      value.text = *std::move(expanded);
    } else {
      report.add(site, expanded.error().message);
    }
  }
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    expand_texts(value.items[i], site.item(i, value.items[i].line), environment, report);
  }
  for (Member& member : value.members) {
    expand_texts(member.value, site.below(member.key, member.line), environment, report);
  }
}

class Loader {
 public:
  Loader(NodeConfig& config, const Environment& environment, Report& report)
      : config_(config), schema_(schema_of(config)), environment_(environment), report_(report) {}

  void apply_file(Value& root) {
    expand_texts(root, {}, environment_, report_);
    for (const Member& member : root.members) {
      apply_top(member);
    }
  }

  void apply_environment() {
    for (const FixedTable& table : schema_.fixed) {
      for (const Field& field : table.fields) {
        apply_variable(table, field);
      }
    }
  }

 private:
  void apply_top(const Member& member) {
    const Site site{member.key, member.line, {}};
    const auto is_it = [&](const auto& table) { return table.name == member.key; };
    const auto fixed = std::find_if(schema_.fixed.begin(), schema_.fixed.end(), is_it);
    const auto named = std::find_if(schema_.named.begin(), schema_.named.end(), is_it);
    if (fixed == schema_.fixed.end() && named == schema_.named.end()) {
      report_.unknown(site, member.value.kind == Value::Kind::table ? "table" : "key outside of a table", member.key,
                      tables());
    } else if (member.value.kind != Value::Kind::table) {
      report_.wrong_kind(site, member.value, "a table, [" + member.key + "]");
    } else if (fixed != schema_.fixed.end()) {
      apply_table(fixed->fields, member.value, site);
    } else {
      apply_named(*named, member);
    }
  }

  void apply_named(const NamedTables& named, const Member& group) {
    for (const Member& member : group.value.members) {
      const Site site = Site{group.key, group.line, {}}.below(member.key, member.line);
      if (member.value.kind != Value::Kind::table) {
        report_.wrong_kind(site, member.value, fmt::format("a table, [{}.{}]", group.key, member.key));
      } else {
        apply_table(named.entry(member.key), member.value, site);
      }
    }
  }

  void apply_table(const std::vector<Field>& fields, const Value& table, const Site& site) {
    config_.sources[site.key] = site;
    for (const Member& member : table.members) {
      const Site at = site.below(member.key, member.line);
      config_.sources[at.key] = at;
    }
    assign_fields(fields, table, site, report_);
  }

  void apply_variable(const FixedTable& table, const Field& field) {
    const std::string variable = variable_of(table.name, field.key);
    const std::optional<std::string> text = environment_.get(variable);
    if (!text) {
      return;
    }
    Site site{fmt::format("{}.{}", table.name, field.key), 0, variable};
    Result<std::string> expanded = expand(*text, environment_);
    if (!expanded) {
      report_.add(site, expanded.error().message);
      return;
    }
    Value value;
    value.kind = Value::Kind::variable;
    value.text = *std::move(expanded);
    field.assign(value, site, report_);
    config_.sources[site.key] = std::move(site);
  }

  std::vector<std::string> tables() const {
    std::vector<std::string> names;
    for (const FixedTable& table : schema_.fixed) {
      names.push_back(table.name);
    }
    for (const NamedTables& table : schema_.named) {
      names.push_back(table.name);
    }
    return names;
  }

  NodeConfig& config_;
  Schema schema_;
  const Environment& environment_;
  Report& report_;
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }

// Where `text` holds `key` as a whole, not as a part of a longer dotted key; npos if nowhere.
std::size_t find_key(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    const std::string_view after = text.substr(at + key.size());
    const bool begins = at == 0 || (!is_word(text[at - 1]) && text[at - 1] != '.');
    const bool goes_on =
        !after.empty() && (is_word(after[0]) || (after[0] == '.' && after.size() > 1 && is_word(after[1])));
    if (begins && !goes_on) {
      return at;
    }
  }
  return std::string_view::npos;
}

// Those that say something else than their default.
void warn_of_keys_without_effect(NodeConfig& config) {
  NodeConfig defaults;
  const Schema set = schema_of(config);
  const Schema unset = schema_of(defaults);
  for (std::size_t t = 0; t < set.fixed.size(); ++t) {
    for (std::size_t f = 0; f < set.fixed[t].fields.size(); ++f) {
      const Field& field = set.fixed[t].fields[f];
      if (field.without_effect && field.show() != unset.fixed[t].fields[f].show()) {
        config.warnings.push_back(
            with_place(config, fmt::format("{}.{} has no effect yet", set.fixed[t].name, field.key)));
      }
    }
  }
}

}  // namespace

bool NodeConfig::is_from_environment(std::string_view key) const {
  const auto found = sources.find(std::string(key));
  return found != sources.end() && !found->second.variable.empty();
}

bool NodeConfig::has_table(std::string_view table) const {
  const std::string prefix = std::string(table) + ".";
  const auto found = sources.lower_bound(prefix);
  return is_set(table) || (found != sources.end() && found->first.starts_with(prefix));
}

Result<NodeConfig> load_node_config(const std::string& path, const Environment& environment) {
  NodeConfig config;
  config.file = path;
  Report report(path);
  Loader loader(config, environment, report);
  if (!path.empty()) {
    Result<Value> root = read_toml(path);
    if (!root) {
      return Error{ErrorCode::invalid_config, root.error().message};
    }
    loader.apply_file(*root);
  }
  loader.apply_environment();
  if (const auto problems = report.problems(); !problems.empty()) {
    return make_error(ErrorCode::invalid_config, "{}", fmt::join(problems, "\n"));
  }
  warn_of_keys_without_effect(config);
  return config;
}

Status check_driver(const NodeConfig& config, std::vector<std::string>& warnings) {
  const Status verdict = driver::check(config.driver, warnings);
  for (std::string& warning : warnings) {
    warning = with_place(config, warning);
  }
  if (verdict) {
    return {};
  }
  std::istringstream faults(verdict.error().message);  // one a line, each at its own place
  std::vector<std::string> lines;
  for (std::string line; std::getline(faults, line);) {
    lines.push_back(with_place(config, line));
  }
  return make_error(verdict.error().code, "{}", fmt::join(lines, "\n"));
}

std::string with_place(const NodeConfig& config, const std::string& message) {
  const Site* best = nullptr;
  std::size_t best_at = std::string::npos;
  for (const auto& [key, site] : config.sources) {
    if (const std::size_t at = find_key(message, key); at < best_at) {
      best = &site;
      best_at = at;
    }
  }
  if (best == nullptr) {
    return config.file.empty() ? message : fmt::format("{}: {}", config.file, message);
  }
  return best->variable.empty() ? fmt::format("{}:{}: {}", config.file, best->line, message)
                                : fmt::format("environment variable {}: {}", best->variable, message);
}

}  // namespace tensorpool::apps
