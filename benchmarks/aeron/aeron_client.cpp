#include "aeron_client.hpp"

#include <stdexcept>

#include "support/process.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::bench {
namespace {

constexpr std::uint64_t conductor_nap_ns = 1'000'000;  // as the product's client
constexpr std::uint64_t driver_timeout_ms = 2000;

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string(what) + ": " + aeron_errmsg());
}

void close(aeron_exclusive_publication_t* publication) {
  (void)aeron_exclusive_publication_close(publication, nullptr, nullptr);
}
void close(aeron_subscription_t* subscription) { (void)aeron_subscription_close(subscription, nullptr, nullptr); }

void ignore_error(void*, int, const char*) {}  // the default handler ends the process

}  // namespace

AeronClient::AeronClient(const std::string& aeron_dir) {
  require(aeron_context_init(&context_) >= 0, "no context");
  require(aeron_context_set_dir(context_, aeron_dir.c_str()) >= 0 &&
              aeron_context_set_driver_timeout_ms(context_, driver_timeout_ms) >= 0 &&
              aeron_context_set_idle_sleep_duration_ns(context_, conductor_nap_ns) >= 0 &&
              aeron_context_set_error_handler(context_, &ignore_error, nullptr) >= 0,
          "no settings");
  require(aeron_init(&client_, context_) >= 0 && aeron_start(client_) >= 0, "no connection");
}

AeronClient::~AeronClient() {
  (void)aeron_close(client_);
  (void)aeron_context_close(context_);
}

Publication AeronClient::publication(std::int32_t stream_id) {
  const std::string channel = need(transport::descriptor_publication_channel("aeron:ipc"));
  aeron_async_add_exclusive_publication_t* adding = nullptr;
  require(aeron_async_add_exclusive_publication(&adding, client_, channel.c_str(), stream_id) >= 0, "no publication");
  aeron_exclusive_publication_t* added = nullptr;
  await(
      [&] {
        require(aeron_async_add_exclusive_publication_poll(&added, adding) >= 0, "no publication");
        return added != nullptr;
      },
      "a publication");
  return {added, [](aeron_exclusive_publication_t* publication) { close(publication); }};
}

Subscription AeronClient::subscription(std::int32_t stream_id) {
  const std::string channel = need(transport::descriptor_subscription_channel("aeron:ipc"));
  aeron_async_add_subscription_t* adding = nullptr;
  require(aeron_async_add_subscription(&adding, client_, channel.c_str(), stream_id, nullptr, nullptr, nullptr,
                                       nullptr) >= 0,
          "no subscription");
  aeron_subscription_t* added = nullptr;
  await(
      [&] {
        require(aeron_async_add_subscription_poll(&added, adding) >= 0, "no subscription");
        return added != nullptr;
      },
      "a subscription");
  return {added, [](aeron_subscription_t* subscription) { close(subscription); }};
}

void await_subscriber(aeron_exclusive_publication_t* publication) {
  await(
      [publication] {
        return aeron_exclusive_publication_is_connected(publication) &&
               aeron_exclusive_publication_position_limit(publication) >
                   aeron_exclusive_publication_position(publication);
      },
      "a subscriber");
}

void offer(aeron_exclusive_publication_t* publication, const void* message, std::size_t length) {
  const auto* const bytes = static_cast<const std::uint8_t*>(message);
  while (aeron_exclusive_publication_offer(publication, bytes, length, nullptr, nullptr) < 0) pause_core();
}

}  // namespace tensorpool::bench
