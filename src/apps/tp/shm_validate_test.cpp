// A namespace is checked file by file and slot by slot.
#include "apps/tp/shm_validate.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "apps/tp/test_driver.hpp"
#include "protocol/shm_layout.hpp"
#include "support/region_files.hpp"

namespace tensorpool::apps::tp {
namespace {

namespace fs = std::filesystem;

class ShmValidate : public ::testing::Test {
 protected:
  void SetUp() override { files_.make(); }

  std::string faults(bool in_use = false) {
    ShmVerdict verdict;
    shm::Listing listing;
    EXPECT_TRUE(validate_namespace(dir(), in_use, listing, verdict));
    return describe(verdict);
  }
  std::string dir() { return files_.store().namespace_dir(); }
  std::string epoch() { return files_.store().epoch_dir(1001, 7); }
  void overwrite(const std::string& path, std::size_t offset, std::string_view bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  void put_slot(std::uint32_t index, const protocol::SlotHeader& header) {
    std::array<std::byte, protocol::header_slot_bytes> bytes{};
    protocol::encode_slot_header(header, bytes);
    overwrite(epoch() + "/header.ring", protocol::slot_offset(index, protocol::header_slot_bytes),
              {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  static protocol::SlotHeader good_slot() {
    protocol::SlotHeader header;
    header.seq_commit = protocol::committed_word(1);
    header.values_len_bytes = 6;
    header.payload_slot = 1;
    header.pool_id = 1;
    header.layout = TensorLayout::row_major(Dtype::uint8, {2, 3});
    return header;
  }

  shm::RegionFiles files_;
};

TEST_F(ShmValidate, FindsNoFaultInWhatADriverMade) {
  put_slot(1, good_slot());
  EXPECT_EQ(faults(), "ok: 3 files of 1 epochs, 1 committed slots, 0 faults");
}

TEST_F(ShmValidate, ComparesFilesWithTheirPaths) {
  fs::rename(epoch(), files_.store().epoch_dir(1001, 8));
  EXPECT_NE(faults().find("8/header.ring: says that it is of epoch 7"), std::string::npos) << faults();
  fs::rename(files_.store().epoch_dir(1001, 8), epoch());
  fs::rename(epoch() + "/1.pool", epoch() + "/9.pool");
  EXPECT_NE(faults().find("9.pool: says that it is pool 1"), std::string::npos) << faults();
  fs::remove(epoch() + "/header.ring");
  EXPECT_NE(faults().find("1001/7: has no readable header ring"), std::string::npos) << faults();
}

TEST_F(ShmValidate, JudgesEachCommittedSlot) {
  protocol::SlotHeader slot = good_slot();
  slot.payload_slot = 2;
  put_slot(1, slot);
  EXPECT_NE(faults().find("slot 1: payload slot 2"), std::string::npos) << faults();
  slot = good_slot();
  slot.pool_id = 5;
  put_slot(1, slot);
  EXPECT_NE(faults().find("slot 1: pool 5, which the epoch does not have"), std::string::npos) << faults();
  slot = good_slot();
  slot.values_len_bytes = 2000;
  put_slot(1, slot);
  EXPECT_NE(faults().find("slot 1: 2000 bytes in pool 1 of stride 1024"), std::string::npos) << faults();
  slot.seq_commit = protocol::in_progress_word(1);
  put_slot(1, slot);
  EXPECT_EQ(faults(), "ok: 3 files of 1 epochs, 0 committed slots, 0 faults") << "nobody may judge a slot in progress";
}

TEST_F(ShmValidate, SeesWhatDoesNotBelong) {
  write(dir() + "/1001/notes.txt", "x");
  fs::create_directory_symlink("/tmp", epoch() + "/away.pool");
  EXPECT_NE(faults().find("notes.txt: does not belong into a stream's directory"), std::string::npos) << faults();
  EXPECT_NE(faults().find("away.pool: does not belong into an epoch"), std::string::npos) << faults();
}

TEST_F(ShmValidate, KnowsTheMarkOfWhatWasRemoved) {
  fs::create_directory(dir() + "/.past-6");
  EXPECT_NE(faults().find(" 0 faults"), std::string::npos) << faults();
  fs::create_directory(dir() + "/.past-x");
  EXPECT_NE(faults().find(".past-x: does not belong into a namespace"), std::string::npos) << faults();
}

TEST_F(ShmValidate, MindsHalfMadeDirectoriesOnlyWhereNobodyWorks) {
  fs::create_directory(dir() + "/1001/.making-8");
  EXPECT_NE(faults().find(".making-8: half-made"), std::string::npos) << faults();
  EXPECT_EQ(faults(true).find("half-made"), std::string::npos) << faults(true);
}

TEST_F(RunningDriver, KeepsAValidNamespaceWhileAProducerWrites) {
  const Background driver({"driver", "run", config_});
  ASSERT_EQ(await_status().status, 0);
  const Background producer({"publish", "pattern", "--size", "32x16", "--rate", "200", "--config", config_});
  ASSERT_EQ(run(with_config("consume --verify --count 10")).status, 0);
  const Outcome outcome = run("shm validate", "TENSORPOOL_CONFIG=" + config_);
  EXPECT_EQ(outcome.status, 0) << outcome.text;
  EXPECT_TRUE(has(outcome, " 0 faults")) << outcome.text;
}

TEST(ShmValidateCommand, IsFailedByABrokenFile) {
  const TempDir dir;
  fs::create_directories(dir.path() + "/1001/7");
  write(dir.path() + "/1001/7/header.ring", "broken");
  const Outcome outcome = run("shm validate " + dir.path());
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(has(outcome, "too short for a superblock") && has(outcome, "NOT OK")) << outcome.text;
  EXPECT_EQ(run("shm validate " + dir.path() + "/none").status, 1);
}

}  // namespace
}  // namespace tensorpool::apps::tp
