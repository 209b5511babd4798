// An environment of a test's own making, and a configuration file of given text.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "apps/config/node_config.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::apps {

inline Environment environment_of(std::map<std::string, std::string> variables, std::string user = "ada") {
  return {[variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt : std::optional(found->second);
          },
          [user = std::move(user)] { return user; }};
}

// A file "node.toml" in a directory of its own; messages name it by this path, which text() shortens to "node.toml".
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) : path_(dir_.path() + "/node.toml") { std::ofstream(path_) << text; }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string shorten(std::string message) const {
    for (std::size_t at = message.find(path_); at != std::string::npos; at = message.find(path_)) {
      message.replace(at, path_.size(), "node.toml");
    }
    return message;
  }

 private:
  TempDir dir_{"tp-config"};
  std::string path_;
};

// What the file at `path` says; the test fails if it cannot be loaded.
inline NodeConfig loaded(const std::string& path, std::map<std::string, std::string> variables = {}) {
  Result<NodeConfig> config = load_node_config(path, environment_of(std::move(variables)));
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config ? *std::move(config) : NodeConfig{};
}

// The error of loading `text`; "" if it loads.
inline std::string load_error(const std::string& text, std::map<std::string, std::string> variables = {}) {
  const ConfigFile file(text);
  const Result<NodeConfig> config = load_node_config(file.path(), environment_of(std::move(variables)));
  return config ? "" : file.shorten(config.error().message);
}

}  // namespace tensorpool::apps
