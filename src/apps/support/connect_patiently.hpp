// Connects however late the media driver comes, and attaches however late the driver does, with a line every few
// seconds that says what is waited for. A clear no from the driver ends the wait.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tensorpool/client.hpp"

namespace tensorpool::apps {

struct Patience {
  std::function<bool()> stop;                 // asked all the time; true gives up
  std::function<void(std::string_view)> say;  // a line for people
  Nanos say_every_ns = 3 * nanos_per_second;
};

// What an attach of a client with these options waits for, in words, whenever it is called: the driver's last refusal,
// or an answer. Listens to the events on their way to `options.on_event`; REQUIRES: that is set before.
[[nodiscard]] std::function<std::string()> describe_wait(ClientOptions& options);

// A client all of whose attaches wait, for ever, until there is an answer. The errors have code `closed` when `stop`
// said so.
[[nodiscard]] Result<Client> connect_patiently(ClientOptions options, const Patience& patience);

namespace detail {
[[nodiscard]] bool is_passing(const Error& error);
// Says now and then what is waited for, pauses, and tells whether to go on.
[[nodiscard]] std::function<bool(std::string_view)> waiting(const Patience& patience);
}  // namespace detail

// What `make` makes once there is a media driver: for anything that connects. The error has code `closed` when `stop`
// said so.
template <class Make>
[[nodiscard]] auto wait_for_media_driver(Make&& make, const Patience& patience) -> decltype(make()) {
  const auto go_on = detail::waiting(patience);
  for (;;) {
    auto made = make();
    if (made || !detail::is_passing(made.error())) return made;
    if (!go_on(made.error().message)) return Error{ErrorCode::closed, "stopped while waiting"};
  }
}

}  // namespace tensorpool::apps
