// A camera with a rolling shutter: its rows appear over 20 ms, and it says so as they come.
#include <algorithm>
#include <chrono>
#include <tensorpool/tensorpool.hpp>
#include <thread>

int main() {
  auto client = tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running});
  auto producer = client ? client->attach_producer({.stream_id = 1001, .create = true}) : client.error();
  if (!producer) return std::puts(producer.error().message.c_str()), 1;
  auto layout = tensorpool::TensorLayout::row_major(tensorpool::Dtype::uint8, {1000, 2000});
  layout.progress_unit = tensorpool::ProgressUnit::rows;
  layout.progress_stride_bytes = 2000;
  for (int n = 0; n < 1000 && tensorpool::keep_running(); ++n) {
    const auto began = tensorpool::monotonic_now();
    auto claim = producer->claim(layout.extent_bytes(), layout);
    for (std::size_t row = 0; claim && row < 1000; row += 50) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::ranges::fill(claim->payload().subspan(row * 2000, 50 * 2000), static_cast<std::byte>(row));
      claim->progress((row + 50) * 2000);
    }
    if (claim) std::move(*claim).commit(layout, {.timestamp_ns = began});
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
  }
}
