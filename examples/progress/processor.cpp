// Processes each image twice: its rows as they come, and, for comparison, the whole image once it is complete.
#include <algorithm>
#include <cmath>
#include <tensorpool/tensorpool.hpp>

using tensorpool::monotonic_now, tensorpool::Nanos;

int main() {
  auto client = tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running});
  tensorpool::ConsumerOptions options{.stream_id = 1001, .create = true};
  options.progress = tensorpool::ProgressHints{};
  auto consumer = client ? client->attach_consumer(options) : client.error();
  if (!consumer) return std::puts(consumer.error().message.c_str()), 1;
  double sum = 0;
  std::uint64_t seq = 0;
  std::size_t done = 0;
  std::vector<Nanos> by_rows, by_frames;
  const auto work = [&](const auto& frame, std::size_t from) {  // some milliseconds for a whole image
    return frame.template read<std::uint8_t>([&](auto image) {
      for (const auto pixel : image.elements.subspan(from)) sum += std::sqrt(pixel + sum);
      return image.elements.size();
    });
  };
  const auto on_rows = [&](const tensorpool::PartialFrame& part) {
    if (std::exchange(seq, part.seq()) != part.seq()) done = 0;
    if (part.bytes_filled() > done) done = work(part, done) ? part.bytes_filled() : done;
  };
  const auto on_frame = [&](const tensorpool::Frame& frame) {
    const Nanos arrived = monotonic_now();
    if (!work(frame, seq == frame.seq() ? done : 0)) return;  // what is left of it
    by_rows.push_back(monotonic_now() - frame.timestamp_ns());
    const Nanos begun = monotonic_now();
    if (work(frame, 0)) by_frames.push_back(arrived - frame.timestamp_ns() + monotonic_now() - begun);
  };
  for (; by_frames.size() < 50; consumer->poll_progress(on_rows), consumer->poll(on_frame))
    if (!tensorpool::keep_running()) return 0;
  for (auto* all : {&by_rows, &by_frames}) std::ranges::nth_element(*all, all->begin() + 25);
  std::printf("from exposure to result, p50 of 50: %ld us by rows, %ld us by frames\n", by_rows[25] / 1000,
              by_frames[25] / 1000);
}
