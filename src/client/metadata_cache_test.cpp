#include "client/metadata_cache.hpp"

#include <gtest/gtest.h>

namespace tensorpool::detail {
namespace {

constexpr Nanos silence = 5 * nanos_per_second;

protocol::DataSourceAnnounce announce(std::uint32_t stream, std::uint64_t epoch, std::uint32_t version) {
  return {stream, 70, epoch, version, "cam" + std::to_string(stream), "summary"};
}
protocol::DataSourceMeta meta(std::uint32_t stream, std::uint32_t version, std::string key = "gain") {
  return {stream, version, 5, {{std::move(key), "text/plain", {std::byte{'1'}}}}};
}

class MetadataCacheTest : public testing::Test {
 protected:
  MetadataCache cache{{}, silence};
};

TEST_F(MetadataCacheTest, CompletesAVersionFromAnnounceAndAttributes) {
  EXPECT_EQ(cache.on(announce(1, 10, 3), 0), nullptr);
  EXPECT_EQ(cache.find(1), nullptr);
  const StreamMetadata* const news = cache.on(meta(1, 3), 0);
  ASSERT_NE(news, nullptr);
  EXPECT_EQ(news->version, 3u);
  EXPECT_EQ(news->epoch, 10u);
  EXPECT_EQ(news->name, "cam1");
  EXPECT_EQ(news->find("gain")->text(), "1");
  EXPECT_EQ(*cache.find(1)->find("gain"), *news->find("gain"));
}

TEST_F(MetadataCacheTest, TakesTheTwoInEitherOrder) {
  EXPECT_EQ(cache.on(meta(1, 1), 0), nullptr);
  EXPECT_NE(cache.on(announce(1, 10, 1), 0), nullptr);
  EXPECT_EQ(cache.on(meta(1, 2), 0), nullptr);
  EXPECT_EQ(cache.find(1)->version, 1u);
  EXPECT_NE(cache.on(announce(1, 10, 2), 0), nullptr);
}

TEST_F(MetadataCacheTest, IsSilentAboutRepeats) {
  cache.on(announce(1, 10, 1), 0);
  EXPECT_NE(cache.on(meta(1, 1), 0), nullptr);
  EXPECT_EQ(cache.on(announce(1, 10, 1), 1), nullptr);
  EXPECT_EQ(cache.on(meta(1, 1), 1), nullptr);
  EXPECT_EQ(cache.stats().announces, 2u);
  EXPECT_EQ(cache.stats().outdated, 0u);
}

TEST_F(MetadataCacheTest, IgnoresOlderVersionsAndEpochs) {
  cache.on(announce(1, 10, 5), 0);
  cache.on(meta(1, 5), 0);
  EXPECT_EQ(cache.on(announce(1, 10, 4), 1), nullptr);
  EXPECT_EQ(cache.on(meta(1, 4), 1), nullptr);
  EXPECT_EQ(cache.on(announce(1, 9, 6), 1), nullptr);
  EXPECT_EQ(cache.stats().outdated, 3u);
  EXPECT_EQ(cache.find(1)->version, 5u);
}

TEST_F(MetadataCacheTest, LetsANewEpochBeginAgainAndNeverMixesTheTwo) {
  cache.on(announce(1, 10, 1), 0);
  cache.on(meta(1, 1, "old"), 0);
  EXPECT_EQ(cache.on(announce(1, 11, 1), 1), nullptr) << "with the attributes of the former producer";
  EXPECT_EQ(cache.find(1)->epoch, 10u);
  const StreamMetadata* const news = cache.on(meta(1, 1, "new"), 1);
  ASSERT_NE(news, nullptr);
  EXPECT_EQ(news->epoch, 11u);
  EXPECT_NE(news->find("new"), nullptr);
}

TEST_F(MetadataCacheTest, RecoversFromAForgedEpochWhenItsSenderIsSilent) {
  cache.on(announce(1, ~std::uint64_t{0}, 9), 0);
  EXPECT_EQ(cache.on(announce(1, 10, 1), 1), nullptr);
  cache.on(announce(1, 10, 1), silence);
  EXPECT_NE(cache.on(meta(1, 1), silence), nullptr);
}

TEST_F(MetadataCacheTest, RecoversFromForgedAttributesOfAVersionToCome) {
  cache.on(announce(1, 10, 1), 0);
  EXPECT_EQ(cache.on(meta(1, 4000000000), 0), nullptr);
  EXPECT_NE(cache.on(meta(1, 1), 0), nullptr);
}

TEST_F(MetadataCacheTest, IgnoresAndCountsWhatIsTooMuch) {
  auto wide = meta(1, 1);
  wide.attributes[0].value.resize(max_attributes_bytes);
  cache.on(wide, 0);
  auto many = meta(1, 1);
  many.attributes.resize(max_attributes + 1);
  cache.on(many, 0);
  auto long_name = announce(1, 10, 1);
  long_name.summary.assign(max_source_bytes, 's');
  cache.on(long_name, 0);
  EXPECT_EQ(cache.stats().over_limit, 3u);
  EXPECT_EQ(cache.find(1), nullptr);
}

TEST_F(MetadataCacheTest, KeepsABoundedNumberOfStreamsAndLetsASilentOneGo) {
  for (std::uint32_t stream = 1; stream <= max_metadata_streams + 1; ++stream) {
    cache.on(announce(stream, 10, 1), stream);
    cache.on(meta(stream, 1), stream);
  }
  EXPECT_EQ(cache.all().size(), max_metadata_streams);
  EXPECT_EQ(cache.stats().over_limit, 2u);
  const Nanos later = silence + 1;
  cache.on(announce(9999, 10, 1), later);
  EXPECT_NE(cache.on(meta(9999, 1), later), nullptr);
  EXPECT_EQ(cache.find(1), nullptr);
  EXPECT_NE(cache.find(2), nullptr);
}

TEST(MetadataCacheOfOneStream, LooksAtNoOther) {
  MetadataCache one({5}, silence);
  one.on(announce(6, 10, 1), 0);
  one.on(meta(6, 1), 0);
  one.on_blob(6);
  EXPECT_TRUE(one.all().empty());
  EXPECT_EQ(one.stats().announces + one.stats().blobs_ignored, 0u);
  one.on_blob(5);
  EXPECT_EQ(one.stats().blobs_ignored, 1u);
}

}  // namespace
}  // namespace tensorpool::detail
