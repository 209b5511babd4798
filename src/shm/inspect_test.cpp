#include "shm/inspect.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "shm/slot_writer.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

namespace fs = std::filesystem;

const InspectedField* find(const RegionReport& report, std::string_view name) {
  for (const InspectedField& field : report.fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

TEST(InspectRegion, FindsAFreshRegionInOrder) {
  RegionFiles files;
  const RegionLayout layout = files.make();
  for (const std::string& path : {layout.header_path, layout.pools[0].path}) {
    const auto report = inspect_region(path);
    ASSERT_TRUE(report.has_value());
    EXPECT_TRUE(report->ok());
    EXPECT_EQ(report->superblock.epoch, 7U);
    EXPECT_EQ(report->superblock.pid, 42U);
  }
  const auto ring = inspect_region(layout.header_path);
  EXPECT_EQ(ring->commits->empty, 4U);
  EXPECT_EQ(ring->held_bytes, 4096U);
  EXPECT_FALSE(inspect_region(layout.pools[0].path)->commits.has_value());
}

TEST(InspectRegion, SumsTheCommitWordsUp) {
  RegionFiles files;
  const RegionLayout layout = files.make();
  const auto regions = files.map(layout, Access::read_write);
  SlotWriter writer(*regions);
  const TensorLayout bytes = TensorLayout::raw_bytes(0);
  for (const std::uint64_t seq : {9U, 10U}) {
    writer.begin(seq, 0);
    writer.commit(seq, 0, {0, 0, 0, &bytes});
  }
  writer.begin(11, 0);
  const auto report = inspect_region(layout.header_path);
  ASSERT_TRUE(report.has_value() && report->commits.has_value());
  EXPECT_EQ(report->commits->committed, 2U);
  EXPECT_EQ(report->commits->in_progress, 1U);
  EXPECT_EQ(report->commits->empty, 1U);
  EXPECT_EQ(report->commits->oldest_committed, 9U);
  EXPECT_EQ(report->commits->newest_committed, 10U);
}

const InspectedField* find(const SlotReport& report, std::string_view name) {
  const auto found =
      std::find_if(report.fields.begin(), report.fields.end(), [&](auto& one) { return one.name == name; });
  return found == report.fields.end() ? nullptr : &*found;
}

TEST(InspectSlot, ShowsTheHeaderOfAFrame) {
  RegionFiles files;
  const RegionLayout layout = files.make();
  const auto regions = files.map(layout, Access::read_write);
  SlotWriter writer(*regions);
  const TensorLayout image = TensorLayout::row_major(Dtype::uint8, {2, 3});
  writer.begin(9, 0);
  writer.commit(9, 0, {6, 77, 5, &image});
  writer.begin(10, 0);
  const auto frame = inspect_slot(layout.header_path, 1);
  ASSERT_TRUE(frame.has_value());
  EXPECT_TRUE(frame->ok());
  for (const auto& [name, value] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{{"seq", "9"},
                                                                            {"state", "committed"},
                                                                            {"timestamp_ns", "77"},
                                                                            {"values_len_bytes", "6"},
                                                                            {"meta_version", "5"},
                                                                            {"payload_slot", "1"},
                                                                            {"dims", "2 x 3"},
                                                                            {"strides", "0 x 0"}}) {
    ASSERT_NE(find(*frame, name), nullptr) << name;
    EXPECT_EQ(find(*frame, name)->value, value);
  }
  EXPECT_EQ(find(*inspect_slot(layout.header_path, 2), "state")->value, "in progress");
  EXPECT_EQ(find(*inspect_slot(layout.header_path, 3), "state")->value, "empty");
}

TEST(InspectSlot, JudgesABrokenHeader) {
  RegionFiles files;
  const RegionLayout layout = files.make();
  {
    std::fstream file(layout.header_path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(64 + 256);
    file.write("\x03", 1);  // committed, and of slot 1; nothing else
  }
  const auto broken = inspect_slot(layout.header_path, 1);
  ASSERT_TRUE(broken.has_value());
  EXPECT_FALSE(broken->ok());
  EXPECT_FALSE(find(*broken, "header")->why.empty());
}

TEST(InspectSlot, RefusesSlotsThatAreNotThere) {
  RegionFiles files;
  const RegionLayout layout = files.make();
  EXPECT_EQ(inspect_slot(layout.header_path, 4).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(inspect_slot(layout.pools[0].path, 0).error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(inspect_slot("/nowhere/header.ring", 0));
}

TEST(InspectRegion, ShowsEveryFaultOfABrokenFileAtOnce) {
  const TempDir dir;
  const std::string path = dir.path() + "/header.ring";
  std::ofstream(path) << std::string(64, '\x7f');
  fs::permissions(path, fs::perms::all);
  const auto report = inspect_region(path);
  ASSERT_TRUE(report.has_value());
  EXPECT_FALSE(report->ok());
  for (const char* name :
       {"mode", "magic", "layout_version", "region_type", "nslots", "stride_bytes", "needed_bytes"}) {
    const InspectedField* field = find(*report, name);
    ASSERT_NE(field, nullptr) << name;
    EXPECT_FALSE(field->ok) << name;
    EXPECT_FALSE(field->why.empty()) << name;
  }
}

TEST(InspectRegion, ToleratesAFileOfAnyLengthAndContent) {
  const TempDir dir;
  const std::string path = dir.path() + "/x";
  std::mt19937_64 random(3);
  for (std::size_t length = 0; length < 2000; length += 37) {
    std::string content(length, '\0');
    for (char& c : content) c = static_cast<char>(random());
    std::ofstream(path, std::ios::trunc) << content;
    const auto report = inspect_region(path);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->file_bytes, length);
    EXPECT_FALSE(report->ok());
  }
}

TEST(InspectRegion, RefusesWhatIsNoRegularFile) {
  const TempDir dir;
  EXPECT_FALSE(inspect_region(dir.path()).has_value());
  EXPECT_FALSE(inspect_region(dir.path() + "/missing").has_value());
  fs::create_symlink("/etc/passwd", dir.path() + "/link");
  EXPECT_FALSE(inspect_region(dir.path() + "/link").has_value());
}

TEST(InspectRegion, ReadsNoMoreOfAHugeSparseRingThanWasWritten) {
  RegionFiles files;
  const RegionLayout layout = files.make(small_spec(7, 4));
  std::fstream ring(layout.header_path, std::ios::in | std::ios::out | std::ios::binary);
  const std::uint32_t nslots = std::uint32_t{1} << 31;  // 512 GiB
  ring.seekp(28);                                       // nslots
  ring.write(reinterpret_cast<const char*>(&nslots), sizeof(nslots));
  ring.close();
  fs::resize_file(layout.header_path, protocol::region_bytes(nslots, protocol::header_slot_bytes));
  const auto report = inspect_region(layout.header_path);
  ASSERT_TRUE(report.has_value() && report->commits.has_value());
  EXPECT_EQ(report->superblock.nslots, nslots);
  EXPECT_EQ(report->commits->empty, most_inspected_slots);
  EXPECT_EQ(report->commits->unread, nslots - most_inspected_slots);
}

TEST(InspectRegion, FindsAFileThatIsLongerThanItsSuperblockSays) {
  RegionFiles files;
  const RegionLayout layout = files.make();
  fs::resize_file(layout.header_path, std::uintmax_t{1} << 39);
  const auto report = inspect_region(layout.header_path);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(find(*report, "needed_bytes")->why, "the file is longer than its superblock says");
}

TEST(InspectRegion, OpensNoLinkAndNoPipeAndNamesThemEscaped) {
  const TempDir dir;
  const std::string pipe = dir.path() + "/\x1b[2J.ring";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("/etc/hostname", dir.path() + "/1.pool");
  const auto piped = inspect_region(pipe);
  ASSERT_FALSE(piped.has_value());
  EXPECT_EQ(piped.error().message, dir.path() + "/\\x1b[2J.ring is not a regular file");
  const auto linked = inspect_region(dir.path() + "/1.pool");
  ASSERT_FALSE(linked.has_value());
  EXPECT_EQ(linked.error().message, dir.path() + "/1.pool is a symbolic link, which is not followed; name its target");
}

}  // namespace
}  // namespace tensorpool::shm
