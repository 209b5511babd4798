// A driver that lies about files, and files that are not what was promised: the consumer says why it refuses, and goes
// on with what it had.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "shm/slot_writer.hpp"
#include "support/forger.hpp"
#include "support/region_files.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;
using shm::RegionLayout;

constexpr std::uint32_t header_nslots = 4;

class HostileFiles : public RigTest {
 protected:
  HostileFiles() {
    rig().start_media();
    forger_ = std::make_unique<Forger>(rig().client_options("forger"));
  }

  // A layout as a RegionCreator makes it; each call makes another epoch.
  RegionLayout make() { return files_.make(shm::small_spec(++epoch_), monotonic_now()); }

  ClientOptions client_options(EventLog& events) {
    ClientOptions options = rig().client_options("victim", &events);
    options.allowed_base_dirs = {files_.base_dir()};
    return options;
  }
  // Why a first attach to these regions fails.
  std::string refusal(const protocol::ShmAttachResponse& truth, Nanos timeout = 30 * nanos_per_second) {
    forger_->answer_attaches([truth](const auto& request) {
      auto response = truth;
      response.correlation_id = request.correlation_id;
      return response;
    });
    if (!client_) client_.emplace(*Client::connect(client_options(events_)));
    const auto consumer = client_->attach_consumer({.stream_id = 1001, .attach_timeout_ns = timeout});
    return consumer ? "attached" : consumer.error().message;
  }
  std::string refusal(const RegionLayout& layout) { return refusal(grant_of(layout, {})); }

  // Publishes frame `seq` into the regions, as their producer.
  void publish(const RegionLayout& layout, std::uint64_t seq) {
    auto regions = files_.map(layout, shm::Access::read_write);
    shm::SlotWriter writer(*regions);
    const TensorLayout bytes = TensorLayout::raw_bytes(16);
    const int pool = writer.pool_for(16);
    writer.begin(seq, pool);
    writer.commit(seq, pool, {.values_len_bytes = 16, .timestamp_ns = 1, .meta_version = 0, .layout = &bytes});
    regions->touch_activity(monotonic_now());
    protocol::FrameDescriptor descriptor;
    descriptor.stream_id = layout.stream_id;
    descriptor.epoch = layout.epoch;
    descriptor.seq = seq;
    ASSERT_TRUE(forger_->say_on(rig().client_options("").descriptor.stream_id, descriptor));
  }

  shm::RegionFiles files_;
  std::uint64_t epoch_ = 10;
  std::unique_ptr<Forger> forger_;
  EventLog events_;
  std::optional<Client> client_;  // asks again and again
};

void overwrite(const std::string& path, std::uint64_t offset, std::uint64_t value, std::size_t bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(reinterpret_cast<const char*>(&value), static_cast<std::streamsize>(bytes));
}

void expect_refusal(const std::string& message, const std::string& why) {
  EXPECT_NE(message.find(why), std::string::npos) << "\"" << message << "\" does not say \"" << why << "\"";
}

TEST_F(HostileFiles, AnHonestAnswerIsAccepted) { EXPECT_EQ(refusal(make()), "attached"); }

TEST_F(HostileFiles, ARegionShorterThanDeclaredIsRefused) {
  const RegionLayout ring = make();
  fs::resize_file(ring.header_path, 64 + 256 * header_nslots - 1);
  expect_refusal(refusal(ring), ring.header_path);
  const RegionLayout pool = make();
  fs::resize_file(pool.pools[0].path, 64);
  expect_refusal(refusal(pool), pool.pools[0].path);
  const RegionLayout empty = make();
  fs::resize_file(empty.header_path, 0);
  expect_refusal(refusal(empty), empty.header_path);
}

// spec: wire 8.1, the superblock's fields by offset.
TEST_F(HostileFiles, EachFieldOfASuperblockIsHeldAgainstTheAnswer) {
  struct Field {
    const char* name;
    std::uint64_t offset;
    std::size_t bytes;
    std::vector<std::uint64_t> values;
  };
  const std::vector<Field> fields{
      {"magic", 0, 8, {0, ~std::uint64_t{0}, 0x31}},
      {"layout_version", 8, 4, {0, 2, 0xFFFFFFFF}},
      {"epoch", 12, 8, {0, 1, ~std::uint64_t{0}}},
      {"stream", 20, 4, {0, 1002, 0xFFFFFFFF}},
      {"type", 24, 2, {0, 3, 0xFFFF}},
      {"pool", 26, 2, {7, 0xFFFF}},
      {"slots", 28, 4, {0, 3, 8, 1U << 31}},
      {"slot", 32, 4, {0, 255, 1U << 31}},
      {"stride", 36, 4, {1, 63, 1U << 31}},
  };
  for (const bool of_pool : {false, true}) {
    for (const Field& field : fields) {
      for (const std::uint64_t value : field.values) {
        const RegionLayout layout = make();
        const std::string& path = of_pool ? layout.pools[0].path : layout.header_path;
        overwrite(path, field.offset, value, field.bytes);
        const std::string message = refusal(layout);
        EXPECT_NE(message, "attached") << field.name << " = " << value << (of_pool ? " in a pool" : " in the ring");
        expect_refusal(message, path);
        expect_refusal(message, field.name);
      }
    }
  }
}

TEST_F(HostileFiles, OnlyRegularFilesBelowAnAllowedDirectoryAreOpened) {
  const RegionLayout good = make();
  const std::string dir = fs::path(good.header_path).parent_path().string();
  const std::string outside = rig().dir() + "/elsewhere.ring";
  fs::copy_file(good.header_path, outside);
  fs::create_symlink(good.header_path, dir + "/link.ring");
  fs::create_directory_symlink(dir, dir + "-link");
  fs::create_hard_link(outside, rig().dir() + "/twin.ring");
  ASSERT_EQ(::mkfifo((dir + "/fifo.ring").c_str(), 0600), 0);
  fs::create_directory(dir + "/directory.ring");
  const std::string base = files_.base_dir();
  const std::vector<std::string> uris{
      "shm:file?path=" + dir + "/link.ring",
      "shm:file?path=" + dir + "-link/header.ring",
      "shm:file?path=" + dir + "/../" + fs::path(dir).filename().string() + "/header.ring",
      "shm:file?path=" + base + "/../" + fs::path(rig().dir()).filename().string() + "/elsewhere.ring",
      "shm:file?path=" + outside,
      "shm:file?path=" + dir + "/fifo.ring",
      "shm:file?path=" + dir + "/directory.ring",
      "shm:file?path=" + dir + "/missing.ring",
      "shm:file?path=/dev/zero",
      "shm:file?path=" + good.header_path.substr(1),
      "shm:file?path=",
      "shm:file?path=" + good.header_path + "|path=" + good.header_path,
      "shm:file?path=" + good.header_path + "|mode=666",
      "file:" + good.header_path,
      "",
      std::string(5000, 'x'),
  };
  for (const std::string& uri : uris) {
    auto response = grant_of(good, {});
    response.header_region_uri = uri;
    // An answer that makes no sense is asked for again until the time is over; a file that is no good ends the attach
    // at once.
    const std::string message = refusal(response, nanos_per_second / 2);
    EXPECT_NE(message, "attached") << uri;
    EXPECT_GT(message.size(), 20U) << "no reason for " << uri;
  }
  EXPECT_EQ(refusal(good), "attached") << "the honest one still works";
  fs::remove(dir + "/fifo.ring");
  fs::remove(outside);
  fs::remove(rig().dir() + "/twin.ring");
}

TEST_F(HostileFiles, AForgedAnnounceDoesNotTakeAwayWhatTheConsumerHas) {
  const RegionLayout current = make();
  forger_->answer_attaches([&](const auto& request) { return grant_of(current, request); });
  EventLog events;
  auto client = Client::connect(client_options(events));
  ASSERT_TRUE(client);
  auto consumer = client->attach_consumer({.stream_id = 1001});
  ASSERT_TRUE(consumer) << consumer.error().message;
  std::uint64_t seq = 0;
  const auto still_reads = [&](const RegionLayout& layout) {
    std::uint64_t read = 0;
    publish(layout, seq);
    EXPECT_TRUE(eventually([&] {
      consumer->poll(
          [&](const Frame& frame) { read = frame.epoch() == layout.epoch && frame.seq() == seq ? 1 : read; });
      return read == 1;
    })) << events.text();
    ++seq;
  };
  still_reads(current);

  forger_->answer_attaches([](const auto& request) {  // as a driver answers whose client asks again
    protocol::ShmAttachResponse response;
    response.correlation_id = request.correlation_id;
    response.code = protocol::ResponseCode::rejected;
    response.error_message = "client_id already attached";
    return response;
  });
  RegionLayout link = make();
  fs::create_symlink(link.header_path, link.header_path + ".link");
  link.header_path += ".link";
  ASSERT_TRUE(forger_->say(announce_of(link)));
  EXPECT_TRUE(eventually([&] { return events.count(EventKind::mapping_failed) == 1; })) << events.text();
  still_reads(current);

  const RegionLayout cut = make();
  fs::resize_file(cut.pools[1].path, 100);
  ASSERT_TRUE(forger_->say(announce_of(cut)));
  EXPECT_TRUE(eventually([&] { return events.count(EventKind::mapping_failed) == 2; })) << events.text();
  still_reads(current);

  RegionLayout old = files_.make(shm::small_spec(3), monotonic_now());
  ASSERT_TRUE(forger_->say(announce_of(old)));
  auto stale = announce_of(make());
  stale.announce_timestamp_ns -= 600 * nanos_per_second;
  ASSERT_TRUE(forger_->say(stale));
  still_reads(current);
  EXPECT_EQ(events.count(EventKind::remapped), 0U) << events.text();

  const RegionLayout next = make();
  ASSERT_TRUE(forger_->say(announce_of(next)));
  EXPECT_TRUE(eventually([&] { return events.heard(EventKind::remapped); }))
      << "an honest announce of a later epoch is followed";
  seq = 0;
  still_reads(next);
}

}  // namespace
}  // namespace tensorpool
