#include "protocol/region_uri.hpp"

#include <gtest/gtest.h>

namespace tensorpool::protocol {
namespace {

void expect_parsed(std::string_view text, const RegionUri& expected) {
  const auto uri = parse_region_uri(text);
  ASSERT_TRUE(uri.has_value()) << uri.error().message;
  EXPECT_EQ(*uri, expected);
}

// The error names the URI, what is wrong, and the byte where it is.
void expect_refused(std::string_view text, std::string_view what, std::size_t offset) {
  const auto uri = parse_region_uri(text);
  ASSERT_FALSE(uri.has_value()) << text;
  EXPECT_EQ(uri.error().code, ErrorCode::invalid_argument);
  const std::string ending = ", at byte " + std::to_string(offset);
  EXPECT_TRUE(uri.error().message.starts_with("region URI \"")) << uri.error().message;
  EXPECT_NE(uri.error().message.find(what), std::string::npos) << uri.error().message;
  EXPECT_TRUE(uri.error().message.ends_with(ending)) << uri.error().message << " / " << ending;
}

// spec: wire 1.2, region URIs
TEST(RegionUri, NamesAPathAndWhetherHugepagesAreRequired) {
  expect_parsed("shm:file?path=/dev/shm/tensorpool-u/default/10000/1/header.ring",
                {"/dev/shm/tensorpool-u/default/10000/1/header.ring", std::nullopt});
  expect_parsed("shm:file?path=/a|require_hugepages=true", {"/a", true});
  expect_parsed("shm:file?path=/a|require_hugepages=false", {"/a", false});
  expect_parsed("shm:file?require_hugepages=true|path=/a", {"/a", true});
  expect_parsed("shm:file?path=/a b/c=d?e/..f/.g/h..", {"/a b/c=d?e/..f/.g/h..", std::nullopt});
}

TEST(RegionUri, RefusesAnotherScheme) {
  for (const std::string_view text :
       {"", "shm:file", "shm:fil?path=/a", "SHM:file?path=/a", " shm:file?path=/a", "/a"}) {
    expect_refused(text, "does not start with", 0);
  }
}

TEST(RegionUri, RefusesUnknownRepeatedAndMissingKeys) {
  expect_refused("shm:file?", "expected key=value", 9);
  expect_refused("shm:file?path", "expected key=value", 9);
  expect_refused("shm:file?path=/a|", "expected key=value", 17);
  expect_refused("shm:file?path=/a||require_hugepages=true", "expected key=value", 17);
  expect_refused("shm:file?path=/a|huge=1", "unknown key", 17);
  expect_refused("shm:file?Path=/a", "unknown key", 9);
  expect_refused("shm:file?=/a", "unknown key", 9);
  expect_refused("shm:file? path=/a", "unknown key", 9);
  expect_refused("shm:file?path=/a|path=/a", "there twice", 17);
  expect_refused("shm:file?require_hugepages=true|path=/a|require_hugepages=true", "there twice", 40);
  expect_refused("shm:file?require_hugepages=true", "\"path\" is missing", 31);
  expect_refused("shm:file?path=/a&require_hugepages=true|x", "expected key=value", 40);
}

TEST(RegionUri, RefusesAValueThatIsNoBoolean) {
  for (const std::string_view value : {"", "1", "True", "TRUE", "yes", "true ", "falsee"}) {
    expect_refused("shm:file?path=/a|require_hugepages=" + std::string(value), "neither true nor false", 35);
  }
}

TEST(RegionUri, RefusesAPathThatIsNotAbsoluteAndNormal) {
  expect_refused("shm:file?path=", "not absolute", 14);
  expect_refused("shm:file?path=a/b", "not absolute", 14);
  expect_refused("shm:file?path=./a", "not absolute", 14);
  expect_refused("shm:file?path=/", "is empty", 15);
  expect_refused("shm:file?path=//a", "is empty", 15);
  expect_refused("shm:file?path=/a//b", "is empty", 17);
  expect_refused("shm:file?path=/a/", "is empty", 17);
  expect_refused("shm:file?path=/a/../b", "\"..\"", 17);
  expect_refused("shm:file?path=/..", "\"..\"", 15);
  expect_refused("shm:file?path=/a/.", "\"..\"", 17);
}

TEST(RegionUri, RefusesControlCharactersAnywhere) {
  using namespace std::string_view_literals;
  expect_refused("shm:file?path=/a\0b"sv, "control character", 16);
  expect_refused("shm:file?path=/a\n"sv, "control character", 16);
  expect_refused("shm:\tfile?path=/a"sv, "control character", 4);
  expect_refused("shm:file?path=/\x7F"sv, "control character", 15);
  expect_parsed("shm:file?path=/caf\xC3\xA9", {"/caf\xC3\xA9", std::nullopt});
}

TEST(RegionUri, RefusesMoreThanItsLength) {
  std::string text = "shm:file?path=/";
  text.append(max_region_uri_length - text.size(), 'a');
  EXPECT_TRUE(parse_region_uri(text).has_value());
  expect_refused(text + 'a', "longer than 4096 bytes", 4096);
  EXPECT_LT(parse_region_uri(text + 'a').error().message.size(), 300U);
}

TEST(RegionUri, FormatsWhatItParses) {
  for (const std::string_view text : {"shm:file?path=/a/b.ring", "shm:file?path=/a|require_hugepages=true",
                                      "shm:file?path=/a|require_hugepages=false"}) {
    EXPECT_EQ(format_region_uri(*parse_region_uri(text)), text);
  }
}

TEST(RegionPath, IsWhatAUriCanHold) {
  EXPECT_TRUE(check_region_path("/dev/shm/x").has_value());
  EXPECT_TRUE(check_region_path("/" + std::string(max_region_path_length - 1, 'a')).has_value());
  for (const std::string& path : {std::string("a"), std::string("/a|b"), std::string("/a/../b"), std::string("/a\n"),
                                  "/" + std::string(max_region_path_length, 'a')}) {
    EXPECT_FALSE(check_region_path(path).has_value()) << path;
  }
  EXPECT_EQ(check_region_path("/a|b").error().message,
            "region path \"/a|b\": a '|', which a region URI cannot hold, at byte 2");
}

}  // namespace
}  // namespace tensorpool::protocol
