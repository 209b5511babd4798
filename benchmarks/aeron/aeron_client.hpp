// A connection to the media driver by Aeron's C API, as the product sets one up: raw Aeron, for the baselines.
#pragma once

#include <aeronc.h>

#include <cstdint>
#include <memory>
#include <string>

namespace tensorpool::bench {

using Publication = std::unique_ptr<aeron_exclusive_publication_t, void (*)(aeron_exclusive_publication_t*)>;
using Subscription = std::unique_ptr<aeron_subscription_t, void (*)(aeron_subscription_t*)>;

class AeronClient {
 public:
  // Throws std::runtime_error, as all of it does.
  explicit AeronClient(const std::string& aeron_dir);
  AeronClient(const AeronClient&) = delete;
  AeronClient& operator=(const AeronClient&) = delete;
  ~AeronClient();

  // On the product's descriptor channels. REQUIRES: the client outlives them.
  [[nodiscard]] Publication publication(std::int32_t stream_id);
  [[nodiscard]] Subscription subscription(std::int32_t stream_id);

 private:
  aeron_context_t* context_ = nullptr;
  aeron_t* client_ = nullptr;
};

// Waits until somebody subscribes and the window is open.
void await_subscriber(aeron_exclusive_publication_t* publication);

// Offers until it was taken; an exchange of one message at a time is refused only while a log rotates.
void offer(aeron_exclusive_publication_t* publication, const void* message, std::size_t length);

}  // namespace tensorpool::bench
