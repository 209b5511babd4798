// What taking a frame costs the thread that polls, when the frame is there already.
#include <stdexcept>

#include "support/work.hpp"
#include "world.hpp"

namespace tensorpool::bench {

Json measure_consume(Arguments& arguments) {
  const std::size_t bytes = arguments.number("bytes", 64);
  const std::size_t slots = arguments.number("slots", 1024);
  const bool on_touch = arguments.flag("on-touch", false);
  const std::size_t limit = arguments.number("limit", 64);
  const bool touch = arguments.flag("touch", false);
  const Bursts bursts{arguments.number("samples", 1000), arguments.number("burst", 256), 0};
  arguments.check();
  if (bursts.operations > slots / 2) throw std::invalid_argument("a burst beyond half the ring is skipped");

  World world({.slots = slots, .payload_bytes = bytes, .reserve_on_touch = on_touch});
  Process reader("consumer", [&] {
    Client client = world.connect("consumer");
    Consumer consumer = attach_consumer(client);
    meet(world.progress(), 2);
    pin_to_core(consumer_core);
    std::uint64_t next = 0;
    const auto take = [&](const Frame& frame) {
      if (touch) use(read_all(frame.unchecked()));
      next = frame.seq() + 1;
    };
    // By sequence, so that a frame that was lost counts as taken.
    const auto poll = [&] {
      const std::uint64_t before = next;
      consumer.poll(take, static_cast<int>(limit));
      return next - before;
    };
    Json figures = receive_bursts(world.progress(), bursts, poll).summary();
    figures["lost"] = losses_of(consumer.stats());
    return figures;
  });
  Process writer("publisher", [&] {
    Client client = world.connect("publisher");
    Producer producer = attach_producer(client);
    meet(world.progress(), 2);
    pin_to_core(producer_core);
    const TensorLayout layout = bytes_layout(bytes);
    send_bursts(world.progress(), bursts, [&] {
      publish_in_place(producer, layout, touch, 0);
      return true;
    });
    return Json();
  });
  Json figures = reader.result();
  (void)writer.result();
  return figures;
}

}  // namespace tensorpool::bench
