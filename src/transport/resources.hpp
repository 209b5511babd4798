// What stands behind Publication, Subscription and Counter. Private to the Aeron implementation.
// Each holds the Core, closes its Aeron object under the conductor's mutex, and lets go of the Core only after that.
#pragma once

#include <aeronc.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "transport/core.hpp"
#include "transport/fragment_assembly.hpp"
#include "transport/lost_images.hpp"

namespace tensorpool::transport {

// Written by the image handlers inside do_work, read anywhere.
struct ImageEvents {
  std::atomic<std::uint64_t> joined{0};
  LostImages lost;
};

struct Publication::Impl {
  Impl(std::shared_ptr<Connection::Core> owner, aeron_exclusive_publication_t* added) noexcept
      : core(std::move(owner)), publication(added) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    const std::lock_guard guard(core->conductor);
    (void)aeron_exclusive_publication_close(publication, nullptr, nullptr);
  }

  std::shared_ptr<Connection::Core> core;
  aeron_exclusive_publication_t* publication;
  std::size_t max_payload_length = 0;
  std::size_t max_message_length = 0;
  std::int32_t session_id = 0;
  std::int32_t stream_id = 0;
  // The offering thread's:
  aeron_buffer_claim_t buffer_claim{};
  std::uint64_t admin_retries = 0;
};

struct Subscription::Impl {
  Impl(std::shared_ptr<Connection::Core> owner, std::int32_t stream) noexcept
      : core(std::move(owner)), stream_id(stream) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (subscription == nullptr) return;
    const std::lock_guard guard(core->conductor);
    (void)aeron_subscription_close(subscription, nullptr, nullptr);
  }

  std::shared_ptr<Connection::Core> core;
  aeron_subscription_t* subscription = nullptr;
  std::int32_t stream_id;
  ImageEvents images;
  std::atomic<std::uint64_t> too_long{0};
  // The polling thread's:
  FragmentAssembly assembly;
  aeron_header_t* fragment_header = nullptr;  // during poll's callback
};

struct Counter::Impl {
  Impl(std::shared_ptr<Connection::Core> owner, aeron_counter_t* added) noexcept
      : core(std::move(owner)), counter(added) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    const std::lock_guard guard(core->conductor);
    (void)aeron_counter_close(counter, nullptr, nullptr);
  }

  std::shared_ptr<Connection::Core> core;
  aeron_counter_t* counter;
  std::int64_t* address = nullptr;  // in the media driver's counters file, mapped as long as the core lives
  std::int32_t id = -1;
};

struct PendingCounter::Impl {
  Impl(std::shared_ptr<Connection::Core> owner, std::string label) : core(std::move(owner)), name(std::move(label)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();  // connection.cpp, which knows how a request is taken back

  std::shared_ptr<Connection::Core> core;
  aeron_async_add_counter_t* async = nullptr;  // until it is answered
  std::string name;                            // for messages
  Nanos begun = 0;
};

}  // namespace tensorpool::transport
