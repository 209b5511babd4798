// For the tests of the whole driver: the driver over the in-memory twin of transport, real files in a temporary
// directory, a clock moved by hand, and peers that speak the protocol and write down in order what they hear.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/codec.hpp"
#include "protocol/dispatch.hpp"
#include "roles/driver/driver.hpp"
#include "support/temp_dir.hpp"
#include "support/time_units.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::driver {

inline transport::ConnectionOptions options_for(const std::string& bus, const std::string& name) {
  transport::ConnectionOptions options;
  options.aeron_dir = bus;
  options.client_name = name;
  return options;
}

// A client of the driver, reduced to messages.
class Peer {
 public:
  using Heard = std::variant<protocol::ShmAttachResponse, protocol::ShmDetachResponse, protocol::ShmLeaseRevoked,
                             protocol::ShmPoolAnnounce, protocol::ShmDriverShutdown, protocol::ConsumerConfig>;

  Peer(const std::string& bus, const DriverConfig& config)
      : connection_(transport::Connection::open(options_for(bus, "peer")).value()),
        control_(connection_.add_publication("aeron:ipc", static_cast<std::int32_t>(config.driver.control_stream_id))
                     .value()),
        heard_(connection_.add_subscription("aeron:ipc", static_cast<std::int32_t>(config.driver.control_stream_id))
                   .value()) {
    pump();
  }

  template <class Message>
  void say(const Message& message) {
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    ASSERT_EQ(protocol::encode(message, bytes), bytes.size());
    say_bytes(bytes);
  }
  void say_bytes(const std::vector<std::byte>& bytes) { ASSERT_EQ(control_.offer(bytes), transport::OfferResult::ok); }

  void pump() {
    connection_.do_work();
    heard_.poll_assembled(
        [this](std::span<const std::byte> bytes) {
          protocol::dispatch<protocol::ShmAttachResponse, protocol::ShmDetachResponse, protocol::ShmLeaseRevoked,
                             protocol::ShmPoolAnnounce, protocol::ShmDriverShutdown, protocol::ConsumerConfig>(bytes,
                                                                                                               *this);
        },
        1000);
  }
  template <class Message>
  void on(const Message& message) {
    all.emplace_back(message);
  }

  template <class Message>
  [[nodiscard]] std::vector<Message> every() const {
    std::vector<Message> found;
    for (const Heard& one : all) {
      if (const auto* message = std::get_if<Message>(&one)) {
        found.push_back(*message);
      }
    }
    return found;
  }
  template <class Message>
  [[nodiscard]] Message last() const {
    const auto found = every<Message>();
    EXPECT_FALSE(found.empty()) << "never heard " << protocol::message_name(Message::schema_id, Message::template_id);
    return found.empty() ? Message{} : found.back();
  }

  std::vector<Heard> all;

 private:
  transport::Connection connection_;
  transport::Publication control_;
  transport::Subscription heard_;
};

class DriverFixture : public ::testing::Test {
 protected:
  explicit DriverFixture(std::string_view parent = "/tmp") : dir("tp-driver", parent) {
    config.driver.aeron_dir = bus;
    config.shm.base_dir = dir.path();
    config.profiles.push_back({"camera", 8, 256, 8, {{1, 4096}, {2, 65536}}});
    config.streams.push_back({"cam1", 1, "camera"});
    config.streams.push_back({"cam2", 2, "camera"});
    transport::loopback::start_media_driver(bus);
  }
  ~DriverFixture() override {
    peers_.clear();
    driver.reset();
    transport::loopback::remove_bus(bus);
  }

  [[nodiscard]] DriverDeps deps() {
    DriverDeps d;
    d.connect = [this] { return transport::Connection::open(options_for(bus, "driver")); };
    d.realtime = [this] { return realtime; };
    d.user = "tester";
    d.system_calls = &calls();
    d.space = space;
    d.log = Log([this](LogLevel, std::string_view line) { log.emplace_back(line); });
    return d;
  }
  [[nodiscard]] virtual shm::SystemCalls& calls() { return shm::system_calls(); }

  // A driver that has made its static streams and listens.
  void start() {
    auto created = Driver::create(config, deps());
    ASSERT_TRUE(created) << created.error().message;
    driver = std::move(*created);
    settle();
    advance(200 * ms);
  }
  // Everything that can happen at this moment.
  void settle() {
    for (int quiet = 0, cycles = 0; quiet < 3 && cycles < 5000; ++cycles) {
      quiet = cycle() == 0 ? quiet + 1 : 0;
    }
  }
  int cycle() {
    const int work = driver->do_work(now);
    for (const auto& peer : peers_) {
      peer->pump();
    }
    return work;
  }
  void advance(Nanos by) {
    const Nanos end = now + by;
    while (now < end) {
      now = std::min(now + 50 * ms, end);
      settle();
    }
  }
  Peer& peer() {
    peers_.push_back(std::make_unique<Peer>(bus, config));
    return *peers_.back();
  }

  [[nodiscard]] static protocol::ShmAttachRequest request(std::uint32_t stream, std::uint32_t client,
                                                          protocol::Role role) {
    static std::int64_t correlation = 1000;
    protocol::ShmAttachRequest r;
    r.correlation_id = ++correlation;
    r.stream_id = stream;
    r.client_id = client;
    r.role = role;
    return r;
  }
  // Sends, lets it happen, and returns the answer.
  protocol::ShmAttachResponse attach(Peer& client, const protocol::ShmAttachRequest& r) {
    client.say(r);
    settle();
    return client.last<protocol::ShmAttachResponse>();
  }
  protocol::ShmAttachResponse attach(Peer& client, std::uint32_t stream, std::uint32_t id, protocol::Role role) {
    return attach(client, request(stream, id, role));
  }
  static protocol::ShmLeaseKeepalive keepalive(const protocol::ShmAttachResponse& granted, std::uint32_t client,
                                               protocol::Role role) {
    return {granted.lease_id.value_or(0), granted.stream_id.value_or(0), client, role, 0};
  }
  static protocol::ShmDetachRequest detach(const protocol::ShmAttachResponse& granted, std::uint32_t client,
                                           protocol::Role role) {
    return {granted.correlation_id + 100'000, granted.lease_id.value_or(0), granted.stream_id.value_or(0), client,
            role};
  }

  [[nodiscard]] std::string stream_dir(std::uint32_t stream) const {
    return dir.path() + "/tensorpool-tester/" + config.shm.name_space + "/" + std::to_string(stream);
  }
  // Names of a directory's entries, epochs and whatever else lies there.
  [[nodiscard]] static std::vector<std::string> entries(const std::string& path) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  [[nodiscard]] bool logged(std::string_view words) const {
    return std::any_of(log.begin(), log.end(), [&](const auto& line) { return line.find(words) != std::string::npos; });
  }

  TempDir dir;
  std::string bus = dir.path() + "/aeron";
  DriverConfig config;
  Nanos now = 1'000 * nanos_per_second;
  Nanos realtime = 1'700'000'000 * nanos_per_second;
  std::function<Result<shm::Space>(const std::string&)> space = [](const std::string&) -> Result<shm::Space> {
    return shm::Space{};
  };
  std::vector<std::string> log;
  std::unique_ptr<Driver> driver;

 private:
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace tensorpool::driver
