#include "ports.hpp"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>

namespace tensorpool::bench {
namespace {

iox::capro::ServiceDescription description_of(const char* topic) {
  return {"tensorpool", "bench", {iox::cxx::TruncateToCapacity, topic}};
}

// Where the sum of what was read goes, so that it is read.
volatile std::uint64_t sum_of_words = 0;

}  // namespace

std::unique_ptr<Sender> make_sender(const char* topic) {
  iox::popo::PublisherOptions options;
  options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
  return std::make_unique<Sender>(description_of(topic), options);
}

std::unique_ptr<Receiver> make_receiver(const char* topic, std::size_t queue_frames) {
  iox::popo::SubscriberOptions options;
  options.queueCapacity = queue_frames;
  options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
  return std::make_unique<Receiver>(description_of(topic), options);
}

void send(Sender& sender, std::size_t bytes, const Content& content) {
  auto loaned = sender.loan(static_cast<std::uint32_t>(bytes));
  if (loaned.has_error()) throw std::runtime_error("no chunk is free");
  void* const payload = loaned.value();
  switch (content.kind) {
    case Content::Kind::untouched:
      break;
    case Content::Kind::written:
      std::ranges::fill(std::span(static_cast<std::uint64_t*>(payload), bytes / sizeof(std::uint64_t)), content.word);
      break;
    case Content::Kind::copied:
      std::memcpy(payload, content.from->data(), bytes);
      break;
  }
  sender.publish(payload);
}

bool take(Receiver& receiver, std::size_t bytes, bool touch) {
  auto taken = receiver.take();
  if (taken.has_error()) return false;
  const void* const payload = taken.value();
  if (touch) {
    std::uint64_t sum = 0;
    for (const std::uint64_t word : std::span(static_cast<const std::uint64_t*>(payload), bytes / sizeof sum)) {
      sum += word;
    }
    sum_of_words = sum;
  }
  receiver.release(payload);
  return true;
}

void pin_to_core(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core), &cores);
  static_cast<void>(::sched_setaffinity(0, sizeof cores, &cores));
}

}  // namespace tensorpool::bench
