#include "shm/listing.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/temp_dir.hpp"

namespace tensorpool::shm {
namespace {

namespace fs = std::filesystem;
using Kind = ListedEntry::Kind;

// A user that is neither this one nor root.
Owners strangers_only() { return {{::geteuid() + 54321}, false}; }

TEST(Listing, SaysWhatEachEntryIsAndFollowsNoLink) {
  const TempDir dir;
  fs::create_directory(dir.path() + "/a");
  std::ofstream(dir.path() + "/b") << "x";
  fs::create_directory_symlink("/tmp", dir.path() + "/c");
  ASSERT_EQ(::mkfifo((dir.path() + "/d").c_str(), 0600), 0);
  Listing listing;
  const auto entries = listing.entries_of(dir.path());
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].kind, Kind::directory);
  EXPECT_EQ(entries[1].kind, Kind::file);
  EXPECT_EQ(entries[2].kind, Kind::other);
  EXPECT_EQ(entries[3].kind, Kind::other);
  EXPECT_EQ(listing.entries_of(dir.path(), "b").size(), 1U);
  EXPECT_TRUE(listing.skipped().empty());
  EXPECT_FALSE(listing.list(dir.path() + "/c").has_value()) << "a link";
  EXPECT_FALSE(listing.list(dir.path() + "/b").has_value()) << "a file";
}

TEST(Listing, SkipsAndNamesWhatBelongsToOthers) {
  const TempDir dir;
  fs::create_directory(dir.path() + "/evil\x1b[2J\n");
  Listing listing(strangers_only());
  EXPECT_TRUE(listing.entries_of(dir.path()).empty());
  const auto lines = listing.describe_skipped();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("/evil\\x1b[2J\\x0a: it belongs to user "), std::string::npos) << lines[0];

  Listing any(Owners{{}, true});
  EXPECT_EQ(any.entries_of(dir.path()).size(), 1U);
  Listing named(strangers_only());
  named.accept_owner_of(dir.path());
  EXPECT_EQ(named.entries_of(dir.path()).size(), 1U);
}

TEST(Listing, BoundsTheEntriesOfAWalkAndTheNamesThatItSkips) {
  const TempDir dir;
  for (int i = 0; i < 40; ++i) fs::create_directory(dir.path() + "/" + std::to_string(i));
  Listing foreign(strangers_only());
  EXPECT_TRUE(foreign.entries_of(dir.path()).empty());
  EXPECT_EQ(foreign.describe_skipped().size(), Listing::most_named + 1);
  EXPECT_EQ(foreign.describe_skipped().back(), "skipped 24 more");

  Listing bounded({}, 10);
  EXPECT_EQ(bounded.entries_of(dir.path()).size(), 10U);
  EXPECT_TRUE(bounded.entries_of(dir.path()).empty()) << "the bound is that of the whole walk";
  EXPECT_EQ(bounded.skipped().size(), 2U);
}

}  // namespace
}  // namespace tensorpool::shm
