// Result<T>: what every cold call returns, a value or an Error that a person can act on.
// Hot calls (publish, claim, commit, poll, read) return enums or Expected<T, enum> instead; nothing here throws.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace tensorpool {

// What kind of failure it was, for programs; the message is for people.
enum class ErrorCode : unsigned char {
  invalid_argument,   // the caller passed something that can never work
  invalid_config,     // a configuration value is unknown, malformed or contradictory
  not_found,          // a file, stream, driver or device does not exist
  already_exists,     // somebody else holds it: a lock, a namespace, a producer's place
  permission_denied,  // the operating system or a path policy refused
  no_space,           // file system, memory or ring space would not suffice
  timed_out,          // nobody answered in time
  refused,            // the peer answered no
  protocol_error,     // the peer sent something that breaks the protocol
  unavailable,        // the peer or the media driver is gone for now
  unsupported,        // a version or a feature that this build does not speak
  io_error,           // any other failed system call
  closed,             // the object was closed
};

[[nodiscard]] std::string_view to_string(ErrorCode code) noexcept;

// An error names what failed, which stream, epoch, path or id, why, and the remedy.
struct Error {
  ErrorCode code = ErrorCode::io_error;
  std::string message;
};

// Either a value or a failure of type E. Misuse (value() of a failure) asserts in debug builds.
template <class T, class E>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Expected(E error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  [[nodiscard]] T& value() & noexcept { return assert(has_value()), *std::get_if<0>(&state_); }
  [[nodiscard]] const T& value() const& noexcept { return assert(has_value()), *std::get_if<0>(&state_); }
  [[nodiscard]] T&& value() && noexcept { return assert(has_value()), std::move(*std::get_if<0>(&state_)); }
  [[nodiscard]] T& operator*() & noexcept { return value(); }
  [[nodiscard]] const T& operator*() const& noexcept { return value(); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() noexcept { return &value(); }
  [[nodiscard]] const T* operator->() const noexcept { return &value(); }

  [[nodiscard]] E& error() & noexcept { return assert(!has_value()), *std::get_if<1>(&state_); }
  [[nodiscard]] const E& error() const& noexcept { return assert(!has_value()), *std::get_if<1>(&state_); }
  [[nodiscard]] E&& error() && noexcept { return assert(!has_value()), std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, E> state_;
};

// Success without a value.
template <class E>
class [[nodiscard]] Expected<void, E> {
 public:
  Expected() = default;
  Expected(E error) : error_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return error_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] E& error() & noexcept { return assert(!has_value()), *std::get_if<1>(&error_); }
  [[nodiscard]] const E& error() const& noexcept { return assert(!has_value()), *std::get_if<1>(&error_); }
  [[nodiscard]] E&& error() && noexcept { return assert(!has_value()), std::move(*std::get_if<1>(&error_)); }

 private:
  std::variant<std::monostate, E> error_;
};

template <class T>
using Result = Expected<T, Error>;
using Status = Expected<void, Error>;

}  // namespace tensorpool
