// A driver that lies about files, and files that are not what was promised: the consumer says why it refuses, and goes
// on with what it had.
#include <fmt/format.h>
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

std::string epoch_text(const RegionLayout& layout) { return fmt::format(" to epoch {}", layout.epoch); }

void expect_refusal(const std::string& message, const std::string& why) {
  EXPECT_NE(message.find(why), std::string::npos) << message << "\ndoes not say\n" << why;
}

TEST_F(HostileFiles, AnHonestAnswerIsAccepted) { EXPECT_EQ(refusal(make()), "attached"); }

TEST_F(HostileFiles, ARegionShorterThanDeclaredIsRefused) {
  const auto too_short = [](const std::string& path, std::uint64_t is, std::uint32_t slot_bytes) {
    return fmt::format("refused region {}: the file has {} bytes, {} slots of {} need {}", path, is, header_nslots,
                       slot_bytes, 64 + std::uint64_t{header_nslots} * slot_bytes);
  };
  const RegionLayout ring = make();
  fs::resize_file(ring.header_path, 64 + 256 * header_nslots - 1);
  expect_refusal(refusal(ring), too_short(ring.header_path, 64 + 256 * header_nslots - 1, 256));
  const RegionLayout pool = make();
  const shm::PoolLayout& cut = pool.pools[0];
  fs::resize_file(cut.path, 64);
  expect_refusal(refusal(pool), too_short(cut.path, 64, cut.stride_bytes));
  const RegionLayout empty = make();
  fs::resize_file(empty.header_path, 0);
  expect_refusal(refusal(empty), too_short(empty.header_path, 0, 256));
}

// One field of a superblock overwritten, and what is wrong with it then.
struct Change {
  std::uint64_t offset;
  std::size_t bytes;
  std::uint64_t value;
  std::string why;
};

std::string differs(const char* field, std::uint64_t is, std::uint64_t should_be) {
  return fmt::format(" {} is {}, the layout says {}", field, is, should_be);
}

// spec: wire 8.1, the superblock's fields by offset. What cannot be right in any region is told from what is not this
// region's.
std::vector<Change> changes_of(const RegionLayout& layout, bool of_pool) {
  constexpr std::uint64_t all_ones = ~std::uint64_t{0};
  constexpr std::uint64_t huge = 1U << 31;
  const std::string magic = ": magic is not that of a tensorpool region";
  const std::string version = ": layout_version is not 1";
  const std::string type = ": region_type is neither HEADER_RING nor PAYLOAD_POOL";
  const std::string ring_id = ": pool_id of a header ring is not 0";
  const std::string nslots = ": nslots is not a power of two";
  const std::string slot_fault = ": slot_bytes is neither the ring's 256 nor the pool's stride";
  const std::string stride_fault = ": stride_bytes is neither the ring's 0 nor a multiple of 64";
  const std::uint64_t pool_id = layout.pools[0].pool_id;
  return {
      {0, 8, 0, magic},
      {0, 8, all_ones, magic},
      {0, 1, 0x32, magic},
      {8, 4, 0, version},
      {8, 4, 2, version},
      {8, 4, 0xFFFFFFFF, version},
      {12, 8, 0, differs("epoch", 0, layout.epoch)},
      {12, 8, layout.epoch - 1, differs("epoch", layout.epoch - 1, layout.epoch)},
      {12, 8, all_ones, differs("epoch", all_ones, layout.epoch)},
      {20, 4, 0, differs("stream_id", 0, 1001)},
      {20, 4, 1002, differs("stream_id", 1002, 1001)},
      {20, 4, 0xFFFFFFFF, differs("stream_id", 0xFFFFFFFF, 1001)},
      {24, 2, 0, type},
      {24, 2, 3, type},
      {24, 2, 0xFFFF, type},
      of_pool ? Change{24, 2, 1, ring_id} : Change{24, 2, 2, stride_fault},  // the type of the other kind of region
      {26, 2, 7, of_pool ? differs("pool_id", 7, pool_id) : ring_id},
      {26, 2, 0xFFFF, of_pool ? differs("pool_id", 0xFFFF, pool_id) : ring_id},
      {28, 4, 0, nslots},
      {28, 4, 3, nslots},
      {28, 4, 8, differs("nslots", 8, header_nslots)},
      {28, 4, huge, differs("nslots", huge, header_nslots)},
      {32, 4, 0, slot_fault},
      {32, 4, 255, slot_fault},
      {32, 4, huge, slot_fault},
      {36, 4, 1, stride_fault},
      {36, 4, 63, stride_fault},
      {36, 4, huge, of_pool ? slot_fault : stride_fault},  // a stride that a pool may have, but not with these slots
  };
}

TEST_F(HostileFiles, EachFieldOfASuperblockIsHeldAgainstTheAnswer) {
  for (const bool of_pool : {false, true}) {
    for (std::size_t i = 0; i < changes_of(make(), of_pool).size(); ++i) {
      const RegionLayout layout = make();
      const Change change = changes_of(layout, of_pool)[i];
      const std::string& path = of_pool ? layout.pools[0].path : layout.header_path;
      overwrite(path, change.offset, change.value, change.bytes);
      SCOPED_TRACE(fmt::format("byte {} = {}", change.offset, change.value));
      // The whole sentence, path included: no word of it can come from elsewhere.
      expect_refusal(refusal(layout), fmt::format("refused region {}: superblock{}", path, change.why));
    }
  }
  RegionLayout swapped = make();
  swapped.header_path = swapped.pools[0].path;
  expect_refusal(refusal(swapped),
                 "refused region " + swapped.header_path + ": superblock" + differs("region_type", 2, 1));
}

// Pid and start time say who made the region, in whatever pid namespace; nobody decides by them. Nor by the activity at
// an attach, where the lease says who lives (an announce is another matter: see below). A pool need not state its slot
// bytes, but its stride.
TEST_F(HostileFiles, WhatASuperblockOnlyTellsIsNotHeldAgainstTheAnswer) {
  constexpr std::uint64_t all_ones = ~std::uint64_t{0};
  for (const std::uint64_t offset : {40U, 48U, 56U}) {
    for (const std::uint64_t value : {std::uint64_t{0}, all_ones, all_ones >> 1}) {
      const RegionLayout layout = make();
      overwrite(layout.header_path, offset, value, 8);
      overwrite(layout.pools[0].path, offset, value, 8);
      EXPECT_EQ(refusal(layout), "attached") << "byte " << offset << " = " << value;
    }
  }
  const RegionLayout unstated = make();
  const shm::PoolLayout& pool = unstated.pools[0];
  overwrite(pool.path, 32, 0xFFFFFFFF, 4);
  EXPECT_EQ(refusal(unstated), "attached");
  overwrite(pool.path, 36, 64, 4);
  expect_refusal(refusal(unstated),
                 "refused region " + pool.path + ": superblock" + differs("stride_bytes", 64, pool.stride_bytes));
}

TEST_F(HostileFiles, OnlyRegularFilesBelowAnAllowedDirectoryAreOpened) {
  const RegionLayout good = make();
  const std::string base = files_.base_dir();
  const std::string dir = fs::path(good.header_path).parent_path().string();
  const std::string outside = rig().dir() + "/elsewhere.ring";
  fs::copy_file(good.header_path, outside);
  fs::create_symlink(good.header_path, dir + "/link.ring");
  fs::create_directory_symlink(dir, dir + "-link");
  fs::copy_file(good.header_path, dir + "/twin.ring");
  fs::create_hard_link(dir + "/twin.ring", dir + "/other-twin.ring");
  fs::copy_file(good.header_path, dir + "/public.ring");
  fs::permissions(dir + "/public.ring", fs::perms(0666));
  ASSERT_EQ(::mkfifo((dir + "/fifo.ring").c_str(), 0600), 0);
  fs::create_directory(dir + "/directory.ring");

  struct Lie {
    std::string uri;
    std::string why;
  };
  const auto file = [](const std::string& path, const std::string& why) {
    return Lie{"shm:file?path=" + path, "refused to open region " + path + ": " + why};
  };
  // At `byte` counted from the start of the URI.
  const auto text = [](const std::string& uri, std::size_t byte, const std::string& why) {
    return Lie{uri, fmt::format("the header ring has the region URI \"{}\": region URI \"{}\": {}, at byte {}",
                                uri.substr(0, 200) + (uri.size() > 200 ? "..." : ""),
                                uri.substr(0, 120) + (uri.size() > 120 ? "..." : ""), why, byte)};
  };
  const std::string path_is = "shm:file?path=";
  const std::string good_uri = path_is + good.header_path;
  const std::string link = "a component is a symbolic link";
  const std::string no_file = "it is not a regular file";
  const std::string elsewhere = "it is not below an allowed base directory (" + base + ")";
  const std::string dots = "the path has a component \".\" or \"..\"";
  const std::string relative = "the path is not absolute";
  const std::string no_region = "does not start with \"shm:file?\"";
  const std::vector<Lie> lies{
      file(dir + "/link.ring", link),
      file(dir + "-link/header.ring", link),
      file(dir + "/fifo.ring", no_file),
      file(dir + "/directory.ring", no_file),
      file(dir + "/twin.ring", "it has 2 hard links"),
      file(dir + "/public.ring", "it is writable by everyone (mode 666)"),
      file(outside, elsewhere),
      file("/dev/zero", elsewhere),
      {path_is + dir + "/missing.ring", "cannot open region " + dir + "/missing.ring: No such file or directory"},
      text(path_is + dir + "/../header.ring", path_is.size() + dir.size() + 1, dots),
      text(path_is + base + "/../" + fs::path(rig().dir()).filename().string() + "/elsewhere.ring",
           path_is.size() + base.size() + 1, dots),
      text(path_is + good.header_path.substr(1), path_is.size(), relative),
      text(path_is, path_is.size(), relative),
      text(good_uri + "|path=" + good.header_path, good_uri.size() + 1, "\"path\" is there twice"),
      text(good_uri + "|mode=666", good_uri.size() + 1, "unknown key (known: path, require_hugepages)"),
      text("file:" + good.header_path, 0, no_region),
      text("", 0, no_region),
      text(std::string(5000, 'x'), 4096, "longer than 4096 bytes"),
  };
  for (const Lie& lie : lies) {
    auto response = grant_of(good, {});
    response.header_region_uri = lie.uri;
    // An answer that makes no sense is asked for again until the time is over; a file that is no good ends the attach
    // at once.
    expect_refusal(refusal(response, nanos_per_second / 2), lie.why);
  }
  EXPECT_EQ(refusal(good), "attached") << "the honest one still works";
  fs::remove(dir + "/fifo.ring");
  fs::remove(outside);
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

  const RegionLayout dead = files_.make(shm::small_spec(++epoch_), monotonic_now() - 600 * nanos_per_second);
  ASSERT_TRUE(forger_->say(announce_of(dead)));
  EXPECT_TRUE(eventually([&] { return events.count(EventKind::mapping_failed) == 3; })) << events.text();
  still_reads(current);

  // Nothing tells when these were read, but that an honest one, said after them on the same publication, was followed.
  RegionLayout old = files_.make(shm::small_spec(3), monotonic_now());
  ASSERT_TRUE(forger_->say(announce_of(old)));
  auto stale = announce_of(make());
  stale.announce_timestamp_ns -= 600 * nanos_per_second;
  ASSERT_TRUE(forger_->say(stale));
  still_reads(current);

  const RegionLayout next = make();
  ASSERT_TRUE(forger_->say(announce_of(next)));
  EXPECT_TRUE(eventually([&] { return events.heard(EventKind::remapped, epoch_text(next)); })) << events.text();
  seq = 0;
  still_reads(next);
  EXPECT_EQ(events.count(EventKind::remapped), 1U) << events.text();
  EXPECT_EQ(events.count(EventKind::mapping_failed), 3U) << events.text();
  const auto failed = [&](const RegionLayout& layout, const std::string& why) {
    EXPECT_TRUE(events.heard(EventKind::mapping_failed, fmt::format("stream 1001 epoch {} was announced, but cannot be "
                                                                    "used: {}",
                                                                    layout.epoch, why)))
        << events.text();
  };
  failed(link, "refused to open region " + link.header_path + ": a component is a symbolic link");
  failed(cut, "refused region " + cut.pools[1].path + ": the file has 100 bytes");
  failed(dead, "its superblocks show no activity");
}

}  // namespace
}  // namespace tensorpool
