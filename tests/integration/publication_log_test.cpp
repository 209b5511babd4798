// The log that a publication writes to is in its process's page tables before the first message.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

#include "support/temp_dir.hpp"
#include "transport/channel_uri.hpp"
#include "transport/connection.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::transport {
namespace {

// The least that is entered of a mapping of a log, in KiB: the media driver is of this process, and has its own.
long entered_kib() {
  std::ifstream maps("/proc/self/smaps");
  bool of_log = false;
  long least = 1L << 40;
  for (std::string line; std::getline(maps, line);) {
    long kib = 0;
    if (line.find(".logbuffer") != std::string::npos) of_log = true;
    if (!of_log || std::sscanf(line.c_str(), "Rss: %ld kB", &kib) != 1) continue;
    least = std::min(least, kib);
    of_log = false;
  }
  return least;
}

long entered_by_adding(const std::string& channel) {
  const TempDir dir("publication-log-", "/dev/shm");
  MediaDriverOptions options;
  options.aeron_dir = dir.path() + "/aeron";
  const EmbeddedMediaDriver driver = EmbeddedMediaDriver::start(options).value();
  Connection connection = Connection::open({.aeron_dir = options.aeron_dir}).value();
  const Publication log = connection.add_publication(channel, 1100).value();
  return entered_kib();
}

TEST(PublicationLog, IsEnteredIntoThePageTablesWhole) {
  EXPECT_GE(entered_by_adding(*descriptor_publication_channel("aeron:ipc?term-length=1m")), 3 * 1024);
}

TEST(PublicationLog, IsLeftAloneWhereItsMemoryIsNotReserved) {
  EXPECT_LT(entered_by_adding("aeron:ipc?term-length=1m|sparse=true"), 1024);
}

}  // namespace
}  // namespace tensorpool::transport
