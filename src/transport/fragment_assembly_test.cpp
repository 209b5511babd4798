#include "transport/fragment_assembly.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tensorpool::transport {
namespace {

// Feeds fragments as they would lie in a log, 100 positions apart.
class Feed {
 public:
  std::string add(std::int32_t session, std::int64_t at, std::string_view text, bool begins, bool ends) {
    const auto* const data = reinterpret_cast<const std::byte*>(text.data());
    const auto message = assembly_.add({session, at * 100, at * 100 + 100, begins, ends, {data, text.size()}});
    return message ? std::string(reinterpret_cast<const char*>(message->data()), message->size()) : "-";
  }
  FragmentAssembly& assembly() { return assembly_; }

 private:
  FragmentAssembly assembly_;
};

TEST(FragmentAssembly, PassesWholeMessagesOn) {
  Feed feed;
  EXPECT_EQ(feed.add(1, 0, "abc", true, true), "abc");
  EXPECT_EQ(feed.add(1, 1, "", true, true), "");
  EXPECT_EQ(feed.assembly().partial_messages(), 0U);
}

TEST(FragmentAssembly, JoinsFragmentsOfInterleavedSessions) {
  Feed feed;
  EXPECT_EQ(feed.add(1, 0, "ab", true, false), "-");
  EXPECT_EQ(feed.add(2, 7, "AB", true, false), "-");
  EXPECT_EQ(feed.add(1, 1, "cd", false, false), "-");
  EXPECT_EQ(feed.add(2, 8, "CD", false, true), "ABCD");
  EXPECT_EQ(feed.add(1, 2, "ef", false, true), "abcdef");
  EXPECT_EQ(feed.assembly().partial_messages(), 0U);
}

TEST(FragmentAssembly, DropsAMessageWithAGap) {
  Feed feed;
  EXPECT_EQ(feed.add(1, 0, "ab", true, false), "-");
  EXPECT_EQ(feed.add(1, 2, "ef", false, true), "-");
  EXPECT_EQ(feed.add(1, 3, "gh", false, true), "-");
  EXPECT_EQ(feed.add(1, 4, "xy", true, true), "xy");
}

TEST(FragmentAssembly, StartsOverWhenAMessageNeverEnds) {
  Feed feed;
  EXPECT_EQ(feed.add(1, 0, "lost", true, false), "-");
  EXPECT_EQ(feed.add(1, 5, "ab", true, false), "-");
  EXPECT_EQ(feed.add(1, 6, "cd", false, true), "abcd");
}

TEST(FragmentAssembly, BoundsTheLengthOfAMessage) {
  Feed feed;
  const std::string half(max_assembled_bytes / 2, 'x');
  EXPECT_EQ(feed.add(1, 0, half, true, false), "-");
  EXPECT_EQ(feed.add(1, 1, half, false, false), "-");
  EXPECT_EQ(feed.add(1, 2, "x", false, true), "-");
  EXPECT_EQ(feed.assembly().too_long(), 1U);
  EXPECT_EQ(feed.assembly().partial_messages(), 0U);
}

TEST(FragmentAssembly, BoundsTheNumberOfUnfinishedMessages) {
  Feed feed;
  constexpr auto sessions = static_cast<std::int32_t>(FragmentAssembly::max_partial_messages) + 1;
  for (std::int32_t session = 0; session < sessions; ++session) feed.add(session, 0, "a", true, false);
  EXPECT_EQ(feed.assembly().partial_messages(), FragmentAssembly::max_partial_messages);
  EXPECT_EQ(feed.add(0, 1, "b", false, true), "-");
  EXPECT_EQ(feed.add(sessions - 1, 1, "b", false, true), "ab");
}

}  // namespace
}  // namespace tensorpool::transport
