#include "client/metadata_book.hpp"

#include <gtest/gtest.h>

#include <span>

namespace tensorpool::detail {
namespace {

Attribute text(std::string key, std::string_view value) {
  const auto bytes = std::as_bytes(std::span(value));
  return {std::move(key), "text/plain", {bytes.begin(), bytes.end()}};
}

TEST(MetadataBook, CountsOneVersionForEachChange) {
  MetadataBook book;
  EXPECT_EQ(book.version(), 0u);
  ASSERT_TRUE(book.set_source("cam1", "left", 10));
  EXPECT_EQ(book.version(), 1u);
  ASSERT_TRUE(book.set_attribute(text("exposure_us", "100"), 20));
  EXPECT_EQ(book.version(), 2u);
  ASSERT_TRUE(book.set_attribute(text("exposure_us", "200"), 30));
  EXPECT_EQ(book.version(), 3u);
  ASSERT_TRUE(book.replace_attributes({text("a", "1"), text("b", "2"), text("c", "3")}, 40));
  EXPECT_EQ(book.version(), 4u);
  ASSERT_TRUE(book.erase_attribute("b", 50));
  EXPECT_EQ(book.version(), 5u);
  const StreamMetadata content = book.content();
  EXPECT_EQ(content.version, 5u);
  EXPECT_EQ(content.timestamp_ns, 50);
  EXPECT_EQ(content.name, "cam1");
  ASSERT_EQ(content.attributes.size(), 2u);
  EXPECT_EQ(content.find("c")->text(), "3");
  EXPECT_EQ(content.find("b"), nullptr);
}

TEST(MetadataBook, CountsNoVersionForWhatChangesNothing) {
  MetadataBook book;
  ASSERT_TRUE(book.set_source("cam1", "left", 1));
  ASSERT_TRUE(book.set_attribute(text("gain", "1"), 2));
  ASSERT_TRUE(book.set_source("cam1", "left", 3));
  ASSERT_TRUE(book.set_attribute(text("gain", "1"), 4));
  ASSERT_TRUE(book.erase_attribute("offset", 5));
  ASSERT_TRUE(book.replace_attributes({text("gain", "1")}, 6));
  EXPECT_EQ(book.version(), 2u);
  EXPECT_EQ(book.content().timestamp_ns, 2);
}

TEST(MetadataBook, RefusesWhatReadersWouldIgnoreAndKeepsWhatItHad) {
  MetadataBook book;
  ASSERT_TRUE(book.set_attribute(text("gain", "1"), 1));
  EXPECT_FALSE(book.set_attribute(text("", "1"), 2));
  EXPECT_FALSE(book.set_attribute(text(std::string(max_attribute_key_bytes + 1, 'k'), "1"), 2));
  EXPECT_FALSE(book.set_source(std::string(max_source_bytes + 1, 'n'), "", 2));
  EXPECT_FALSE(book.replace_attributes({text("a", "1"), text("a", "2")}, 2));
  const auto too_large = book.set_attribute(text("blob", std::string(max_attributes_bytes, 'x')), 2);
  ASSERT_FALSE(too_large);
  EXPECT_NE(too_large.error().message.find("65536 bytes"), std::string::npos) << too_large.error().message;
  std::vector<Attribute> many;
  for (std::size_t i = 0; i <= max_attributes; ++i) many.push_back(text("k" + std::to_string(i), ""));
  EXPECT_FALSE(book.replace_attributes(many, 2));
  many.pop_back();
  EXPECT_EQ(book.version(), 1u);
  EXPECT_EQ(book.content().attributes.size(), 1u);
  EXPECT_TRUE(book.replace_attributes(many, 3));
}

}  // namespace
}  // namespace tensorpool::detail
