// A StreamBench on whose descriptor stream strangers speak, and whose producer restarts.
#pragma once

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {

class ConsumerBench : public StreamBench {
 protected:
  static constexpr std::int32_t descriptor_stream = 1100;

  explicit ConsumerBench(ScriptedDriver::Settings settings = {}) : StreamBench(std::move(settings)) {}

  // Says something on the descriptor stream that no producer of ours would say.
  template <class Bytes>
  void inject(const Bytes& bytes) {
    if (!injector_) {
      connection_.emplace(transport::Connection::open({.aeron_dir = bus_}).value());
      injector_.emplace(connection_->add_publication("aeron:ipc", descriptor_stream).value());
      run(client, 5 * ms);
    }
    ASSERT_EQ(injector_->offer(bytes), transport::OfferResult::ok);
  }
  void inject_descriptor(std::uint64_t epoch, std::uint64_t seq, std::uint32_t stream = 5) {
    protocol::FrameDescriptor descriptor;
    descriptor.stream_id = stream;
    descriptor.epoch = epoch;
    descriptor.seq = seq;
    std::vector<std::byte> bytes(protocol::encoded_length(descriptor));
    ASSERT_NE(protocol::encode(descriptor, std::span(bytes)), 0u);
    inject(bytes);
  }

  // The producer loses its lease and comes back in a new epoch.
  void restart_producer() {
    driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
    run(client, 500 * ms);
    ASSERT_TRUE(producer->attached());
  }

  std::optional<transport::Connection> connection_;
  std::optional<transport::Publication> injector_;
};

}  // namespace tensorpool::detail
