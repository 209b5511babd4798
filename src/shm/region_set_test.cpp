// spec: wire 6.1 (superblock), 15.21; faults F3 and F4 of the design: every lie of a region file is refused with its
// reason.
#include "shm/region_set.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/bytes.hpp"
#include "protocol/shm_layout.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

void patch(const std::string& path, off_t offset, std::span<const std::byte> bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDWR));
  ASSERT_TRUE(file);
  ASSERT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), offset), static_cast<ssize_t>(bytes.size()));
}

template <class T>
void patch(const std::string& path, off_t offset, T value) {
  std::array<std::byte, sizeof(T)> bytes;
  store_le(bytes.data(), value);
  patch(path, offset, std::span<const std::byte>(bytes));
}

std::string refusal(RegionFiles& files, const RegionLayout& layout, ErrorCode code = ErrorCode::protocol_error) {
  const auto set = RegionSet::map(layout, Access::read_only, files.policy());
  EXPECT_FALSE(set.has_value());
  if (set) return {};
  EXPECT_EQ(set.error().code, code) << set.error().message;
  return set.error().message;
}

TEST(RegionSet, MapsWhatTheDriverMadeWithItsPoolsSmallestFirst) {
  RegionFiles files;
  const auto set = files.map(files.make(), Access::read_only);
  EXPECT_EQ(set->stream_id(), 1001U);
  EXPECT_EQ(set->epoch(), 7U);
  EXPECT_EQ(set->nslots(), 4U);
  ASSERT_EQ(set->pools().size(), 2U);
  EXPECT_EQ(set->pools()[0].pool_id, 1);
  EXPECT_EQ(set->pools()[1].pool_id, 2);
  EXPECT_EQ(set->pool_index(2), 1);
  EXPECT_EQ(set->pool_index(3), -1);
}

TEST(RegionSet, PlacesEverySlotWithinItsMappingAndAlignsIt) {
  RegionFiles files;
  const auto set = files.map(files.make(), Access::read_write);
  for (std::uint64_t seq = 0; seq < 9; ++seq) {
    const auto slot = set->payload_slot(seq, 1);
    EXPECT_EQ(slot.size(), 4096U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot.data()) % 64, 0U);
    EXPECT_EQ(slot.data(), set->pools()[1].slots + (seq % 4) * 4096);
    EXPECT_EQ(set->header_words(seq), set->header_words(0) + (seq % 4) * 32);
  }
}

// Alone: a sanitizer's books have pages of their own.
[[gnu::noinline]] __attribute__((no_sanitize("address"), no_sanitize("thread"))) void look_at(
    const std::byte* at) noexcept {
  static_cast<void>(*static_cast<const volatile std::byte*>(at));
}

long page_faults_of_reading(const RegionSet& set) {
  const auto faults = [] {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
  };
  const long before = faults();
  for (std::uint64_t seq = 0; seq < set.nslots(); ++seq) {
    for (int pool = 0; pool < static_cast<int>(set.pools().size()); ++pool) {
      look_at(set.payload_slot(seq, pool).data());
    }
  }
  return faults() - before;
}

std::int64_t blocks_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? std::int64_t{status.st_blocks} : -1;
}

TEST(RegionSet, TakesNoPageFaultsInTheFirstLap) {
  RegionFiles files;
  RegionSpec spec = small_spec(7, 64);
  spec.pools = {{1, 65536}};
  const RegionLayout layout = files.make(spec);
  for (const Access access : {Access::read_only, Access::read_write}) {
    EXPECT_LT(page_faults_of_reading(*files.map(layout, access)), 4);
  }
}

TEST(RegionSet, LeavesSparsePoolsSparse) {
  RegionFiles files;
  RegionSpec spec = small_spec(7, 64);
  spec.pools = {{1, 65536}};
  spec.reserve = Reserve::on_touch;
  const RegionLayout layout = files.make(spec);
  const std::int64_t before = blocks_of(layout.pools[0].path);
  const auto set = files.map(layout, Access::read_write);
  EXPECT_EQ(blocks_of(layout.pools[0].path), before);
  EXPECT_LT(before * 512, 64 * 65536);
}

TEST(RegionSet, TakesItsActivityFromEveryRegion) {
  RegionFiles files;
  const RegionLayout layout = files.make(small_spec(), 1000);
  const auto reader = files.map(layout, Access::read_only);
  EXPECT_EQ(reader->activity(), 1000);
  files.map(layout, Access::read_write)->touch_activity(5000);
  EXPECT_EQ(reader->activity(), 5000);
  for (const std::string& path : {layout.header_path, layout.pools[0].path, layout.pools[1].path}) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY));
    std::array<std::byte, 8> word;
    ASSERT_EQ(::pread(file.get(), word.data(), word.size(), 56), 8);
    EXPECT_EQ(load_le<std::uint64_t>(word.data()), 5000U) << path;
  }
}

TEST(RegionSet, RefusesLayoutsBeyondTheLimitsBeforeItOpensAFile) {
  RegionFiles files;
  const auto with = [](const std::function<void(RegionLayout&)>& change) {
    RegionLayout layout{1001, 7, 1, 4, "/nowhere/header.ring", {{1, 1024, "/nowhere/1.pool"}}};
    change(layout);
    return layout;
  };
  const auto says = [&](const RegionLayout& layout, const std::string& what,
                        ErrorCode code = ErrorCode::protocol_error) {
    EXPECT_NE(refusal(files, layout, code).find(what), std::string::npos) << what;
  };
  says(with([](RegionLayout& l) { l.nslots = 0; }), "nslots is 0");
  says(with([](RegionLayout& l) { l.nslots = 6; }), "nslots is 6");
  says(with([](RegionLayout& l) { l.pools.clear(); }), "no payload pool");
  says(with([](RegionLayout& l) { l.pools[0].stride_bytes = 0; }), "stride of pool 1 is 0");
  says(with([](RegionLayout& l) { l.pools[0].stride_bytes = 100; }), "stride of pool 1 is 100");
  says(with([](RegionLayout& l) { l.pools.push_back(l.pools[0]); }), "pool id 1 occurs twice");
  says(with([](RegionLayout& l) { l.pools.resize(max_pools + 1, l.pools[0]); }), "at most 64");
  says(with([](RegionLayout& l) { l.layout_version = 2; }), "layout version 2", ErrorCode::unsupported);
}

TEST(RegionSet, RefusesAFileThatIsShorterThanItsSlots) {
  RegionFiles files;
  for (const bool of_the_ring : {true, false}) {
    const RegionLayout layout = files.make(small_spec(of_the_ring ? 7 : 8));
    const std::string& path = of_the_ring ? layout.header_path : layout.pools[0].path;
    const auto whole = static_cast<off_t>(protocol::region_bytes(4, of_the_ring ? 256 : 4096));
    for (const off_t length : {off_t{0}, off_t{1}, off_t{63}, off_t{64}, whole - 1}) {
      ASSERT_EQ(::truncate(path.c_str(), length), 0);
      const std::string message = refusal(files, layout);
      EXPECT_NE(message.find(path), std::string::npos) << message;
      EXPECT_NE(message.find(std::to_string(length) + " bytes"), std::string::npos) << message;
    }
  }
}

// 2^31 slots of 2^31 bytes need 2^62 bytes: 32-bit arithmetic would find that a short file suffices.
TEST(RegionSet, ComputesSizesWithoutOverflow) {
  RegionFiles files;
  RegionLayout layout = files.make();
  layout.nslots = 1U << 31;
  EXPECT_NE(refusal(files, layout).find("need 549755813952"), std::string::npos);
  layout = files.make(small_spec(8));
  layout.pools.resize(1);
  layout.pools[0].stride_bytes = 1U << 31;
  patch<std::uint32_t>(layout.pools[0].path, 36, 1U << 31);
  EXPECT_NE(refusal(files, layout).find("need 8589934656"), std::string::npos);
}

struct SuperblockLie {
  const char* name;
  bool in_ring;
  off_t offset;
  std::uint64_t value;
  std::size_t bytes;
  const char* says;
};

void PrintTo(const SuperblockLie& lie, std::ostream* out) { *out << lie.name; }

class SuperblockField : public ::testing::TestWithParam<SuperblockLie> {};

TEST_P(SuperblockField, IsRefusedWithItsReasonWhenItIsWrong) {
  const SuperblockLie& lie = GetParam();
  RegionFiles files;
  const RegionLayout layout = files.make();
  const std::string& path = lie.in_ring ? layout.header_path : layout.pools[0].path;
  std::array<std::byte, 8> bytes;
  store_le(bytes.data(), lie.value);
  patch(path, lie.offset, std::span<const std::byte>(bytes).first(lie.bytes));
  const std::string message = refusal(files, layout);
  EXPECT_NE(message.find(path), std::string::npos) << message;
  EXPECT_NE(message.find(lie.says), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    , SuperblockField,
    ::testing::Values(SuperblockLie{"magic", true, 0, 0x544F504C53484D30, 8, "magic"},
                      SuperblockLie{"magic_swapped", false, 0, 0x314D48534C504F54, 8, "magic"},
                      SuperblockLie{"layout_version", true, 8, 2, 4, "layout_version"},
                      SuperblockLie{"epoch", true, 12, 8, 8, "epoch is 8, the layout says 7"},
                      SuperblockLie{"epoch_of_pool", false, 12, 6, 8, "epoch is 6, the layout says 7"},
                      SuperblockLie{"stream", false, 20, 1002, 4, "stream_id is 1002, the layout says 1001"},
                      SuperblockLie{"type_unknown", true, 24, 3, 2, "region_type"},
                      SuperblockLie{"type_negative", false, 24, 0xFFFF, 2, "region_type"},
                      SuperblockLie{"ring_for_pool", false, 24, 1, 2, "pool_id of a header ring"},
                      SuperblockLie{"pool_id", false, 26, 9, 2, "pool_id is 9, the layout says 2"},
                      SuperblockLie{"pool_id_of_ring", true, 26, 1, 2, "pool_id"},
                      SuperblockLie{"nslots_zero", true, 28, 0, 4, "nslots"},
                      SuperblockLie{"nslots_odd", false, 28, 3, 4, "nslots"},
                      SuperblockLie{"nslots_huge", false, 28, 1U << 31, 4, "nslots is 2147483648, the layout says 4"},
                      SuperblockLie{"slot_bytes_of_ring", true, 32, 128, 4, "slot_bytes"},
                      SuperblockLie{"slot_bytes_of_pool", false, 32, 1024, 4, "slot_bytes"},
                      SuperblockLie{"stride_zero", false, 36, 0, 4, "stride_bytes"},
                      SuperblockLie{"stride_odd", false, 36, 4095, 4, "stride_bytes"},
                      SuperblockLie{"stride_huge", false, 32, 0x8000000080000000, 8,
                                    "stride_bytes is 2147483648, the layout says 4096"},
                      SuperblockLie{"stride_of_ring", true, 36, 256, 4, "stride_bytes"}),
    [](const auto& lie) { return std::string(lie.param.name); });

TEST(RegionSet, AcceptsThePoolOfAPeerThatStatesNoSlotBytes) {
  RegionFiles files;
  const RegionLayout layout = files.make();
  patch<std::uint32_t>(layout.pools[0].path, 32, 0xFFFFFFFF);
  EXPECT_TRUE(RegionSet::map(layout, Access::read_only, files.policy()).has_value());
}

TEST(RegionSet, RefusesRegionsThatAreNotOnHugePagesWhenTheyMust) {
  RegionFiles files;
  RegionLayout layout = files.make();
  layout.require_hugepages = true;
  EXPECT_NE(refusal(files, layout, ErrorCode::unsupported).find("not lie on hugetlbfs"), std::string::npos);
}

// A reader has no way to write into the producer's memory: not by the mapping, not by the file.
TEST(RegionSetDeathTest, GivesConsumersMemoryThatCannotBeWritten) {
  RegionFiles files;
  const auto set = files.map(files.make(), Access::read_only);
  EXPECT_DEATH(*const_cast<volatile std::uint64_t*>(std::as_const(*set).header_words(0)) = 1, "");
}

TEST(RegionSet, LeavesNoMappingAndNoDescriptorBehind) {
  RegionFiles files;
  const RegionLayout good = files.make();
  RegionLayout bad = good;
  bad.pools[1].path += "x";
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator{});
  };
  const auto before = descriptors();
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(RegionSet::map(good, Access::read_only, files.policy()).has_value());
    EXPECT_FALSE(RegionSet::map(bad, Access::read_only, files.policy()).has_value());
  }
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(system_calls().read_text("/proc/self/maps")->find(files.base_dir()), std::string::npos);
}

}  // namespace
}  // namespace tensorpool::shm
