// One stage of a pipeline: reads images of stream 1001 where they lie, halves them into a slot of stream 1002, and
// passes on each frame's time stamp, so that the latency of the whole pipeline can be seen at its end.
#include <chrono>
#include <tensorpool/tensorpool.hpp>
#include <thread>

namespace tp = tensorpool;

// Writes every second pixel of every second row to `out`; the result cannot be reached if the frame was overwritten.
static tp::Expected<void, tp::FrameLoss> halve(const tp::Frame& frame, std::span<std::uint8_t> out) {
  return frame.read<std::uint8_t>([&](tp::TensorView<const std::uint8_t> image) {
    const auto rows = static_cast<std::size_t>(image.layout.dims[0]);
    const auto columns = static_cast<std::size_t>(image.layout.dims[1]);
    std::size_t next = 0;
    for (std::size_t row = 0; row + 1 < rows; row += 2) {
      for (std::size_t column = 0; column + 1 < columns; column += 2)
        out[next++] = image.elements[row * columns + column];
    }
  });
}

int main() {
  auto client = tp::Client::connect({.keep_waiting = tp::keep_running});
  auto input = client ? client->attach_consumer({.stream_id = 1001, .create = true}) : client.error();
  auto output = input ? client->attach_producer({.stream_id = 1002, .create = true}) : input.error();
  if (!output) return std::puts(output.error().message.c_str()), 1;

  std::puts("halving the images of stream 1001 into stream 1002"), std::fflush(stdout);
  unsigned done = 0;
  const auto process = [&](const tp::Frame& frame) {
    if (frame.layout().ndims != 2) return;
    const auto layout =
        tp::TensorLayout::row_major(frame.layout().dtype, {frame.layout().dims[0] / 2, frame.layout().dims[1] / 2});
    auto claim = output->claim(layout.extent_bytes());
    if (!claim) return;
    const std::span out(reinterpret_cast<std::uint8_t*>(claim->payload().data()), layout.extent_bytes());
    if (!halve(frame, out)) return;  // overwritten meanwhile: the claim is given up, consumers count a gap
    if (is_committed(std::move(*claim).commit(layout, {.timestamp_ns = frame.timestamp_ns()}))) ++done;
  };
  while (done < 200 && tp::keep_running()) {
    if (input->poll(process) == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  std::printf("%u frames processed, %lu of the input lost\n", done, input->stats().lost_total());
}
