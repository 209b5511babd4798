// Attaching over real Aeron: what works, and what a user reads when it does not.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/flow/pattern.hpp"
#include "apps/support/exit_code.hpp"
#include "base/unique_fd.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

class Attach : public RigTest {};

// Polls until `count` whole frames came; the bytes of each are compared with what its sequence number says.
struct Received {
  std::vector<std::size_t> sizes;
  std::vector<std::uint64_t> seqs;
  std::size_t wrong = 0;
};

Received receive(Consumer& consumer, std::size_t count) {
  Received received;
  const bool came = eventually([&] {
    consumer.poll([&](const Frame& frame) {
      std::vector<std::byte> copy(frame.size_bytes());
      if (!frame.copy_to(copy)) return;
      received.sizes.push_back(copy.size());
      received.seqs.push_back(frame.seq());
      received.wrong += apps::find_pattern_fault(copy, frame.seq()) ? 1U : 0U;
    });
    return received.sizes.size() >= count;
  });
  EXPECT_TRUE(came) << received.sizes.size() << " of " << count << " frames came";
  return received;
}

std::string refusal(Client& client, const ProducerOptions& options) {
  const auto producer = client.attach_producer(options);
  return producer ? "attached" : producer.error().message;
}

std::string refusal(Client& client, const ConsumerOptions& options) {
  const auto consumer = client.attach_consumer(options);
  return consumer ? "attached" : consumer.error().message;
}

// What a user types who publishes or consumes with the rig's configuration.
std::vector<std::vector<std::string>> tp_commands(const Rig& rig) {
  const std::string stream = std::to_string(Rig::stream);
  return {{TP_BINARY, "publish", "pattern", "--config", rig.config_path(), "--stream", stream, "--bytes", "4000"},
          {TP_BINARY, "consume", "--config", rig.config_path(), "--stream", stream}};
}

// A port of localhost where nobody listens.
int free_udp_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  return ntohs(address.sin_port);
}

TEST_F(Attach, CarriesFramesThroughThreePoolsByteForByte) {
  rig({.nslots = 32, .pools = {{1, 1024}, {2, 65536}, {3, 1 << 20}}}).start();
  Client sender = rig().connect("sender");
  Client receiver = rig().connect("receiver");
  auto producer = sender.attach_producer({.stream_id = Rig::stream});
  auto consumer = receiver.attach_consumer({.stream_id = Rig::stream, .start = StartAt::oldest});
  ASSERT_TRUE(producer && consumer);
  const std::vector<std::size_t> sizes{1, 1024, 1025, 65536, 65537, 1 << 20, 8, 4096, 512};
  for (const std::size_t size : sizes) EXPECT_TRUE(is_committed(publish_pattern(*producer, size)));
  EXPECT_EQ(publish_pattern(*producer, (1 << 20) + 1), PublishStatus::too_large);
  const Received received = receive(*consumer, sizes.size());
  EXPECT_EQ(received.sizes, sizes);
  EXPECT_EQ(received.wrong, 0U);
  EXPECT_EQ(consumer->stats().lost_total(), 0U);
}

TEST_F(Attach, GivesALateJoinerTheLatestFrameAtOnce) {
  rig().start();
  Client client = rig().connect("sender");
  auto producer = client.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer);
  for (int frame = 0; frame < 20; ++frame) publish_pattern(*producer, 4000);
  Client late = rig().connect("late");
  auto consumer = late.attach_consumer({.stream_id = Rig::stream});
  ASSERT_TRUE(consumer);
  EXPECT_EQ(receive(*consumer, 1).seqs.front(), 19U);
}

TEST_F(Attach, GivesEachProducerALaterEpoch) {
  rig().start();
  Client client = rig().connect("sender");
  std::uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    auto producer = client.attach_producer({.stream_id = Rig::stream});
    ASSERT_TRUE(producer) << producer.error().message;
    publish_pattern(*producer, 100);
    const ProducerStats stats = producer->stats();
    EXPECT_GT(stats.epoch, last);
    EXPECT_EQ(stats.epoch, rig().epoch_of(Rig::stream));
    EXPECT_EQ(stats.next_seq, 1U) << "each epoch starts at sequence 0";
    last = stats.epoch;
    { auto gone = std::move(*producer); }
    ASSERT_TRUE(eventually([&] { return rig().epoch_of(Rig::stream) > last; })) << "no idle epoch after the detach";
    last = rig().epoch_of(Rig::stream);
  }
}

TEST_F(Attach, RefusesByTheTextsOfTheProtocol) {
  rig().start();
  Client client = rig().connect("first");
  ClientOptions at_once = rig().client_options("second");
  at_once.predecessor_ns = 0;
  Client other = Client::connect(at_once).value();
  const auto producer = client.attach_producer({.stream_id = Rig::stream, .client_id = 7});
  ASSERT_TRUE(producer);
  using P = ProducerOptions;
  using C = ConsumerOptions;
  const auto ends_with = [](const std::string& message, const std::string& end) {
    EXPECT_NE(message.find(": " + end + " ("), std::string::npos) << message;
  };
  ends_with(refusal(other, P{.stream_id = Rig::stream}), "producer already attached");
  ends_with(refusal(other, C{.stream_id = Rig::stream, .client_id = 7}), "client_id already attached");
  ends_with(refusal(other, C{.stream_id = 4242}), "stream not provisioned");
  ends_with(refusal(other, C{.stream_id = Rig::stream, .expected_layout_version = 2}), "layout_version mismatch");
  EXPECT_EQ(rig().driver_status().counts.refusals, 4U);
  EXPECT_EQ(rig().driver_status().leases.size(), 1U) << "a refused attach left a lease";
}

TEST_F(Attach, SaysAtOnceThatThereIsNoMediaDriver) {
  const std::string what = "there is no media driver in " + rig().aeron_dir() + ": no such directory";
  const Stopwatch library;
  const auto client = Client::connect(rig().client_options("alone"));
  EXPECT_LT(library.ms(), generous_ms(0));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::unavailable) << client.error().message;
  EXPECT_NE(client.error().message.find(what), std::string::npos) << client.error().message;
  for (const auto& command : tp_commands(rig())) {
    const Stopwatch program;
    Child child(command);
    EXPECT_EQ(child.wait(), apps::exit_unavailable) << child.output();
    EXPECT_LT(program.ms(), generous_ms(0));
    EXPECT_TRUE(child.said("tp: " + what)) << child.output();
  }
}

// What is wrong with a client that nobody answers is in its error: where it asked, on which channel and stream, for how
// long, and what to look at.
void expect_all_tried(const std::string& message, const Rig& rig, const std::string& channel, int stream_id, int ms) {
  for (const std::string& part :
       {fmt::format("of stream {}: no attachment within {} ms", Rig::stream, ms),
        fmt::format("(aeron directory {}, control channel {} stream {})", rig.aeron_dir(), channel, stream_id),
        std::string("Nobody answered: is a tensorpool driver running in this aeron directory")}) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks " << part;
  }
}

TEST_F(Attach, SaysWhatItTriedWhenNobodyAnswers) {
  rig().start();
  const ChannelOptions right = rig().client_options("").control;
  const ChannelOptions another_stream{right.channel, 4711};
  const ChannelOptions another_channel{fmt::format("aeron:udp?endpoint=localhost:{}", free_udp_port()),
                                       right.stream_id};
  for (const ChannelOptions& wrong : {another_stream, another_channel}) {
    ClientOptions options = rig().client_options("lost");
    options.control = wrong;
    options.announce = wrong;
    options.attach_timeout_ns = 300 * nanos_per_milli;
    auto client = Client::connect(options);
    ASSERT_TRUE(client) << client.error().message;
    const Stopwatch asking;
    const auto producer = client->attach_producer({.stream_id = Rig::stream});
    EXPECT_LT(asking.ms(), generous_ms(300));
    ASSERT_FALSE(producer);
    EXPECT_EQ(producer.error().code, ErrorCode::timed_out);
    expect_all_tried(producer.error().message, rig(), wrong.channel, wrong.stream_id, 300);
    const auto consumer = client->attach_consumer({.stream_id = Rig::stream});
    ASSERT_FALSE(consumer);
    EXPECT_EQ(consumer.error().code, ErrorCode::timed_out);
    expect_all_tried(consumer.error().message, rig(), wrong.channel, wrong.stream_id, 300);
  }
}

// An alias is a name in Aeron's tools; it does not make another channel of it.
TEST_F(Attach, FindsTheDriverByAnAliasOfItsChannelToo) {
  rig().start();
  ClientOptions options = rig().client_options("aliased");
  options.control.channel = "aeron:ipc?alias=mine";
  options.announce.channel = options.control.channel;
  auto client = Client::connect(options);
  ASSERT_TRUE(client) << client.error().message;
  const auto consumer = client->attach_consumer({.stream_id = Rig::stream});
  EXPECT_TRUE(consumer) << consumer.error().message;
}

// `tp` has no option for it: it waits for the library's 30 s. All four wait at the same time.
TEST_F(Attach, MakesTpSayWhatItTriedWhenNobodyAnswers) {
  rig().start();
  const ChannelOptions right = rig().client_options("").control;
  const std::string udp = fmt::format("aeron:udp?endpoint=localhost:{}", free_udp_port());
  struct Wrong {
    std::vector<std::string> arguments;
    ChannelOptions control;
    std::unique_ptr<Child> child{};
  };
  std::vector<Wrong> all;
  const Stopwatch asking;
  for (const auto& command : tp_commands(rig())) {
    for (const Wrong& wrong : {Wrong{{"--control-channel", udp}, {udp, right.stream_id}},
                               Wrong{{"--control-stream-id", "4711"}, {right.channel, 4711}}}) {
      std::vector<std::string> arguments = command;
      arguments.insert(arguments.end(), wrong.arguments.begin(), wrong.arguments.end());
      all.push_back({arguments, wrong.control, std::make_unique<Child>(arguments)});
    }
  }
  for (const Wrong& wrong : all) {
    EXPECT_EQ(wrong.child->wait(), apps::exit_unavailable) << wrong.child->output();
    expect_all_tried(wrong.child->output(), rig(), wrong.control.channel, wrong.control.stream_id, 30000);
    EXPECT_TRUE(wrong.child->said(wrong.arguments[1] == "publish" ? "tp: producer " : "tp: consumer "))
        << wrong.child->output();
  }
  EXPECT_GE(asking.ms(), 30000);
  EXPECT_LT(asking.ms(), 30000 + generous_ms(0));
}

// Root passes every mode, so root's client becomes another user; anybody else's meets a directory that is closed to
// him.
TEST_F(Attach, TellsAnUnprivilegedUserAboutPermissions) {
  rig().start();
  const bool root = ::geteuid() == 0;
  ASSERT_EQ(::chmod((root ? rig().dir() : rig().aeron_dir()).c_str(), root ? 0755 : 0), 0);
  Child client({TEST_PEER, "consumer", rig().config_path(), root ? "uid=65534" : "uid=0"});
  EXPECT_EQ(client.wait(), 3) << client.output();
  EXPECT_TRUE(client.said("may not use the media driver in " + rig().aeron_dir())) << client.output();
  ASSERT_EQ(::chmod(rig().aeron_dir().c_str(), 0700), 0);
}

// What the second driver is told: who is there, where, which file says so, and what to do about it.
std::string another_driver(const std::string& does, const std::string& lock_file, const std::string& remedy) {
  return fmt::format("tp: another driver {}: {} is locked by process {}; {}", does, lock_file, ::getpid(), remedy);
}

TEST_F(Attach, LetsOneDriverServeANamespace) {
  rig().start();
  Child second({TP_BINARY, "driver", "run", rig().config_path()},
               {"DRIVER_CONTROL_STREAM_ID=2000", "DRIVER_AERON_DIR=" + rig().aeron_dir()});
  EXPECT_EQ(second.wait(), apps::exit_failed) << second.output();
  const std::string place = rig().namespace_dir();
  EXPECT_TRUE(second.said(another_driver("serves the namespace " + place, place + "/driver.lock",
                                         "stop it, or set shm.namespace to another name")))
      << second.output();
  Client client = rig().connect("still served");
  EXPECT_TRUE(client.attach_consumer({.stream_id = Rig::stream}));
}

TEST_F(Attach, LetsOneDriverAnswerOnAControlStream) {
  rig().start();
  Child second({TP_BINARY, "driver", "run", rig().config_path()}, {"SHM_NAMESPACE=another"});
  EXPECT_EQ(second.wait(), apps::exit_failed) << second.output();
  const std::string place = rig().aeron_dir();
  EXPECT_TRUE(second.said(another_driver("answers on control stream 1000 of " + place, place + ".driver-1000.lock",
                                         "stop it, or set driver.control_stream_id or driver.aeron_dir to another")))
      << second.output();
  Client client = rig().connect("still served");
  EXPECT_TRUE(client.attach_consumer({.stream_id = Rig::stream}));
}

}  // namespace
}  // namespace tensorpool
