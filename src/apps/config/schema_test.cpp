#include "apps/config/schema.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "apps/config/test_environment.hpp"

namespace tensorpool::apps {
namespace {

using Keys = std::map<std::string, std::string>;  // "driver.aeron_dir" -> default, as TOML

// The keys and defaults of the program itself.
Keys known_keys(NodeConfig& config) {
  Keys keys;
  const Schema schema = schema_of(config);
  for (const FixedTable& table : schema.fixed) {
    for (const Field& field : table.fields) {
      keys[table.name + "." + field.key] = field.show();
    }
  }
  for (const NamedTables& table : schema.named) {
    for (const Field& field : table.entry("NAME")) {
      keys[table.name + ".NAME." + field.key] = field.required ? "required" : field.show();
    }
  }
  return keys;
}

// The rows of docs/configuration.md: | `key` | `default` | meaning |, below "## [table]".
Keys documented_keys() {
  Keys keys;
  std::ifstream doc(std::string(TENSORPOOL_SOURCE_DIR) + "/docs/configuration.md");
  const std::regex heading(R"(## \[([A-Za-z.]+)\])");
  const std::regex row(R"(\| `([a-z_]+)` \| (.*?) \| .+ \|)");
  std::string table;
  std::smatch match;
  for (std::string line; std::getline(doc, line);) {
    if (std::regex_match(line, match, heading)) {
      table = match[1];
    } else if (std::regex_match(line, match, row)) {
      std::string value = match[2];
      if (value.size() >= 2 && value.front() == '`') {
        value = value.substr(1, value.size() - 2);
      }
      keys[table + "." + match[1].str()] = value;
    }
  }
  return keys;
}

TEST(Documentation, ListsEveryKeyAndNoOther) {
  NodeConfig config;
  Keys known = known_keys(config);
  Keys documented = documented_keys();
  for (const auto& [key, value] : known) {
    EXPECT_TRUE(documented.contains(key)) << "docs/configuration.md lacks " << key;
  }
  for (const auto& [key, value] : documented) {
    EXPECT_TRUE(known.contains(key)) << "docs/configuration.md has " << key << ", which no table takes";
  }
}

// "†" ends the meaning of a key that nothing acts on yet.
TEST(Documentation, MarksTheKeysWithoutEffect) {
  std::ifstream doc(std::string(TENSORPOOL_SOURCE_DIR) + "/docs/configuration.md");
  const std::regex marked(R"(\| `([a-z_]+)` \|.* † \|)");
  std::multiset<std::string> documented;
  std::smatch match;
  for (std::string line; std::getline(doc, line);) {
    if (std::regex_match(line, match, marked)) documented.insert(match[1]);
  }
  std::multiset<std::string> known;
  NodeConfig config;
  for (const FixedTable& table : schema_of(config).fixed) {
    for (const Field& field : table.fields) {
      if (field.without_effect) known.insert(field.key);
    }
  }
  EXPECT_EQ(documented, known);
}

TEST(Documentation, StatesTheDefaults) {
  const Keys in_words{{"driver.announce_stream_id", "control's"},
                      {"shm.allowed_base_dirs", "[base_dir]"},
                      {"policies.default_profile", "the first"},
                      {"policies.epoch_gc_min_age_ns", "three announce periods"}};
  NodeConfig config;
  Keys documented = documented_keys();
  for (const auto& [key, value] : known_keys(config)) {
    const auto words = in_words.find(key);
    EXPECT_EQ(documented[key], words == in_words.end() ? value : words->second) << key;
  }
}

TEST(DefaultsFile, HasEveryKeyOfTheRolesWithItsDefault) {
  const std::string path = std::string(TENSORPOOL_SOURCE_DIR) + "/config/defaults.toml";
  Result<NodeConfig> stated = load_node_config(path, environment_of({}));
  ASSERT_TRUE(stated);
  NodeConfig assumed;
  const Keys defaults = known_keys(assumed);
  for (const auto& [key, value] : known_keys(*stated)) {
    if (key.starts_with("producer.") || key.starts_with("consumer.") || key.starts_with("supervisor.")) {
      EXPECT_TRUE(stated->is_set(key)) << path << " lacks " << key;
      EXPECT_EQ(value, defaults.at(key)) << key;
    }
  }
}

TEST(Schema, NamesVariablesAfterTableAndKey) {
  EXPECT_EQ(variable_of("driver", "control_stream_id"), "DRIVER_CONTROL_STREAM_ID");
  EXPECT_EQ(variable_of("policies", "epoch_gc_min_age_ns"), "POLICIES_EPOCH_GC_MIN_AGE_NS");
}

// A key whose value does not come back from its own text would break `show`, and with it the documentation test.
TEST(Schema, ShowsWhatItWasGiven) {
  const NodeConfig config = [] {
    const ConfigFile file(
        "[driver]\nstream_id_range = [5, 9]\n[producer]\npayload_pools = [{pool_id = 1, stride_bytes = 64}]\n");
    return *load_node_config(file.path(), environment_of({}));
  }();
  NodeConfig copy = config;
  const Keys keys = known_keys(copy);
  EXPECT_EQ(keys.at("driver.stream_id_range"), "\"5-9\"");
  EXPECT_EQ(keys.at("producer.payload_pools"), "[{ pool_id = 1, uri = \"\", stride_bytes = 64, nslots = 0 }]");
}

}  // namespace
}  // namespace tensorpool::apps
