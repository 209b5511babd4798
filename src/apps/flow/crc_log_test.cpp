#include "apps/flow/crc_log.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <csignal>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "apps/flow/crc32c.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::apps {
namespace {

TEST(Crc32c, AgreesWithTheCheckValueOfTheStandard) {
  constexpr std::string_view digits = "123456789";
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xE3069283U);
  EXPECT_EQ(crc32c({}), 0U);
}

class CrcLogFile : public testing::Test {
 protected:
  TempDir directory_{"tp_crc"};
  std::string path_ = directory_.path() + "/log";
};

TEST_F(CrcLogFile, GivesBackWhatWasAppended) {
  std::vector<CrcRecord> written;
  {
    auto log = CrcLogWriter::open(path_);
    ASSERT_TRUE(log) << log.error().message;
    for (std::uint32_t i = 0; i < 10'000; ++i) {
      written.push_back({1ULL << 60, i, i * 7, i * 3});
      log->append(written.back());
    }
  }
  EXPECT_EQ(std::filesystem::file_size(path_), 24U * 10'000);
  const auto read = read_crc_log(path_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, written);
}

TEST_F(CrcLogFile, LeavesOutARecordThatWasCutOff) {
  {
    auto log = CrcLogWriter::open(path_);
    ASSERT_TRUE(log);
    log->append({1, 2, 3, 4});
    log->append({1, 3, 3, 4});
  }
  ASSERT_EQ(::truncate(path_.c_str(), 47), 0);
  const auto read = read_crc_log(path_);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), 1U);
}

TEST_F(CrcLogFile, NamesAPathThatCannotBeOpened) {
  const auto log = CrcLogWriter::open(directory_.path() + "/no/such/log");
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().message.find("/no/such/log"), std::string::npos);
  EXPECT_EQ(read_crc_log(path_).error().code, ErrorCode::not_found);
}

TEST(CrcComparison, TellsEveryKindOfDifferenceApart) {
  const std::vector<CrcRecord> sent{{9, 3, 30, 8}, {9, 1, 10, 8}, {9, 2, 20, 8}, {10, 1, 11, 8}};
  const std::vector<CrcRecord> delivered{{9, 1, 10, 8}, {9, 3, 31, 8}, {9, 2, 20, 7},
                                         {9, 4, 40, 8}, {9, 1, 10, 8}, {10, 1, 11, 8}};
  const auto result = compare_crc_logs(sent, delivered);
  EXPECT_EQ(result.verified, 2U);
  EXPECT_EQ(result.different, 2U);
  EXPECT_EQ(result.unknown, 1U);
  EXPECT_EQ(result.repeated, 1U);
  EXPECT_FALSE(result.all_right());
  EXPECT_EQ(result.example, (CrcRecord{9, 3, 31, 8}));
}

TEST(CrcLog, ThatCannotBeWrittenSaysWhyAndKeepsWholeRecords) {
  const TempDir dir("tp-crc");
  const std::string path = dir.path() + "/log";
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit{60, before.rlim_max};  // two records and a half
  {
    auto log = CrcLogWriter::open(path);
    ASSERT_TRUE(log);
    for (std::uint64_t seq = 0; seq < 4; ++seq) log->append({1, seq, 7, 8});
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Status closed = log->close();
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    ASSERT_FALSE(closed);
    EXPECT_NE(closed.error().message.find(path + ": File too large"), std::string::npos) << closed.error().message;
  }
  EXPECT_EQ(read_crc_log(path)->size(), 2u);
  EXPECT_EQ(std::filesystem::file_size(path), 48u);
}

TEST(CrcLog, GoesOnBehindARecordThatWasCutOff) {
  const TempDir dir("tp-crc");
  const std::string path = dir.path() + "/log";
  std::ofstream(path, std::ios::binary) << std::string(24 + 10, 'x');
  {
    auto log = CrcLogWriter::open(path);
    ASSERT_TRUE(log);
    log->append({1, 2, 3, 4});
    ASSERT_TRUE(log->close());
  }
  const auto records = read_crc_log(path);
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ(records->back(), (CrcRecord{1, 2, 3, 4}));
}

}  // namespace
}  // namespace tensorpool::apps
