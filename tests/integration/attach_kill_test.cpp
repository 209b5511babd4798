// kill -9 of a client before every single system call of its life on a real media driver: it connects, attaches, works
// and leaves. Whatever it was about to do, others go on, what it was granted comes back, and nothing of it stays.
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "support/killed_child.hpp"
#include "support/need.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

class AttachKill : public RigTest {
 protected:
  AttachKill() {
    rig({.client_liveness_ns = nanos_per_second, .own_stream_range = "31000-31003"}).start();
    others_[0] = rig().spawn_producer();
    others_[1] = rig().spawn_consumer();
    EXPECT_TRUE(consumer().advances("delivered")) << consumer().output();
    others_before_ = resources();
  }

  // Kills who leads that life, in a copy of this process with one thread, before one of its system calls after the
  // other. The life is told which one it is.
  void kill_everywhere(const std::function<void(Client&, std::uint32_t)>& life) {
    const char* const given = std::getenv("TENSORPOOL_EVERY_NTH");
    const long every = given != nullptr ? std::max(1L, std::strtol(given, nullptr, 10)) : 7;
    ClientOptions options = rig().client_options("victim");
    options.invoker = true;
    options.counters = false;
    std::uint32_t kills = 0;
    const auto lead = [&] {
      Client client = need(Client::connect(options));
      life(client, kills);
    };
    bool ended = false;
    for (long calls = 0; !ended && !HasFailure(); calls += every, ++kills) {
      const Killed killed = run_and_kill(lead, Step::system_call, calls);
      ASSERT_EQ(killed.failure, "") << "after " << calls << " system calls";
      ended = killed.ended;
      EXPECT_TRUE(producer().running() && consumer().running()) << "somebody else died";
    }
    std::printf("seen: %u kills at system calls\n", kills);
    EXPECT_GT(kills, 10U);
  }

  // Leases come back when they run out, Aeron's resources when the dead are silent for its time-out.
  void expect_unharmed() {
    EXPECT_TRUE(eventually([&] { return rig().driver_status().leases.size() == 2; })) << "a lease of the dead is left";
    EXPECT_TRUE(eventually([&] { return resources() <= others_before_; }))
        << resources() << " files of Aeron instead of " << others_before_;
    EXPECT_TRUE(consumer().advances("delivered", 100)) << consumer().output();
    EXPECT_EQ(producer().value("not_committed"), 0U) << producer().output();
    EXPECT_EQ(producer().value("not_attached"), 0U) << producer().output();
    EXPECT_EQ(consumer().value("bad") + consumer().value("disorder"), 0U) << consumer().output();
    for (const auto& other : others_) {
      for (const char* trouble : {"revoked", "refused", "mapping_failed", "driver_silent", "media_driver_lost"}) {
        EXPECT_FALSE(other->said(fmt::format("event {}", trouble))) << other->output();
      }
    }
    auto late = rig().spawn_consumer();
    EXPECT_TRUE(late->advances("delivered", 20)) << late->output();
    for (Child* child : {late.get(), &consumer(), &producer()}) {
      child->close_input();
      EXPECT_EQ(child->wait(), 0) << child->output();
    }
  }

  [[nodiscard]] Child& producer() const { return *others_[0]; }
  [[nodiscard]] Child& consumer() const { return *others_[1]; }

 private:
  // Log buffers of publications and images: whoever died held some.
  [[nodiscard]] std::size_t resources() {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(rig().aeron_dir())) {
      count += entry.path().extension() == ".logbuffer" ? 1 : 0;
    }
    return count;
  }

  std::array<std::unique_ptr<Child>, 2> others_;
  std::size_t others_before_ = 0;
};

TEST_F(AttachKill, OfAConsumerHarmsNobody) {
  kill_everywhere([](Client& client, std::uint32_t) {
    Consumer consumer = need(client.attach_consumer({.stream_id = Rig::stream, .own_streams = true}));
    for (int frames = 0; frames < 5;) {
      client.do_work(monotonic_now());
      frames += consumer.poll([](const Frame&) {});
    }
  });
  expect_unharmed();
}

// Each on a stream of its own, which nobody holds a lease of.
TEST_F(AttachKill, OfAProducerHarmsNobody) {
  kill_everywhere([](Client& client, std::uint32_t kills) {
    Producer producer = need(client.attach_producer({.stream_id = 20000 + kills % 100, .create = true}));
    for (int frames = 0; frames < 3; ++frames) {
      client.do_work(monotonic_now());
      publish_pattern(producer, 1000);
    }
  });
  expect_unharmed();
}

}  // namespace
}  // namespace tensorpool
