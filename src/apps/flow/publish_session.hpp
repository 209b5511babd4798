// What the three kinds of `tp publish` have in common: a client, its producer, and what is said about it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/flow/sending_end.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::apps {

struct PublishOptions {
  ClientOptions client;
  ProducerOptions producer;
  double rate_hz = 30;      // 0 = flat out
  std::uint64_t count = 0;  // frames; 0 = until stopped
  bool json = false;
  bool hold = false;    // after the last frame, stay attached until standard input ends
  std::string crc_log;  // empty = none
  std::string name;     // of the stream, for its metadata; empty = none
  std::vector<std::pair<std::string, std::string>> attributes;  // keys and texts, likewise
};

// Attached, with a line a second. Lives at one address, because `end` refers to `producer`.
struct PublishSession {
  PublishSession(Client client_in, Producer producer_in, bool json, std::optional<CrcLogWriter> log, Nanos now)
      : client(std::move(client_in)), producer(std::move(producer_in)), end(producer, json, std::move(log), now) {}

  Client client;
  Producer producer;
  SendingEnd end;
};

// Connects, attaches, sets the metadata and opens the CRC log.
[[nodiscard]] Result<std::unique_ptr<PublishSession>> start_publishing(const PublishOptions& options);

// Claims a slot for `bytes`, of a frame whose progress is told if its layout is given, as soon as there is one; nothing
// when `stop` came first. While there is none (driver gone, claims exhausted) it goes on with its line a second. An
// error is a frame that no pool takes, or that its layout does not describe.
[[nodiscard]] Result<std::optional<SlotClaim>> claim_when_possible(PublishSession& session, std::size_t bytes,
                                                                   const std::atomic<bool>& stop,
                                                                   const TensorLayout* in_flight = nullptr);

// Says the summary, and stays attached if that was asked for.
[[nodiscard]] Status finish_publishing(PublishSession& session, const PublishOptions& options);

// The error of a frame that is larger than every pool of the stream.
[[nodiscard]] Error too_large_error(const Producer& producer, std::size_t bytes);

// Sleeps at most `duration`; a signal ends it early.
void nap(Nanos duration) noexcept;

}  // namespace tensorpool::apps
