// Reads images, and says with which exposure time each of the versions was taken. Ends after four of them.
#include <map>
#include <tensorpool/tensorpool.hpp>

int main() {
  auto client = tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running});
  auto metadata = client ? client->metadata({.stream_ids = {1001}}) : client.error();
  auto consumer = metadata ? client->attach_consumer({.stream_id = 1001, .create = true}) : metadata.error();
  if (!consumer) return std::puts(consumer.error().message.c_str()), 1;
  std::map<std::uint32_t, int> told;
  const auto look = [&](const tensorpool::Frame& frame) {
    const auto now = metadata->latest(1001);
    // A frame may be faster than the metadata of its version: then the next one of that version tells.
    if (!now || now->version != frame.meta_version() || told[now->version]++ > 0) return;
    const auto* exposure = now->find("exposure_us");
    if (exposure == nullptr) return;
    std::printf("%s, version %u: exposed for %.*s us\n", now->name.c_str(), now->version,
                static_cast<int>(exposure->text().size()), exposure->text().data());
    std::fflush(stdout);
  };
  while (told.size() < 4 && tensorpool::keep_running()) consumer->poll(look);
}
