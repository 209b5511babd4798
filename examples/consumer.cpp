// The smallest consumer: the sum of all pixels in each of 100 images of stream 1001.
#include <tensorpool/tensorpool.hpp>

#include <cstdio>
#include <numeric>

int main() {
  auto client = tensorpool::Client::connect({});
  if (!client) return 1;
  auto consumer = client->attach_consumer({.stream_id = 1001, .create = true});
  if (!consumer) return 1;
  for (int frames = 0; frames < 100;)
    frames += consumer->poll([](const tensorpool::Frame& frame) {
      auto sum = frame.read<std::uint16_t>(
          [](auto image) { return std::reduce(image.elements.begin(), image.elements.end(), 0.0); });
      if (sum) std::printf("frame %llu: %.0f\n", static_cast<unsigned long long>(frame.seq()), *sum);
    });
}
