#include "roles/driver/media_link.hpp"

#include <limits>

#include "base/error.hpp"
#include "roles/driver/stream_messages.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::driver {

namespace {

std::int32_t aeron_id(std::uint32_t stream_id) { return static_cast<std::int32_t>(stream_id); }  // check() bounds it

Result<transport::Publication> publish(transport::Connection& connection, Result<std::string> channel,
                                       std::uint32_t stream_id) {
  if (!channel) {
    return channel.error();
  }
  return connection.add_publication(*channel, aeron_id(stream_id));
}

Result<transport::Subscription> subscribe(transport::Connection& connection, Result<std::string> channel,
                                          std::uint32_t stream_id) {
  if (!channel) {
    return channel.error();
  }
  return connection.add_subscription(*channel, aeron_id(stream_id));
}

// A stream whose numbers are as long as they get.
Stream widest_stream(const Books& books, const Profile& profile) {
  constexpr std::uint32_t widest_id = std::numeric_limits<std::uint32_t>::max() - 1;
  constexpr std::uint64_t widest_epoch = std::numeric_limits<std::uint64_t>::max() - 1;
  Stream stream;
  stream.stream_id = widest_id;
  stream.profile = &profile;
  const std::string dir = books.store.epoch_dir(widest_id, widest_epoch) + "/";
  shm::RegionLayout layout;
  layout.stream_id = widest_id;
  layout.epoch = widest_epoch;
  layout.nslots = profile.header_nslots;
  layout.header_path = dir + std::string(shm::header_file_name);
  layout.require_hugepages = true;
  for (const PoolConfig& pool : profile.payload_pools) {
    layout.pools.push_back({pool.pool_id, pool.stride_bytes, dir + shm::pool_file_name(pool.pool_id)});
  }
  stream.layout = std::move(layout);
  return stream;
}

Status check_length(const char* key, const Profile& profile, std::size_t length, std::size_t limit) {
  if (length <= limit) {
    return {};
  }
  return make_error(
      ErrorCode::invalid_config,
      "profiles.{} has {} pools: a message of {} bytes names them, and {} carries at most {}; give the channel a "
      "longer term-length (for example \"aeron:ipc?term-length=1m\") or the profile fewer pools",
      profile.name, profile.payload_pools.size(), length, key, limit);
}

}  // namespace

Result<MediaLink> MediaLink::open(const Connect& connect, Books& books) {
  const DriverConfig& config = books.config;
  auto connection = connect();
  if (!connection) {
    return connection.error();
  }
  FormerLife former_life(connection->aeron_dir(), config.driver.control_channel,
                         aeron_id(config.driver.control_stream_id));
  auto inbox = subscribe(*connection, transport::control_channel(config.driver.control_channel),
                         config.driver.control_stream_id);
  if (!inbox) {
    return inbox.error();
  }
  auto descriptors =
      subscribe(*connection, transport::descriptor_subscription_channel(config.driver.descriptor_channel),
                config.driver.descriptor_stream_id);
  if (!descriptors) {
    return descriptors.error();
  }
  auto control =
      publish(*connection, transport::driver_channel(config.driver.control_channel), config.driver.control_stream_id);
  if (!control) {
    return control.error();
  }
  if (books.announces_apart) {
    auto announce =
        publish(*connection, transport::driver_channel(config.announce_channel()), config.announce_stream_id());
    if (!announce) {
      return announce.error();
    }
    books.announce_outbox.open(std::move(*announce));
  }
  books.control_outbox.open(std::move(*control));
  return MediaLink{std::move(*connection), std::move(former_life), std::move(*inbox), std::move(*descriptors)};
}

Status MediaLink::claim_control_stream(std::uint32_t control_stream_id) {
  auto claimed = transport::MediaDriverClaim::take(connection.aeron_dir(), control_stream_id);
  if (!claimed && claimed.error().code == ErrorCode::already_exists) {
    return make_error(ErrorCode::already_exists,
                      "another driver answers on control stream {} of the media driver in {}, which it reaches by "
                      "another path: {}; stop it, or set driver.control_stream_id or driver.aeron_dir to another",
                      control_stream_id, connection.aeron_dir(), claimed.error().message);
  }
  if (!claimed) {
    return claimed.error();
  }
  control_stream.emplace(std::move(*claimed));
  return {};
}

Status check_message_lengths(Books& books) {
  for (const Profile& profile : books.config.profiles) {
    if (profile.payload_pools.size() > shm::max_pools) {
      return make_error(ErrorCode::invalid_config, "profiles.{} has {} pools; at most {} are allowed", profile.name,
                        profile.payload_pools.size(), shm::max_pools);
    }
    const Stream stream = widest_stream(books, profile);
    const std::size_t response = protocol::encoded_length(make_grant(0, stream, Lease{}));
    if (Status status =
            check_length("driver.control_channel", profile, response, books.control_outbox.max_message_length());
        !status) {
      return status;
    }
    const std::size_t announce = protocol::encoded_length(make_announce(stream, 0, 0));
    if (Status status =
            check_length("driver.announce_channel", profile, announce, books.announces().max_message_length());
        !status) {
      return status;
    }
  }
  return {};
}

}  // namespace tensorpool::driver
