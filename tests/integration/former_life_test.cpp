// A driver that starts under a media driver that lives on: what its predecessor was asked comes again, and is not
// answered; what is asked once, at any time after the start, is.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include "protocol/dispatch.hpp"
#include "support/need.hpp"
#include "support/rig.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool {
namespace {

using protocol::ResponseCode;
using protocol::Role;

// So that a busy machine cannot keep a connection from its duty cycle for longer than it may live.
void conduct(transport::Connection& connection, const std::stop_token& stop) {
  for (; !stop.stop_requested(); std::this_thread::sleep_for(std::chrono::milliseconds(20))) connection.do_work();
}

// A client that says each thing once, as tensor_pool_c does, and hears the answers.
class OneShot {
 public:
  explicit OneShot(const ClientOptions& where)
      : connection_(need(transport::Connection::open({.aeron_dir = where.aeron_dir, .client_name = "one shot"}))),
        heard_(need(connection_.add_subscription(channel(where), where.control.stream_id))),
        control_(need(connection_.add_publication(channel(where), where.control.stream_id))),
        conductor_([this](const std::stop_token& stop) { conduct(connection_, stop); }) {}

  template <class Message>
  void say(const Message& message) {
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    ASSERT_EQ(protocol::encode(message, bytes), bytes.size());
    ASSERT_EQ(control_.offer(bytes), transport::OfferResult::ok);
  }
  void ask(std::uint32_t client_id) {
    protocol::ShmAttachRequest request;
    request.correlation_id = client_id;
    request.stream_id = Rig::stream;
    request.client_id = client_id;
    request.role = Role::consumer;
    say(request);
  }
  bool answered(std::uint32_t client_id) {
    return eventually([&] {
      pump();
      return std::find(granted_.begin(), granted_.end(), std::int64_t{client_id}) != granted_.end();
    });
  }
  bool revoked(std::uint64_t lease_id) {
    return eventually([&] {
      pump();
      return std::find(revoked_.begin(), revoked_.end(), lease_id) != revoked_.end();
    });
  }

  void on(const protocol::ShmAttachResponse& response) {
    if (response.code == ResponseCode::ok) granted_.push_back(response.correlation_id);
  }
  void on(const protocol::ShmLeaseRevoked& revoked) { revoked_.push_back(revoked.lease_id); }

 private:
  static std::string channel(const ClientOptions& where) {
    return need(transport::control_channel(where.control.channel));
  }
  void pump() {
    heard_.poll_assembled(
        [this](std::span<const std::byte> bytes) {
          protocol::dispatch<protocol::ShmAttachResponse, protocol::ShmLeaseRevoked>(bytes, *this);
        },
        100);
  }

  transport::Connection connection_;
  transport::Subscription heard_;
  transport::Publication control_;
  std::vector<std::int64_t> granted_;
  std::vector<std::uint64_t> revoked_;
  std::jthread conductor_;
};

class FormerLife : public RigTest {
 protected:
  // A subscriber that stays behind, so that whoever comes later hears everything again.
  void hold_back() {
    const ClientOptions where = rig().client_options("");
    connection_.emplace(need(transport::Connection::open({.aeron_dir = where.aeron_dir})));
    behind_.emplace(need(connection_->add_subscription(need(transport::control_channel(where.control.channel)),
                                                       where.control.stream_id)));
    conductor_ = std::jthread([this](const std::stop_token& stop) { conduct(*connection_, stop); });
  }

  std::optional<transport::Connection> connection_;
  std::optional<transport::Subscription> behind_;
  std::jthread conductor_;
};

TEST_F(FormerLife, IsNotAnsweredAgainAndWhatIsNewIsAnsweredAtOnce) {
  rig().start_media();
  hold_back();
  OneShot client(rig().client_options(""));
  auto predecessor = rig().spawn_driver();
  client.ask(70);
  ASSERT_TRUE(client.answered(70));
  predecessor->signal(SIGKILL);
  predecessor->wait();

  rig().start_driver();
  client.ask(71);  // once, in the first moments
  protocol::ShmLeaseKeepalive kept_alive;
  kept_alive.lease_id = 4711;
  kept_alive.stream_id = Rig::stream;
  kept_alive.client_id = 71;
  kept_alive.role = Role::consumer;
  client.say(kept_alive);
  OneShot late(rig().client_options(""));
  late.ask(72);
  EXPECT_TRUE(client.answered(71));
  EXPECT_TRUE(client.revoked(4711));
  EXPECT_TRUE(late.answered(72));
  const driver::DriverStatus status = rig().driver_status();
  EXPECT_GE(status.counts.discarded_at_start, 1U) << "the old request did not come again: the test shows nothing";
  EXPECT_EQ(status.counts.attaches, 2U);
  for (const auto& lease : status.leases) EXPECT_NE(lease.client_id, 70U) << "a former life's request is granted";
}

}  // namespace
}  // namespace tensorpool
