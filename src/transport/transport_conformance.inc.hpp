// The suite that both implementations of the transport pass: compiled once against the in-memory twin and once against
// Aeron. The includer defines, before the inclusion, what differs:
//   std::string conformance_dir()                     a fresh media driver's directory for one test
//   void remove_conformance_dir(const std::string&)   called when everything in it is gone
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "transport/channel_uri.hpp"
#include "transport/connection.hpp"
#include "transport/media_driver.hpp"
#include "transport/media_driver_claim.hpp"
#include "transport/publication_positions.hpp"

namespace tensorpool::transport {

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The value, or the end of the test with the error's text.
template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message;
    std::abort();
  }
  return std::move(result).value();
}

constexpr std::chrono::seconds watchdog{20};
constexpr std::int32_t stream = 1001;
constexpr const char* small_channel = "aeron:ipc?term-length=64k|sparse=false";

class TransportConformance : public testing::Test {
 protected:
  TransportConformance()
      : dir_(conformance_dir()), media_driver_(must(EmbeddedMediaDriver::start({.aeron_dir = dir_}))) {}
  ~TransportConformance() override {
    connections_.clear();
    media_driver_.reset();
    remove_conformance_dir(dir_);
  }

  Connection& connect(const std::string& name = "conformance") {
    ConnectionOptions options;
    options.aeron_dir = dir_;
    options.client_name = name;
    options.on_error = [this](int, std::string_view text) { errors_.emplace_back(text); };
    connections_.push_back(std::make_unique<Connection>(must(Connection::open(options))));
    return *connections_.back();
  }

  // Runs every connection's duty cycle until the condition holds; false when the watchdog barks.
  bool until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + watchdog;
    while (!condition()) {
      for (const auto& connection : connections_) connection->do_work();
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  bool offer(Publication& publication, std::string_view text) {
    return until([&] { return publication.offer(bytes_of(text)) == OfferResult::ok; });
  }

  std::string dir_;
  std::optional<EmbeddedMediaDriver> media_driver_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::string> errors_;
};

TEST_F(TransportConformance, DeliversMessagesInOrder) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(until([&] { return subscription.is_connected() && publication.is_connected(); }));
  std::vector<std::string> received;
  for (int i = 0; i < 2000; ++i) {  // about three terms of the log: rotations are crossed
    ASSERT_TRUE(offer(publication, "message " + std::to_string(i)));
    ASSERT_TRUE(until([&] {
      return subscription.poll([&](std::span<const std::byte> m) { received.push_back(text_of(m)); }, 10) > 0;
    }));
  }
  ASSERT_EQ(received.size(), 2000U);
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(received[static_cast<std::size_t>(i)], "message " + std::to_string(i));
  EXPECT_TRUE(errors_.empty()) << errors_.front();
}

TEST_F(TransportConformance, ConnectsTwoClients) {
  Connection& sender = connect("sender");
  Connection& receiver = connect("receiver");
  EXPECT_NE(sender.client_id(), receiver.client_id());
  Publication publication = must(sender.add_publication(small_channel, stream));
  EXPECT_EQ(publication.offer(bytes_of("early")), OfferResult::not_connected);
  EXPECT_FALSE(publication.is_connected());
  Subscription subscription = must(receiver.add_subscription(small_channel, stream));
  ASSERT_TRUE(offer(publication, "hello"));
  std::string received;
  ASSERT_TRUE(until([&] { return subscription.poll([&](auto m) { received = text_of(m); }, 1) == 1; }));
  EXPECT_EQ(received, "hello");
  EXPECT_EQ(subscription.image_count(), 1);
  EXPECT_EQ(subscription.images_joined(), 1U);
  EXPECT_EQ(subscription.images_lost(), 0U);
}

// The first frames of a camera must not be lost to a media driver that has not yet looked twice.
TEST_F(TransportConformance, LetsANewPublicationSpeakAtOnce) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  for (int i = 0; i < 100; ++i) {
    Publication publication = must(connection.add_publication(small_channel, stream));
    ASSERT_EQ(publication.offer(bytes_of("first")), OfferResult::ok) << "publication " << i;
    subscription.poll([](auto) {}, 10);
  }
}

TEST_F(TransportConformance, CutsLongMessagesAndPutsThemTogether) {
  Connection& connection = connect();
  Subscription whole = must(connection.add_subscription(small_channel, stream));
  Subscription pieces = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(until([&] { return whole.is_connected() && pieces.is_connected(); }));
  EXPECT_EQ(publication.max_payload_length(), 1376U);
  EXPECT_EQ(publication.max_message_length(), 8192U);
  for (const std::size_t length : {std::size_t{0}, std::size_t{1376}, std::size_t{1377}, std::size_t{8192}}) {
    std::string sent(length, ' ');
    for (std::size_t i = 0; i < length; ++i) sent[i] = static_cast<char>('a' + i % 23);
    ASSERT_TRUE(offer(publication, sent));
    std::optional<std::string> received;
    ASSERT_TRUE(until([&] {
      whole.poll_assembled([&](auto m) { received = text_of(m); },
                           1);  // one fragment per poll: state is kept between them
      return received.has_value();
    }));
    EXPECT_EQ(*received, sent);
    std::string joined;
    std::size_t fragments = 0;
    ASSERT_TRUE(until([&] {
      fragments += static_cast<std::size_t>(pieces.poll([&](auto m) { joined += text_of(m); }, 10));
      return joined.size() == length && fragments > 0;
    }));
    EXPECT_EQ(fragments, length == 0 ? 1 : (length + 1375) / 1376);
  }
}

TEST_F(TransportConformance, RefusesWhatIsTooLong) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  EXPECT_EQ(publication.offer(std::vector<std::byte>(8193)), OfferResult::too_long);
  bool filled = false;
  EXPECT_EQ(publication.try_claim(1377, [&](auto) { filled = true; }), OfferResult::too_long);
  EXPECT_FALSE(filled);
}

TEST_F(TransportConformance, PublishesAClaimThatWasFilledInPlace) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(until([&] {
    return publication.try_claim(5, [](std::span<std::byte> to) { std::memcpy(to.data(), "claim", 5); }) ==
           OfferResult::ok;
  }));
  std::string received;
  ASSERT_TRUE(until([&] { return subscription.poll([&](auto m) { received = text_of(m); }, 1) == 1; }));
  EXPECT_EQ(received, "claim");
}

TEST_F(TransportConformance, RetriesOncePerLogRotation) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(until([&] { return publication.is_connected() && subscription.is_connected(); }));
  const std::string text(1000, 'x');
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(until([&] {
      const OfferResult result = publication.offer(bytes_of(text));
      EXPECT_NE(result, OfferResult::admin_action);
      return result == OfferResult::ok;
    }));
    ASSERT_TRUE(until([&] { return subscription.poll([](auto) {}, 10) > 0; }));
  }
  EXPECT_LE(publication.admin_retries(), 4U);
}

TEST_F(TransportConformance, KeepsExclusivePublicationsOfOneStreamApart) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication first = must(connection.add_publication(small_channel, stream));
  Publication second = must(connection.add_publication(small_channel, stream));
  EXPECT_NE(first.session_id(), second.session_id());
  ASSERT_TRUE(until([&] { return subscription.image_count() == 2; }));
  ASSERT_TRUE(offer(first, "1"));
  ASSERT_TRUE(offer(second, "2"));
  std::string received;
  ASSERT_TRUE(until([&] {
    subscription.poll([&](auto m) { received += text_of(m); }, 1);
    return received.size() == 2;
  }));
  EXPECT_TRUE(received == "12" || received == "21") << received;
}

TEST_F(TransportConformance, SeparatesStreams) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Subscription other = must(connection.add_subscription(small_channel, stream + 1));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(offer(publication, "x"));
  ASSERT_TRUE(until([&] { return subscription.poll([](auto) {}, 1) == 1; }));
  EXPECT_EQ(other.poll([](auto) {}, 1), 0);
  EXPECT_FALSE(other.is_connected());
}

TEST_F(TransportConformance, PollsAtMostTheLimit) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(until([&] { return subscription.is_connected(); }));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(offer(publication, std::to_string(i)));
  std::string received;
  const auto append = [&](std::span<const std::byte> m) { received += text_of(m); };
  EXPECT_EQ(subscription.poll(append, 0), 0);
  EXPECT_EQ(subscription.poll(append, -1), 0);
  EXPECT_EQ(subscription.poll(append, 3), 3);
  EXPECT_EQ(received, "012");
  EXPECT_EQ(subscription.poll(append, 100), 7);
  EXPECT_EQ(received, "0123456789");
}

TEST_F(TransportConformance, ALateSubscriberSeesAllThatFollows) {
  Connection& connection = connect();
  Subscription early = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(until([&] { return early.is_connected(); }));
  ASSERT_TRUE(offer(publication, "before"));
  ASSERT_TRUE(until([&] { return early.poll([](auto) {}, 1) == 1; }));
  Subscription late = must(connection.add_subscription(small_channel, stream));
  ASSERT_TRUE(until([&] { return late.is_connected(); }));
  ASSERT_TRUE(offer(publication, "after"));
  std::string received;
  ASSERT_TRUE(until([&] {
    late.poll([&](auto m) { received += text_of(m); }, 10);
    return received.ends_with("after");
  }));
  EXPECT_TRUE(received == "after" || received == "beforeafter") << received;
}

TEST_F(TransportConformance, TellsWhatWasSentBeforeFromWhatIsSentAfter) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  Publication other = must(connection.add_publication(small_channel, stream + 1));
  ASSERT_TRUE(until([&] { return subscription.is_connected(); }));
  const std::string long_message(3000, 'x');
  ASSERT_TRUE(offer(publication, "before"));
  ASSERT_TRUE(offer(publication, long_message));
  const auto stood_at = [&] {
    const std::vector<PublicationPosition> all = must(publication_positions(dir_, stream));
    return all.size() == 1 && all[0].session_id == publication.session_id() ? all[0].position : -1;
  };
  ASSERT_TRUE(until([&] { return stood_at() == publication.position(); })) << stood_at();
  const std::int64_t start = stood_at();
  ASSERT_TRUE(offer(publication, "after"));
  std::vector<bool> sent_before;
  ASSERT_TRUE(until([&] {
    subscription.poll_assembled(
        [&](auto) {
          EXPECT_EQ(subscription.fragment_session_id(), publication.session_id());
          sent_before.push_back(subscription.fragment_position() <= start);
        },
        10);
    return sent_before.size() == 3;
  }));
  EXPECT_EQ(sent_before, (std::vector<bool>{true, true, false}));
  Subscription by_fragment = must(connection.add_subscription(small_channel, stream + 1));
  ASSERT_TRUE(until([&] { return by_fragment.is_connected(); }));
  ASSERT_TRUE(offer(other, "once"));
  ASSERT_TRUE(until([&] {
    return by_fragment.poll([&](auto) { EXPECT_EQ(by_fragment.fragment_position(), other.position()); }, 10) > 0;
  }));
  EXPECT_FALSE(publication_positions(dir_ + "-not", stream)) << "there is no media driver";
}

TEST_F(TransportConformance, PressesBackWhenTheOnlySubscriberStopsPolling) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription("aeron:ipc?tether=false", stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(until([&] { return subscription.is_connected(); }));
  const std::string text(480, 'x');  // 512 bytes of log each
  int sent = 0;
  ASSERT_TRUE(until([&] {
    const OfferResult result = publication.offer(bytes_of(text));
    if (result == OfferResult::ok) ++sent;
    return result == OfferResult::back_pressured && sent >= 48;  // the window is 32 KiB: 64 messages
  }));
  EXPECT_LE(sent, 65);
  EXPECT_EQ(publication.try_claim(8, [](auto) {}), OfferResult::back_pressured);
  int received = 0;
  ASSERT_TRUE(until([&] {
    received += subscription.poll([](auto) {}, 10);
    return received == sent;
  }));
  EXPECT_TRUE(offer(publication, "again"));
  EXPECT_EQ(subscription.images_lost(), 0U) << "a lone untethered subscriber is never evicted";
}

// The draining second subscriber is what makes eviction work: see media_driver.hpp.
TEST_F(TransportConformance, EvictsASlowUntetheredSubscriberAndLetsItJoinAgain) {
  const std::string channel = must(descriptor_publication_channel("aeron:ipc?term-length=64k"));
  const std::string reader_channel = must(descriptor_subscription_channel("aeron:ipc"));
  Connection& connection = connect();
  Subscription draining = must(connection.add_subscription(reader_channel, stream));
  Subscription slow = must(connection.add_subscription(reader_channel, stream));
  Publication publication = must(connection.add_publication(channel, stream));
  ASSERT_TRUE(until([&] { return draining.is_connected() && slow.is_connected(); }));
  const std::string text(480, 'x');
  ASSERT_TRUE(until([&] {
    publication.offer(bytes_of(text));
    draining.poll([](auto) {}, 100);
    return slow.images_lost() > 0;
  })) << "the slow subscriber is not evicted";
  ASSERT_TRUE(until([&] {
    draining.poll([](auto) {}, 100);
    return publication.offer(bytes_of(text)) == OfferResult::ok;
  })) << "the stream stays blocked after the eviction";
  EXPECT_EQ(draining.images_lost(), 0U);
  EXPECT_TRUE(slow.lost_image_of(publication.session_id(), 0));
  EXPECT_FALSE(slow.lost_image_of(publication.session_id() + 1, 0));
  EXPECT_FALSE(slow.lost_image_of(publication.session_id(), slow.images_lost()));
  ASSERT_TRUE(until([&] {
    publication.offer(bytes_of(text));
    draining.poll([](auto) {}, 100);
    return slow.images_joined() > slow.images_lost();
  })) << "the slow subscriber does not join again";
  ASSERT_TRUE(until([&] {
    publication.offer(bytes_of(text));
    draining.poll([](auto) {}, 100);
    return slow.poll([](auto) {}, 100) > 0;
  }));
}

TEST_F(TransportConformance, LosesTheImageWhenItsPublicationEnds) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  auto publication = std::make_optional(must(connection.add_publication(small_channel, stream)));
  ASSERT_TRUE(until([&] { return subscription.is_connected(); }));
  ASSERT_TRUE(offer(*publication, "last words"));
  const std::int32_t session_id = publication->session_id();
  publication.reset();
  std::string received;
  ASSERT_TRUE(until([&] {
    const auto take = [&](auto m) {
      received += text_of(m);
      EXPECT_EQ(subscription.fragment_session_id(), session_id);
    };
    subscription.poll(take, 10);
    return subscription.images_lost() == 1;
  }));
  EXPECT_EQ(received, "last words");
  EXPECT_EQ(subscription.image_count(), 0);
}

TEST_F(TransportConformance, NoticesThatASubscriberLeft) {
  Connection& connection = connect();
  auto subscription = std::make_optional(must(connection.add_subscription(small_channel, stream)));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(until([&] { return publication.is_connected(); }));
  subscription.reset();
  ASSERT_TRUE(until([&] { return !publication.is_connected(); }));
  // Aeron takes messages until its media driver has lowered the limit, a duty cycle later.
  EXPECT_TRUE(until([&] { return publication.offer(bytes_of("x")) == OfferResult::not_connected; }));
}

TEST_F(TransportConformance, ClosesWhenTheMediaDriverEnds) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  Counter counter = must(connection.add_counter(1001, {}, "survivor"));
  ASSERT_TRUE(offer(publication, "x"));
  EXPECT_FALSE(connection.is_closed());
  media_driver_.reset();
  ASSERT_TRUE(until([&] { return connection.is_closed(); }));
  EXPECT_NE(connection.last_error().find("MediaDriver"), std::string::npos) << connection.last_error();
  EXPECT_EQ(publication.offer(bytes_of("y")), OfferResult::closed);
  EXPECT_EQ(publication.try_claim(1, [](auto) {}), OfferResult::closed);
  EXPECT_FALSE(publication.is_connected());
  EXPECT_EQ(subscription.poll([](auto) {}, 10), 0);
  EXPECT_EQ(subscription.poll_assembled([](auto) {}, 10), 0);
  EXPECT_EQ(subscription.image_count(), 0);
  counter.set(7);
  EXPECT_EQ(connection.do_work(), 0);
  const auto refused = connection.add_publication(small_channel, stream);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::closed);
  EXPECT_EQ(errors_.size(), 1U);
}

TEST_F(TransportConformance, ServesANewMediaDriverAfterTheOldOne) {
  connect();
  media_driver_.reset();
  ASSERT_TRUE(until([&] { return connections_.front()->is_closed(); }));
  connections_.clear();
  media_driver_ = must(EmbeddedMediaDriver::start({.aeron_dir = dir_}));
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(offer(publication, "x"));
  ASSERT_TRUE(until([&] { return subscription.poll([](auto) {}, 1) == 1; }));
}

TEST_F(TransportConformance, ObjectsMayOutliveTheirConnection) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  Counter counter = must(connection.add_counter(1001, {}, "orphan"));
  ASSERT_TRUE(offer(publication, "x"));
  connections_.clear();
  EXPECT_EQ(publication.offer(bytes_of("y")), OfferResult::closed);
  EXPECT_TRUE(publication.is_closed());
  EXPECT_EQ(subscription.poll([](auto) {}, 10), 0);
  EXPECT_TRUE(subscription.is_closed());
  counter.add(1);
  media_driver_.reset();  // and even the media driver
  EXPECT_EQ(publication.offer(bytes_of("z")), OfferResult::closed);
  EXPECT_EQ(subscription.poll([](auto) {}, 10), 0);
}

TEST_F(TransportConformance, EmptyObjectsAreClosed) {
  Publication publication;
  Subscription subscription;
  Counter counter;
  EXPECT_EQ(publication.offer(bytes_of("x")), OfferResult::closed);
  EXPECT_EQ(publication.try_claim(1, [](auto) {}), OfferResult::closed);
  EXPECT_EQ(subscription.poll([](auto) {}, 1), 0);
  counter.set(1);
  EXPECT_EQ(counter.get(), 0);
  EXPECT_EQ(counter.id(), -1);
  Connection& connection = connect();
  publication = must(connection.add_publication(small_channel, stream));
  subscription = must(connection.add_subscription(small_channel, stream));
  EXPECT_TRUE(offer(publication, "x"));
  publication = Publication();
  subscription = Subscription();
  connection.close();
  EXPECT_TRUE(connection.is_closed());
  EXPECT_EQ(connection.do_work(), 0);
}

// A conductor's thread runs the duty cycle while an application's thread polls and offers; images come and go
// meanwhile.
TEST_F(TransportConformance, PollsOnAnotherThreadWhileImagesComeAndGo) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  std::atomic<int> received{0};
  std::atomic<bool> stop{false};
  std::thread poller([&] {
    while (!stop.load()) {
      received.fetch_add(subscription.poll_assembled([](auto) {}, 10));
      std::this_thread::yield();
    }
  });
  int sent = 0;
  for (int round = 0; round < 20; ++round) {
    Publication publication = must(connection.add_publication(small_channel, stream));
    const std::string text(100 * static_cast<std::size_t>(round), 'x');
    EXPECT_TRUE(offer(publication, text));
    sent += text.size() > 1376 ? 2 : 1;
  }
  EXPECT_TRUE(until([&] { return received.load() == sent && subscription.image_count() == 0; }))
      << received.load() << " of " << sent << ", images " << subscription.image_count();
  stop.store(true);
  poller.join();
}

TEST_F(TransportConformance, OffersOnAnotherThread) {
  Connection& connection = connect();
  Subscription subscription = must(connection.add_subscription(small_channel, stream));
  Publication publication = must(connection.add_publication(small_channel, stream));
  ASSERT_TRUE(until([&] { return publication.is_connected(); }));
  constexpr int messages = 2000;
  std::thread sender([&] {
    for (int i = 0; i < messages;) {
      if (publication.offer(bytes_of(std::to_string(i))) == OfferResult::ok) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  int expected = 0;
  EXPECT_TRUE(until([&] {
    subscription.poll([&](auto m) { EXPECT_EQ(text_of(m), std::to_string(expected++)); }, 10);
    return expected == messages;
  }));
  sender.join();
}

TEST_F(TransportConformance, CountersCanBeReadFromOutside) {
  Connection& connection = connect();
  const std::string key = "key";
  Counter counter = must(connection.add_counter(1003, bytes_of(key), "frames published"));
  counter.set(40);
  counter.add(2);
  EXPECT_EQ(counter.get(), 42);
  const std::vector<CounterValue> counters = must(read_counters(dir_));
  const auto found =
      std::find_if(counters.begin(), counters.end(), [&](const auto& c) { return c.id == counter.id(); });
  ASSERT_NE(found, counters.end());
  EXPECT_EQ(found->type_id, 1003);
  EXPECT_EQ(found->label, "frames published");
  EXPECT_EQ(found->value, 42);
  EXPECT_EQ(text_of(found->key).substr(0, 3), "key");
  EXPECT_EQ(found->owner_client_id, connection.client_id());
}

TEST_F(TransportConformance, GrantsACounterBetweenDutyCycles) {
  Connection& connection = connect();
  PendingCounter pending = must(connection.begin_counter(1004, {}, "asked for"));
  std::optional<Counter> counter;
  ASSERT_TRUE(until([&] {
    counter = must(pending.poll());
    return counter.has_value();
  }));
  counter->set(5);
  const std::vector<CounterValue> counters = must(read_counters(dir_));
  const auto found = std::find_if(counters.begin(), counters.end(), [](const auto& c) { return c.type_id == 1004; });
  ASSERT_NE(found, counters.end());
  EXPECT_EQ(found->value, 5);
  { const PendingCounter given_up = must(connection.begin_counter(1005, {}, "nobody waits")); }
  EXPECT_TRUE(connection.add_counter(1006, {}, "and the connection goes on"));
}

TEST_F(TransportConformance, RefusesCountersOfAeronsOwnTypes) {
  Connection& connection = connect();
  EXPECT_FALSE(connection.add_counter(999, {}, "x"));
  EXPECT_FALSE(connection.add_counter(1000, std::vector<std::byte>(113), "x"));
  EXPECT_TRUE(connection.add_counter(1000, std::vector<std::byte>(112), std::string(1000, 'l')));
}

TEST_F(TransportConformance, RefusesABadChannel) {
  Connection& connection = connect();
  const auto publication = connection.add_publication("aeron:ipc?term-length=3m", stream);
  ASSERT_FALSE(publication);
  EXPECT_EQ(publication.error().code, ErrorCode::invalid_argument) << publication.error().message;
  EXPECT_NE(publication.error().message.find("term-length=3m stream 1001"), std::string::npos)
      << publication.error().message;
  const auto subscription = connection.add_subscription("smoke signals", stream);
  ASSERT_FALSE(subscription);
  EXPECT_NE(subscription.error().message.find("smoke signals"), std::string::npos) << subscription.error().message;
  EXPECT_FALSE(connection.is_closed());
}

TEST_F(TransportConformance, GrantsANumberToOneAtATime) {
  {
    const MediaDriverClaim claim = must(MediaDriverClaim::take(dir_, 1000));
    const auto second = MediaDriverClaim::take(dir_, 1000);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::already_exists) << second.error().message;
    EXPECT_TRUE(MediaDriverClaim::take(dir_, 4'294'967'294U)) << "another number is free";
  }
  EXPECT_TRUE(MediaDriverClaim::take(dir_, 1000)) << "and so is one that was given back";
  const MediaDriverClaim old = must(MediaDriverClaim::take(dir_, 1000));
  media_driver_.reset();
  EXPECT_FALSE(MediaDriverClaim::take(dir_, 1000));
  media_driver_.emplace(must(EmbeddedMediaDriver::start({.aeron_dir = dir_})));
  EXPECT_TRUE(MediaDriverClaim::take(dir_, 1000)) << "another media driver, another right";
}

TEST_F(TransportConformance, RefusesASecondMediaDriver) {
  const auto second = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::already_exists);
  EXPECT_NE(second.error().message.find("process " + std::to_string(::getpid())), std::string::npos)
      << second.error().message;
  EXPECT_TRUE(media_driver_->alive());
  EXPECT_EQ(probe_media_driver(dir_).state, MediaDriverState::alive);
  Connection& connection = connect();
  EXPECT_GE(connection.do_work(), 0);
}

TEST_F(TransportConformance, SaysThatThereIsNoMediaDriver) {
  media_driver_.reset();
  EXPECT_EQ(probe_media_driver(dir_).state, MediaDriverState::absent);
  const auto connection = Connection::open({.aeron_dir = dir_});
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::unavailable);
  EXPECT_NE(connection.error().message.find(dir_), std::string::npos) << connection.error().message;
  EXPECT_FALSE(read_counters(dir_));
}

}  // namespace tensorpool::transport
