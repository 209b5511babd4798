#include "apps/tp/cache_fit.hpp"

#include <gtest/gtest.h>

#include "apps/tp/test_program.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr Caches caches{1 << 20, 32 << 20, 3};

TEST(CacheFit, NamesTheSmallestCacheThatHoldsThePool) {
  EXPECT_EQ(describe({"a", 1, 8, 4096}, caches), "profile a, pool 1: 8 slots of 4096 bytes, 32.00 KiB: fits in L2");
  EXPECT_EQ(describe({"a", 1, 8, 1 << 20}, caches),
            "profile a, pool 1: 8 slots of 1048576 bytes, 8.00 MiB: fits in L3");
  EXPECT_EQ(to_json({"a", 1, 8, 1 << 20}, caches)["fits_in"], "L3");
}

TEST(CacheFit, SaysHowFarAPoolOutgrowsTheCache) {
  EXPECT_EQ(describe({"raw", 2, 1024, 4 << 20}, caches),
            "profile raw, pool 2: 1024 slots of 4194304 bytes, 4.00 GiB: 128.0 x the L3 cache: expect 2.5 to 4 x the "
            "copy time of one that fits");
  EXPECT_TRUE(to_json({"raw", 2, 1024, 4 << 20}, caches)["fits_in"].is_null());
}

TEST(CacheFit, ClaimsNothingWhereTheCachesAreUnknown) {
  EXPECT_EQ(describe({"a", 1, 8, 4096}, {}), "profile a, pool 1: 8 slots of 4096 bytes, 32.00 KiB");
  EXPECT_FALSE(to_json({"a", 1, 8, 4096}, {}).contains("fits_in"));
}

TEST(CacheFit, IsPartOfValidating) {
  const Outcome outcome =
      run("driver validate " + std::string(TENSORPOOL_SOURCE_DIR) + "/docs/examples/driver_camera_example.toml");
  EXPECT_NE(outcome.text.find("profile raw_profile, pool 2: 1024 slots of 4194304 bytes, 4.00 GiB"), std::string::npos)
      << outcome.text;
}

}  // namespace
}  // namespace tensorpool::apps::tp
