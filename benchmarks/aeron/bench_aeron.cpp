// Baselines of raw Aeron IPC: its C API over the product's media driver and on its descriptor channels.
#include <array>
#include <cstring>
#include <vector>

#include "aeron_client.hpp"
#include "support/loops.hpp"
#include "support/media.hpp"
#include "support/work.hpp"
#include "tensorpool/idle.hpp"

namespace tensorpool::bench {
namespace {

constexpr std::int32_t stream_there = 1;
constexpr std::int32_t stream_back = 2;
constexpr std::size_t descriptor_bytes = 52;
constexpr std::size_t largest_message = 1024;
constexpr Nanos drain_pause_ns = 1500 * nanos_per_micro;

using Message = std::array<std::byte, largest_message>;

std::size_t message_bytes(Arguments& arguments) {
  const std::size_t bytes = arguments.number("bytes", descriptor_bytes);
  if (bytes < sizeof(Nanos) || bytes > largest_message) throw std::invalid_argument("--bytes is 8 to 1024");
  return bytes;
}

// Calls handler(bytes) for at most `limit` messages; returns how many.
template <class Handler>
int poll(const Subscription& subscription, Handler& handler, std::size_t limit) {
  const auto call = [](void* context, const std::uint8_t* data, std::size_t, aeron_header_t*) {
    (*static_cast<Handler*>(context))(data);
  };
  return aeron_subscription_poll(subscription.get(), call, &handler, limit);
}

// Of `streams` streams from stream_there on.
std::vector<Publication> publications_of(AeronClient& client, std::size_t streams) {
  std::vector<Publication> publications;
  for (std::size_t i = 0; i < streams; ++i) {
    publications.push_back(client.publication(stream_there + static_cast<std::int32_t>(i)));
    await_subscriber(publications.back().get());
  }
  return publications;
}
std::vector<Subscription> subscriptions_of(AeronClient& client, std::size_t streams) {
  std::vector<Subscription> subscriptions;
  for (std::size_t i = 0; i < streams; ++i) {
    subscriptions.push_back(client.subscription(stream_there + static_cast<std::int32_t>(i)));
  }
  return subscriptions;
}
template <class Handler>
int poll(const std::vector<Subscription>& subscriptions, Handler& handler, std::size_t limit) {
  int taken = 0;
  for (const Subscription& subscription : subscriptions) taken += poll(subscription, handler, limit);
  return taken;
}

// A reader that naps a millisecond at a time, as the product's driver reads descriptors.
Process start_drain(const Scratch& scratch, Progress& progress, std::size_t streams) {
  return {"reader", [&scratch, &progress, streams] {
            AeronClient client(scratch.aeron_dir());
            const auto subscriptions = subscriptions_of(client, streams);
            progress.ready.fetch_add(1);
            auto handler = [](const std::uint8_t* data) { use(*data); };
            while (!progress.stop.load(std::memory_order_relaxed)) {
              if (poll(subscriptions, handler, 256) == 0) sleep_ns(nanos_per_milli);
            }
            return Json();
          }};
}

Json measure_offer(Arguments& arguments) {
  const std::size_t bytes = message_bytes(arguments);
  const bool claim = arguments.flag("claim", false);
  const std::size_t streams = arguments.number("streams", 1);  // in turns
  const Bursts bursts{arguments.number("samples", 300), arguments.number("burst", 500), drain_pause_ns};
  arguments.check();

  const Scratch scratch;
  const Process media = start_media_driver(scratch);
  const Shared<Progress> progress(scratch, "progress");
  Process reader = start_drain(scratch, *progress, streams);
  Process writer("writer", [&] {
    AeronClient client(scratch.aeron_dir());
    const auto publications = publications_of(client, streams);
    pin_to_core(producer_core);
    Message message{};
    std::uint64_t refused = 0;
    std::size_t turn = 0;
    const auto next = [&] {
      turn = turn + 1 == streams ? 0 : turn + 1;
      return publications[turn].get();
    };
    const auto* const data = reinterpret_cast<const std::uint8_t*>(message.data());
    Json figures;
    if (claim) {
      aeron_buffer_claim_t buffer{};
      figures = time_bursts(bursts, [&] {
                  if (aeron_exclusive_publication_try_claim(next(), bytes, &buffer) < 0) {
                    ++refused;
                  } else {
                    std::memcpy(buffer.data, data, bytes);
                    aeron_buffer_claim_commit(&buffer);
                  }
                }).summary();
    } else {
      figures = time_bursts(bursts, [&] {
                  if (aeron_exclusive_publication_offer(next(), data, bytes, nullptr, nullptr) < 0) ++refused;
                }).summary();
    }
    figures["refused"] = refused;
    return figures;
  });
  Json figures = writer.result();
  progress->stop = true;
  (void)reader.result();
  return figures;
}

Json measure_poll(Arguments& arguments) {
  const std::size_t bytes = message_bytes(arguments);
  const std::size_t limit = arguments.number("limit", 64);
  const std::size_t streams = arguments.number("streams", 1);  // in turns
  const Bursts bursts{arguments.number("samples", 1000), arguments.number("burst", 256), 0};
  arguments.check();

  const Scratch scratch;
  const Process media = start_media_driver(scratch);
  const Shared<Progress> progress(scratch, "progress");
  Process reader("reader", [&] {
    AeronClient client(scratch.aeron_dir());
    const auto subscriptions = subscriptions_of(client, streams);
    pin_to_core(consumer_core);
    auto handler = [](const std::uint8_t* data) { use(*data); };
    return receive_bursts(*progress, bursts, [&] { return poll(subscriptions, handler, limit); }).summary();
  });
  Process writer("writer", [&] {
    AeronClient client(scratch.aeron_dir());
    const auto publications = publications_of(client, streams);
    pin_to_core(producer_core);
    Message message{};
    std::size_t turn = 0;
    send_bursts(*progress, bursts, [&] {
      offer(publications[turn].get(), message.data(), bytes);
      turn = turn + 1 == streams ? 0 : turn + 1;
      return true;
    });
    return Json();
  });
  Json figures = reader.result();
  (void)writer.result();
  return figures;
}

Json measure_round_trip(Arguments& arguments) {
  const std::size_t bytes = message_bytes(arguments);
  const std::size_t samples = arguments.number("samples", 100'000);
  arguments.check();

  const Scratch scratch;
  const Process media = start_media_driver(scratch);
  const Shared<Progress> progress(scratch, "progress");
  Process echo("echo", [&] {
    AeronClient client(scratch.aeron_dir());
    const Subscription subscription = client.subscription(stream_there);
    const Publication publication = client.publication(stream_back);
    await_subscriber(publication.get());
    pin_to_core(consumer_core);
    auto handler = [&](const std::uint8_t* data) { offer(publication.get(), data, bytes); };
    while (!progress->stop.load(std::memory_order_relaxed)) {
      if (poll(subscription, handler, 1) == 0) pause_core();
    }
    return Json();
  });
  Process caller("caller", [&] {
    AeronClient client(scratch.aeron_dir());
    const Subscription subscription = client.subscription(stream_back);
    const Publication publication = client.publication(stream_there);
    await_subscriber(publication.get());
    pin_to_core(producer_core);
    Message message{};
    auto handler = [](const std::uint8_t* data) { use(*data); };
    return time_exchanges(samples,
                          [&](Nanos begun) {
                            std::memcpy(message.data(), &begun, sizeof(begun));
                            offer(publication.get(), message.data(), bytes);
                            while (poll(subscription, handler, 1) == 0) pause_core();
                          })
        .summary();
  });
  Json figures = caller.result();
  progress->stop = true;
  (void)echo.result();
  return figures;
}

Json measure_one_way(Arguments& arguments) {
  const std::size_t bytes = message_bytes(arguments);
  const std::size_t rate_hz = arguments.number("rate", 10'000);
  const std::size_t count = arguments.number("samples", 10'000);
  arguments.check();

  const Scratch scratch;
  const Process media = start_media_driver(scratch);
  Process reader("reader", [&] {
    AeronClient client(scratch.aeron_dir());
    const Subscription subscription = client.subscription(stream_there);
    pin_to_core(consumer_core);
    Samples samples(count);
    std::size_t received = 0;
    auto handler = [&](const std::uint8_t* data) {
      Nanos due = 0;
      std::memcpy(&due, data, sizeof(due));
      if (++received > count / 10) samples.record(static_cast<double>(monotonic_now() - due));
    };
    while (received < count) {
      if (poll(subscription, handler, 16) == 0) pause_core();
    }
    return samples.summary();
  });
  Process writer("writer", [&] {
    AeronClient client(scratch.aeron_dir());
    const Publication publication = client.publication(stream_there);
    await_subscriber(publication.get());
    pin_to_core(producer_core);
    Message message{};
    send_at_rate(static_cast<double>(rate_hz), count, [&](Nanos due) {
      std::memcpy(message.data(), &due, sizeof(due));
      offer(publication.get(), message.data(), bytes);
    });
    return Json();
  });
  Json figures = reader.result();
  (void)writer.result();
  return figures;
}

// Both ends yield when there is nothing to do: two that spin starve the media driver, which moves the window.
Json measure_throughput(Arguments& arguments) {
  const std::size_t bytes = message_bytes(arguments);
  const std::size_t count = arguments.number("samples", 2'000'000);
  arguments.check();

  const Scratch scratch;
  const Process media = start_media_driver(scratch);
  Process reader("reader", [&] {
    AeronClient client(scratch.aeron_dir());
    const Subscription subscription = client.subscription(stream_there);
    pin_to_core(consumer_core);
    Idle idle(IdleMode::yield);
    auto handler = [](const std::uint8_t* data) { use(*data); };
    Nanos begun = 0;
    for (std::size_t received = 0; received < count;) {
      const int taken = poll(subscription, handler, 64);
      if (begun == 0 && taken > 0) begun = monotonic_now();
      received += static_cast<std::size_t>(taken);
      idle.idle(taken);
    }
    const double each = static_cast<double>(monotonic_now() - begun) / static_cast<double>(count);
    return Json{{"unit", "ns"}, {"count", count}, {"mean", each}, {"p50", each}, {"frames_per_second", 1e9 / each}};
  });
  Process writer("writer", [&] {
    AeronClient client(scratch.aeron_dir());
    const Publication publication = client.publication(stream_there);
    await_subscriber(publication.get());
    pin_to_core(producer_core);
    Idle idle(IdleMode::yield);
    Message message{};
    const auto* const data = reinterpret_cast<const std::uint8_t*>(message.data());
    for (std::size_t sent = 0; sent < count;) {
      const bool taken = aeron_exclusive_publication_offer(publication.get(), data, bytes, nullptr, nullptr) > 0;
      sent += taken ? 1 : 0;
      idle.idle(taken ? 1 : 0);
    }
    return Json();
  });
  Json figures = reader.result();
  (void)writer.result();
  return figures;
}

}  // namespace
}  // namespace tensorpool::bench

int main(int argc, char** argv) {
  using namespace tensorpool::bench;
  return run_program(argc, argv,
                     {{"offer", &measure_offer},
                      {"poll", &measure_poll},
                      {"round-trip", &measure_round_trip},
                      {"one-way", &measure_one_way},
                      {"throughput", &measure_throughput}});
}
