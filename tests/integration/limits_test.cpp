// What the system limits for a process: an error that names the limit, and nobody dies of it.
#include <pthread.h>
#include <sys/resource.h>

#include <filesystem>

#include "support/rig.hpp"
#include "tensorpool/monitor.hpp"

namespace tensorpool {
namespace {

class Limits : public RigTest {};

// The kernel would kill a process that makes a file longer than it may.
TEST_F(Limits, OfAFilesSizeRefuseAttachesUntilTheyAreRaised) {
  rig().start_media();
  Child driver({"/usr/bin/prlimit", "--fsize=262144:", TP_BINARY, "driver", "run", rig().config_path()});
  ASSERT_TRUE(driver.await("serves control stream")) << driver.output();
  Client client = rig().connect("limited");
  const auto refused = client.attach_producer({.stream_id = Rig::stream});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_NE(refused.error().message.find("File too large (this process's limit: ulimit -f"), std::string::npos)
      << refused.error().message;
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  ASSERT_EQ(::prlimit(driver.pid(), RLIMIT_FSIZE, &unlimited, nullptr), 0) << "the hard limit is low already";
  auto producer = client.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer) << producer.error().message;
  EXPECT_TRUE(is_committed(publish_pattern(*producer, 60000)));
  producer = Error{};
  end_driver(driver);
}

// Threads whose stacks no address space holds: refused as by a limit of threads, which does not bind root.
TEST_F(Limits, OfThreadsAreErrorsOfThoseWhoNeedOne) {
  rig().start();
  pthread_attr_t usual;
  pthread_attr_t huge;
  ASSERT_EQ(::pthread_getattr_default_np(&usual), 0);
  ASSERT_EQ(::pthread_attr_init(&huge), 0);
  ASSERT_EQ(::pthread_attr_setstacksize(&huge, std::size_t{1} << 47U), 0);
  ASSERT_EQ(::pthread_setattr_default_np(&huge), 0);
  const auto client = Client::connect(rig().client_options("threadless"));
  const auto monitor = Monitor::open(rig().client_options("threadless"));
  transport::MediaDriverOptions options;
  options.aeron_dir = rig().dir() + "/another";
  const auto media = transport::EmbeddedMediaDriver::start(options);
  ASSERT_EQ(::pthread_setattr_default_np(&usual), 0);
  const auto expect_refused = [](const char* who, bool failed, const std::string& message) {
    EXPECT_TRUE(failed) << who;
    EXPECT_NE(message.find("cannot start a thread: Resource temporarily unavailable (limits: ulimit -u"),
              std::string::npos)
        << who << ": " << message;
  };
  expect_refused("client", !client, client ? "" : client.error().message);
  expect_refused("monitor", !monitor, monitor ? "" : monitor.error().message);
  expect_refused("media driver", !media, media ? "" : media.error().message);
  EXPECT_FALSE(std::filesystem::exists(options.aeron_dir));
  EXPECT_TRUE(Client::connect(rig().client_options("later")));
}

}  // namespace
}  // namespace tensorpool
