// The user's three programs with the document's own configuration: whichever starts first, they find each other, and
// end by count. Only directories are overridden, by environment, so that tests run side by side.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "support/child.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

const std::string config = TENSORPOOL_SOURCE_DIR "/docs/examples/driver_integration_example.toml";
const std::string defaults = TENSORPOOL_SOURCE_DIR "/config/defaults.toml";
constexpr std::uint64_t stride = 655360;
constexpr std::uint64_t slots = 64;

class UserFlow : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(base_dir_);
    fs::permissions(base_dir_, fs::perms(0755));
  }
  void TearDown() override { EXPECT_EQ(files_below(dir_.path()), ""); }

  std::unique_ptr<Child> run(std::vector<std::string> command) const {
    return std::make_unique<Child>(std::move(command), environment_);
  }
  auto driver() const { return run({EXAMPLE_DRIVER, config}); }
  auto producer(const std::string& count) const { return run({EXAMPLE_PRODUCER, config, defaults, count}); }
  auto consumer(const std::string& count) const { return run({EXAMPLE_CONSUMER, config, defaults, count}); }

  static void expect_end(Child& child, int status) { EXPECT_EQ(child.wait(), status) << child.output(); }
  static void interrupt(Child& child) {
    child.signal(SIGINT);
    expect_end(child, 0);
  }

  TempDir dir_{"tp-user", "/dev/shm"};
  std::string base_dir_ = dir_.path() + "/shm";
  std::vector<std::string> environment_{"DRIVER_AERON_DIR=" + dir_.path() + "/aeron", "SHM_BASE_DIR=" + base_dir_,
                                        "POLICIES_CLEANUP_SHM_ON_EXIT=true"};
};

TEST_F(UserFlow, EndsByCountWhenTheDriverStartsFirst) {
  auto d = driver();
  ASSERT_TRUE(d->await("serves control stream 15000")) << d->output();
  auto c = consumer("20");
  auto p = producer("60");
  expect_end(*c, 0);
  expect_end(*p, 0);
  EXPECT_TRUE(c->said("20 frames verified, 0 mismatches")) << c->output();
  EXPECT_TRUE(p->said("60 frames of 655360 bytes published")) << p->output();
  interrupt(*d);
}

TEST_F(UserFlow, EndsByCountWhenTheConsumerStartsFirst) {
  auto c = consumer("20");
  ASSERT_TRUE(c->await("media driver")) << "it does not say what it waits for" << c->output();
  auto p = producer("60");
  ASSERT_TRUE(p->await("media driver")) << "it does not say what it waits for" << p->output();
  auto d = driver();
  expect_end(*c, 0);
  expect_end(*p, 0);
  interrupt(*d);
}

TEST_F(UserFlow, EndsByCountWhenTheConsumerStartsLast) {
  auto p = producer("0");
  ASSERT_TRUE(p->await("media driver")) << p->output();
  auto d = driver();
  ASSERT_TRUE(p->await("frames published")) << p->output();
  auto c = consumer("20");
  expect_end(*c, 0);
  interrupt(*p);
  interrupt(*d);
}

TEST_F(UserFlow, EndsWithStatusOneAtAWrongByte) {
  environment_.emplace_back("POLICIES_LEASE_EXPIRY_GRACE_INTERVALS=60");  // the stopped producer keeps its place
  auto d = driver();
  auto p = producer("0");
  ASSERT_TRUE(p->await("frames published")) << p->output();
  p->signal(SIGSTOP);
  std::string newest;
  for (const auto& entry : fs::recursive_directory_iterator(base_dir_)) {
    if (entry.path().filename() == "1.pool" && entry.path().string() > newest) newest = entry.path().string();
  }
  ASSERT_NE(newest, "");
  const int pool = ::open(newest.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(pool, 0);
  for (std::uint64_t slot = 0; slot < slots; ++slot) {
    unsigned char wrong = 0xFF;  // right for one slot in 256 frames; the consumer's first is the newest of all
    ASSERT_EQ(::pwrite(pool, &wrong, 1, static_cast<off_t>(64 + slot * stride + 1000)), 1);
  }
  ::close(pool);
  auto c = consumer("1");
  expect_end(*c, 1);
  EXPECT_TRUE(c->said("the byte at 1000 is wrong")) << c->output();
  EXPECT_TRUE(c->said("0 frames verified, 1 mismatches")) << c->output();
  p->signal(SIGCONT);
  interrupt(*p);
  interrupt(*d);
}

}  // namespace
}  // namespace tensorpool
