// A role that a program runs: started, driven by the program's thread, asked to end, done. And the loop that drives
// several of them on one thread.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/log.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::apps {

class HostedRole {
 public:
  virtual ~HostedRole() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  // One duty cycle; what was done.
  virtual int do_work(Nanos now) noexcept = 0;
  // Asks for an end in good order; idempotent.
  virtual void request_stop() noexcept = 0;
  // Nothing is left to do: it was asked to end and has, or it has ended by itself.
  [[nodiscard]] virtual bool finished() const noexcept = 0;
  // Why it ended by itself, if that was no good order.
  [[nodiscard]] virtual std::optional<Error> failure() const = 0;
};

// Runs them until all are finished. A stop signal, or the end of one of them, ends all. The error is that of the first
// role that failed, by its name.
[[nodiscard]] Status run_roles(std::span<const std::unique_ptr<HostedRole>> roles, const LogSink& sink);

}  // namespace tensorpool::apps
