// What stands behind Publication, Subscription and Counter in the in-memory twin.
#pragma once

#include <utility>

#include "transport/loopback/bus.hpp"

namespace tensorpool::transport {

struct Publication::Impl {
  Impl(std::shared_ptr<Connection::Core> owner, std::shared_ptr<loopback::Log> added)
      : core(std::move(owner)), log(std::move(added)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { core->bus->remove(log); }

  std::shared_ptr<Connection::Core> core;
  std::shared_ptr<loopback::Log> log;
  std::vector<std::byte> claimed;
  std::uint64_t admin_retries = 0;
};

struct Subscription::Impl {
  Impl(std::shared_ptr<Connection::Core> owner, std::shared_ptr<loopback::Inbox> added)
      : core(std::move(owner)), inbox(std::move(added)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { core->bus->remove(inbox); }

  std::shared_ptr<Connection::Core> core;
  std::shared_ptr<loopback::Inbox> inbox;
  std::atomic<std::uint64_t> too_long{0};
  FragmentAssembly assembly;
  Fragment fragment{};  // the one in hand, during poll's callback
};

struct Counter::Impl {
  Impl(std::shared_ptr<Connection::Core> owner, std::shared_ptr<loopback::CounterCell> added)
      : core(std::move(owner)), cell(std::move(added)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { core->bus->remove(cell); }

  std::shared_ptr<Connection::Core> core;
  std::shared_ptr<loopback::CounterCell> cell;
};

struct PendingCounter::Impl {
  explicit Impl(std::shared_ptr<Connection::Core> owner) : core(std::move(owner)) {}

  std::shared_ptr<Connection::Core> core;
  loopback::CounterCell wanted;
};

}  // namespace tensorpool::transport
