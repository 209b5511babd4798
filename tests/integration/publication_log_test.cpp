// The log that a publication writes to is in its process's page tables before the first message.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "support/temp_dir.hpp"
#include "transport/channel_uri.hpp"
#include "transport/connection.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::transport {
namespace {

long page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt;
}

TEST(PublicationLog, TakesHardlyAPageFaultOnItsFirstLap) {
  constexpr std::int32_t stream = 1100;
  constexpr std::size_t message_bytes = 1024;
  constexpr std::int64_t lap_bytes = 3 << 20;  // three terms
  constexpr std::int64_t page_bytes = 4096;
  const TempDir dir("publication-log-", "/dev/shm");
  MediaDriverOptions options;
  options.aeron_dir = dir.path() + "/aeron";
  const EmbeddedMediaDriver driver = EmbeddedMediaDriver::start(options).value();
  Connection connection = Connection::open({.aeron_dir = options.aeron_dir}).value();
  Subscription reader = connection.add_subscription("aeron:ipc", stream).value();
  Publication log =
      connection.add_publication(*descriptor_publication_channel("aeron:ipc?term-length=1m"), stream).value();

  long faults = 0;
  const Nanos deadline = monotonic_now() + 20 * nanos_per_second;
  while (log.position() < lap_bytes && monotonic_now() < deadline) {
    const long before = page_faults();
    const OfferResult sent = log.try_claim(message_bytes, [](std::span<std::byte>) {});
    faults += page_faults() - before;
    if (sent == OfferResult::ok) continue;
    connection.do_work();
    (void)reader.poll([](std::span<const std::byte>) {}, 1000);
  }
  EXPECT_GE(log.position(), lap_bytes);
  // A sanitizer's books of what was written have pages of their own: fewer, and they fault.
  EXPECT_LT(faults, lap_bytes / page_bytes / 3);
}

}  // namespace
}  // namespace tensorpool::transport
