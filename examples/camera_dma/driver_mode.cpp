// A camera with registered buffers, in driver mode: the driver owns the memory, and the device writes into it.
#include "dma_loop.hpp"

int main() {
  auto client = tensorpool::Client::connect({.on_event = [](const tensorpool::Event& event) {
    if (event.kind == tensorpool::EventKind::log) std::printf("%s\n", event.message.c_str());
  }});
  auto producer = client ? client->attach_producer({.stream_id = 1001, .create = true}) : client.error();
  if (!producer) return std::puts(producer.error().message.c_str()), 1;
  dma_loop(*producer, 600);
}
