// A driver of a test's own, run by the built `tp`: another directory, another namespace.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "apps/tp/test_program.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::apps::tp {

inline bool has(const Outcome& outcome, const std::string& text) {
  return outcome.text.find(text) != std::string::npos;
}

inline std::string write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  return path;
}

// Stream 7 with eight slots of 256 KiB; the test starts the driver itself: Background driver({"driver", "run",
// config_}).
class RunningDriver : public ::testing::Test {
 protected:
  // Asks for its status until it is there; the test's own time limit bounds it.
  Outcome await_status() {
    for (;;) {
      Outcome outcome = run("driver status --format json --config " + config_);
      if (outcome.status == 0 || outcome.status == 2) {
        return outcome;
      }
    }
  }
  std::string with_config(const std::string& command) const { return command + " --config " + config_; }

  TempDir dir_{"tp-driver", "/dev/shm"};
  std::string config_ = write(
      dir_.path() + "/driver.toml",
      "[driver]\naeron_dir = \"" + dir_.path() + "/aeron\"\n[shm]\nbase_dir = \"" + dir_.path() +
          "\"\n[policies]\nannounce_period_ms = 200\nshutdown_token = \"s3cret\"\n[profiles.a]\nheader_nslots = 8\n"
          "payload_pools = [{ pool_id = 1, stride_bytes = 262144 }]\n[streams.s]\nstream_id = 7\nprofile = \"a\"\n");
};

}  // namespace tensorpool::apps::tp
