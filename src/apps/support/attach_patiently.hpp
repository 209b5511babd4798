// Connects and attaches however late the media driver and the driver come, with a line every few seconds that says what
// it waits for. A clear no from the driver ends the wait, except "producer already attached", which a killed
// predecessor's lease causes until it runs out. A consumer needs nothing of its own: client.attach_consumer of such a
// client waits.
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
  Nanos predecessor_ns = 10 * nanos_per_second;  // how long a producer's place may stay taken
};

// What an attach of such a client waits for, in words.
[[nodiscard]] std::string describe_wait(const ClientOptions& options);

// A client all of whose attaches wait, for ever, until there is an answer. The errors have code `closed` when `stop`
// said so.
[[nodiscard]] Result<Client> connect_patiently(ClientOptions options, const Patience& patience);
[[nodiscard]] Result<Producer> attach_patiently(Client& client, const ProducerOptions& options,
                                                const Patience& patience);

}  // namespace tensorpool::apps
