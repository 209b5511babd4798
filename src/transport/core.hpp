// What a Connection and everything added through it share: the Aeron client. Private to the Aeron implementation.
//
// In invoker mode Aeron's client has no lock of its own: adding, closing and do_work all change the conductor's tables.
// The mutex stands in front of all of them. Offers, polls and counter writes never touch those tables and take no lock.
#pragma once

#include <aeronc.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "transport/connection.hpp"

namespace tensorpool::transport {

struct Connection::Core {
  explicit Core(const ConnectionOptions& connection_options) : options(connection_options) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();  // closes the client and unmaps everything: nothing added through it is left by then

  Status start();
  int do_work() noexcept;
  void on_error(int code, const char* message) noexcept;
  [[nodiscard]] std::string last_error() const;

  ConnectionOptions options;
  aeron_context_t* context = nullptr;
  aeron_t* client = nullptr;
  std::atomic<bool> closed{false};  // by us or by Aeron; then the client is only good for destruction
  std::mutex conductor;             // held around every call that enters Aeron's client conductor

  mutable std::mutex error_mutex;
  std::string terminal_error;
  std::string latest_error;
};

}  // namespace tensorpool::transport
