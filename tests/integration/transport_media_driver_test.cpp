// What only the real media driver has: processes, files, users and locks.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file_lock.hpp"
#include "base/user.hpp"
#include "support/temp_dir.hpp"
#include "transport/connection.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::transport {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds watchdog{20};
constexpr uid_t nobody = 65534;

bool until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + watchdog;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// A forked process; killed at the latest when the test ends. It leaves by _exit, so that no test runs twice.
class Child {
 public:
  explicit Child(const std::function<int()>& body) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(body());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) kill();
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }
  void kill() {
    signal(SIGKILL);
    signal(SIGCONT);
    (void)wait();
  }
  // The exit status, or 128 + signal.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

// A process that embeds a media driver until it is killed.
int serve(const std::string& dir) {
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir});
  if (!driver) return 1;
  for (;;) ::pause();
}

class MediaDriver : public testing::Test {
 protected:
  bool serves() const { return probe_media_driver(dir_).state == MediaDriverState::alive; }

  // Rewrites the 64-bit words of the command-and-control file; how many became others.
  int change_cnc(const std::function<std::int64_t(std::int64_t)>& change) const {
    std::vector<std::int64_t> words(fs::file_size(dir_ + "/cnc.dat") / sizeof(std::int64_t));
    std::fstream file(dir_ + "/cnc.dat", std::ios::in | std::ios::out | std::ios::binary);
    file.read(reinterpret_cast<char*>(words.data()), static_cast<std::streamsize>(words.size() * sizeof words[0]));
    int changed = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::int64_t other = change(words[i]);
      if (other == words[i]) continue;
      ++changed;
      file.seekp(static_cast<std::streamoff>(i * sizeof other))
          .write(reinterpret_cast<const char*>(&other), sizeof other);
    }
    return changed;
  }

  TempDir parent_{"tp-media-driver", "/dev/shm"};
  std::string dir_ = parent_.path() + "/aeron";
};

unsigned mode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

TEST(DefaultAeronDirectory, IsTheEffectiveUsersWhateverUserSays) {
  const char* const before = std::getenv("USER");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("USER", "somebody-else", 1);
  EXPECT_EQ(default_aeron_dir(), "/dev/shm/aeron-" + effective_user_name());
  before == nullptr ? ::unsetenv("USER") : ::setenv("USER", kept.c_str(), 1);
}

TEST_F(MediaDriver, KeepsItsDirectoryPrivate) {
  const mode_t before = ::umask(0);
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_TRUE(driver) << driver.error().message;
  EXPECT_EQ(::umask(before), 0U) << "the umask of the process must not change";
  EXPECT_EQ(mode_of(dir_), 0700U);
  EXPECT_EQ(mode_of(dir_ + "/publications"), 0700U);
  EXPECT_EQ(mode_of(dir_ + "/cnc.dat"), 0600U);
  auto connection = Connection::open({.aeron_dir = dir_});
  ASSERT_TRUE(connection) << connection.error().message;
  const auto publication = connection->add_publication("aeron:ipc?term-length=64k", 1);
  ASSERT_TRUE(publication) << publication.error().message;
  for (const auto& log : fs::directory_iterator(dir_ + "/publications")) EXPECT_EQ(mode_of(log.path()), 0600U);
}

TEST_F(MediaDriver, OpensItsDirectoryToTheGroupIfAsked) {
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_, .group_access = true});
  ASSERT_TRUE(driver) << driver.error().message;
  EXPECT_EQ(mode_of(dir_), 02770U);
  EXPECT_EQ(mode_of(dir_ + "/publications"), 02770U);
  EXPECT_EQ(mode_of(dir_ + "/cnc.dat"), 0660U);
}

TEST_F(MediaDriver, LeavesNothingButAnEmptyLockFile) {
  {
    const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
    ASSERT_TRUE(driver) << driver.error().message;
    EXPECT_TRUE(driver->alive());
    EXPECT_EQ(driver->dir(), dir_);
  }
  std::string left;
  for (const auto& file : fs::directory_iterator(parent_.path())) left += file.path().filename().string() + " ";
  EXPECT_EQ(left, "aeron.lock ");
  EXPECT_EQ(fs::file_size(dir_ + ".lock"), 0U);
}

TEST_F(MediaDriver, ReservesItsFilesAtOnce) {
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_TRUE(driver) << driver.error().message;
  auto connection = Connection::open({.aeron_dir = dir_});
  ASSERT_TRUE(connection) << connection.error().message;
  const auto publication = connection->add_publication("aeron:ipc?term-length=64k", 1);
  ASSERT_TRUE(publication) << publication.error().message;
  int logs = 0;
  for (const auto& log : fs::directory_iterator(dir_ + "/publications")) {
    struct stat info {};
    ASSERT_EQ(::stat(log.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_size, 200704);  // three terms and the meta data
    EXPECT_GE(info.st_blocks * 512, info.st_size) << "a sparse log ends in SIGBUS when the file system fills";
    ++logs;
  }
  EXPECT_EQ(logs, 1);
}

TEST_F(MediaDriver, RefusesADirectoryThatAnotherProcessServes) {
  const Child other([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); }));
  const auto inode = [this] {
    struct stat info {};
    return ::stat((dir_ + "/cnc.dat").c_str(), &info) == 0 ? info.st_ino : 0;
  };
  const ino_t before = inode();
  const auto second = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::already_exists);
  EXPECT_NE(second.error().message.find(std::to_string(other.pid())), std::string::npos) << second.error().message;
  EXPECT_EQ(inode(), before) << "the other one's files were touched";
  EXPECT_TRUE(serves());
}

TEST_F(MediaDriver, RefusesWhileTheLockIsHeld) {
  const auto lock = FileLock::try_acquire(dir_ + ".lock");
  ASSERT_TRUE(lock);
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_FALSE(driver);
  EXPECT_EQ(driver.error().code, ErrorCode::already_exists);
  EXPECT_NE(driver.error().message.find("process " + std::to_string(::getpid())), std::string::npos)
      << driver.error().message;
  EXPECT_FALSE(fs::exists(dir_));
}

TEST_F(MediaDriver, StartsAtOnceAfterItsPredecessorWasKilled) {
  Child predecessor([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); }));
  predecessor.kill();
  EXPECT_TRUE(fs::exists(dir_ + "/cnc.dat"));
  EXPECT_EQ(probe_media_driver(dir_).state, MediaDriverState::stale);
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_TRUE(driver) << driver.error().message;
  EXPECT_TRUE(Connection::open({.aeron_dir = dir_}));
}

// The dead one's number belongs to somebody else by now, who lives and has nothing to do with it.
TEST_F(MediaDriver, StartsAtOnceThoughAnotherProcessHasItsPredecessorsNumber) {
  Child predecessor([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); }));
  const auto number = static_cast<std::int64_t>(predecessor.pid());
  predecessor.kill();
  const Child stranger([] { return ::pause(); });
  const auto reused = static_cast<std::int64_t>(stranger.pid());
  ASSERT_EQ(change_cnc([&](std::int64_t word) { return word == number ? reused : word; }), 1);
  struct stat before {};
  ASSERT_EQ(::stat((dir_ + ".lock").c_str(), &before), 0);
  std::ofstream(dir_ + ".lock") << reused << '\n';
  const std::array<timespec, 2> times{before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, (dir_ + ".lock").c_str(), times.data(), 0), 0);
  EXPECT_EQ(probe_media_driver(dir_).pid, reused);
  EXPECT_EQ(probe_media_driver(dir_).state, MediaDriverState::stale);
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_TRUE(driver) << driver.error().message;
  EXPECT_TRUE(Connection::open({.aeron_dir = dir_}));
}

// Found by the soak: a successor took the dead one's half-made file for that of somebody who is starting.
TEST_F(MediaDriver, StartsAtOnceAfterItsPredecessorWasKilledWhileItStarted) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{70000}}) {
    Child predecessor([this, length] {
      const auto lock = FileLock::try_acquire(dir_ + ".lock");
      if (!lock) return 1;
      fs::create_directory(dir_);
      std::ofstream(dir_ + "/cnc.dat.new") << std::string(length, '\0');
      fs::rename(dir_ + "/cnc.dat.new", dir_ + "/cnc.dat");
      for (;;) ::pause();
    });
    ASSERT_TRUE(until([this] { return fs::exists(dir_ + "/cnc.dat"); }));
    EXPECT_EQ(probe_media_driver(dir_).state, MediaDriverState::silent) << "it holds the lock";
    predecessor.kill();
    const MediaDriverProbe probe = probe_media_driver(dir_);
    EXPECT_EQ(probe.state, MediaDriverState::stale) << probe.detail;
    const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
    ASSERT_TRUE(driver) << driver.error().message;
    EXPECT_TRUE(Connection::open({.aeron_dir = dir_}));
  }
}

// Without a word of ours in the lock file the dead process might as well live in another pid namespace.
TEST_F(MediaDriver, DoesNotTakeOverFromAnUnseenProcessBeforeItsHeartbeatRanOut) {
  Child predecessor([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); }));
  predecessor.kill();
  fs::remove(dir_ + ".lock");
  EXPECT_EQ(probe_media_driver(dir_).state, MediaDriverState::maybe_dead);
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_FALSE(driver);
  EXPECT_EQ(driver.error().code, ErrorCode::already_exists);
  EXPECT_TRUE(fs::exists(dir_ + "/cnc.dat"));
  const auto patient =
      EmbeddedMediaDriver::start({.aeron_dir = dir_, .wait_for_predecessor_ns = 15 * nanos_per_second});
  EXPECT_TRUE(patient) << patient.error().message;
}

// By the clock as it was set back since, a dead one's heartbeat is yet to come.
TEST_F(MediaDriver, TakesOverFromAnUnseenProcessWhoseHeartbeatStandsStillInTheFuture) {
  Child predecessor([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); }));
  predecessor.kill();
  fs::remove(dir_ + ".lock");
  constexpr std::int64_t day_ms = 86'400'000;
  const std::int64_t now_ms = realtime_now() / nanos_per_milli;
  const int stamps =
      change_cnc([&](std::int64_t word) { return word > now_ms - 60'000 && word <= now_ms ? word + day_ms : word; });
  EXPECT_GE(stamps, 2) << "of its start and of its last heartbeat";
  EXPECT_EQ(probe_media_driver(dir_).state, MediaDriverState::maybe_dead);
  EXPECT_GT(probe_media_driver(dir_).heartbeat_at_ns, realtime_now());
  const auto patient =
      EmbeddedMediaDriver::start({.aeron_dir = dir_, .wait_for_predecessor_ns = 15 * nanos_per_second});
  EXPECT_TRUE(patient) << patient.error().message;
}

TEST_F(MediaDriver, NeverDeletesADirectoryThatHoldsAnythingElse) {
  fs::create_directory(dir_);
  std::ofstream(dir_ + "/thesis.tex") << "years of work";
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_FALSE(driver);
  EXPECT_NE(driver.error().message.find("thesis.tex"), std::string::npos) << driver.error().message;
  EXPECT_TRUE(fs::exists(dir_ + "/thesis.tex"));
}

TEST_F(MediaDriver, RefusesALinkAndAPlaceOpenToAll) {
  fs::create_directory(parent_.path() + "/elsewhere");
  fs::create_directory_symlink(parent_.path() + "/elsewhere", dir_);
  EXPECT_FALSE(EmbeddedMediaDriver::start({.aeron_dir = dir_}));
  EXPECT_TRUE(fs::exists(parent_.path() + "/elsewhere"));

  const std::string open_place = parent_.path() + "/open";
  fs::create_directory(open_place);
  ASSERT_EQ(::chmod(open_place.c_str(), 0777), 0);
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = open_place + "/aeron"});
  ASSERT_FALSE(driver);
  EXPECT_EQ(driver.error().code, ErrorCode::permission_denied);
  EXPECT_NE(driver.error().message.find("writable by everybody"), std::string::npos) << driver.error().message;
}

TEST_F(MediaDriver, SaysWhenItsSettingsContradict) {
  const auto driver = EmbeddedMediaDriver::start(
      {.aeron_dir = dir_, .client_liveness_ns = 5 * nanos_per_second, .publication_unblock_ns = nanos_per_second});
  ASSERT_FALSE(driver);
  EXPECT_NE(driver.error().message.find(dir_), std::string::npos) << driver.error().message;
  EXPECT_FALSE(fs::exists(dir_)) << "something half-made is left";
  EXPECT_TRUE(EmbeddedMediaDriver::start({.aeron_dir = dir_}));
}

TEST_F(MediaDriver, ClosesConnectionsSoonAfterItIsKilled) {
  Child server([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); }));
  auto connection = Connection::open({.aeron_dir = dir_});
  ASSERT_TRUE(connection) << connection.error().message;
  auto subscription = connection->add_subscription("aeron:ipc?term-length=64k", 1);
  auto publication = connection->add_publication("aeron:ipc?term-length=64k", 1);
  ASSERT_TRUE(subscription && publication);
  server.kill();
  ASSERT_TRUE(until([&] { return connection->do_work(), connection->is_closed(); }));
  EXPECT_NE(connection->last_error().find("keepalive"), std::string::npos) << connection->last_error();
  EXPECT_EQ(publication->offer({}), OfferResult::closed);
}

TEST_F(MediaDriver, OneThatIsStoppedIsCalledSilent) {
  const Child server([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); }));
  server.signal(SIGSTOP);
  ASSERT_TRUE(until([this] { return probe_media_driver(dir_).state == MediaDriverState::silent; }));
  ConnectionOptions options;
  options.aeron_dir = dir_;
  options.driver_timeout_ns = 100 * nanos_per_milli;
  const auto connection = Connection::open(options);
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::timed_out);
  EXPECT_NE(connection.error().message.find("lives but its last heartbeat"), std::string::npos)
      << connection.error().message;
  // A duty cycle that reconnects may wait for nobody.
  options.driver_timeout_ns = 600 * nanos_per_second;
  options.wait_for_driver = false;
  const auto at_once = Connection::open(options);
  ASSERT_FALSE(at_once);
  EXPECT_NE(at_once.error().message.find("(waited 0 ms)"), std::string::npos) << at_once.error().message;
  EXPECT_FALSE(EmbeddedMediaDriver::start({.aeron_dir = dir_}));
  server.signal(SIGCONT);
  EXPECT_TRUE(until([this] { return serves(); }));
}

TEST_F(MediaDriver, ADeadOneIsCalledDead) {
  Child server([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); }));
  server.kill();
  const auto connection = Connection::open({.aeron_dir = dir_});
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::unavailable);
  EXPECT_NE(connection.error().message.find("is dead"), std::string::npos) << connection.error().message;
}

TEST_F(MediaDriver, ACncFileThatIsCutShortIsNotServed) {
  fs::create_directory(dir_);
  for (const std::size_t length : {std::size_t{0}, std::size_t{10}, std::size_t{256}, std::size_t{70000}}) {
    std::ofstream(dir_ + "/cnc.dat") << std::string(length, '\0');
    const MediaDriverProbe probe = probe_media_driver(dir_);
    EXPECT_EQ(probe.state, MediaDriverState::silent) << probe.detail;
    ConnectionOptions options;
    options.aeron_dir = dir_;
    options.driver_timeout_ns = 50 * nanos_per_milli;
    const auto connection = Connection::open(options);
    ASSERT_FALSE(connection);
    EXPECT_EQ(connection.error().code, ErrorCode::timed_out) << connection.error().message;
  }
}

// Nobody may take the directory from it because he has no descriptor left to look at it.
TEST_F(MediaDriver, IsNotTakenForDeadByAProcessThatCannotOpenFiles) {
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_TRUE(driver) << driver.error().message;
  fs::last_write_time(dir_ + "/cnc.dat", fs::file_time_type::clock::now() - std::chrono::hours(1));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const MediaDriverProbe probe = probe_media_driver(dir_);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(probe.state, MediaDriverState::unexamined) << probe.detail;
  EXPECT_NE(probe.detail.find("Too many open files"), std::string::npos) << probe.detail;
  EXPECT_NE(probe.detail.find("ulimit -n"), std::string::npos) << probe.detail;
}

// As a process without address space meets it: files can be read, but not mapped.
TEST_F(MediaDriver, OfAnotherProgramKeepsItsFilesFromOneThatCannotMapThem) {
  const Child foreign([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); })) << probe_media_driver(dir_).detail;
  fs::remove(dir_ + ".lock");  // which only ours has
  fs::last_write_time(dir_ + "/cnc.dat", fs::file_time_type::clock::now() - std::chrono::hours(1));
  Child starved([this] {
    const auto in_use = [] {
      std::size_t pages = 0;
      std::ifstream("/proc/self/statm") >> pages;
      return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    };
    const rlimit little{in_use() + (std::size_t{4} << 20), RLIM_INFINITY};
    if (::setrlimit(RLIMIT_AS, &little) != 0) return 2;
    if (probe_media_driver(dir_).state != MediaDriverState::unexamined) return 3;
    const auto started = EmbeddedMediaDriver::start({.aeron_dir = dir_});
    if (started) return 4;
    if (started.error().message.find("Cannot allocate memory") == std::string::npos) return 5;
    return started.error().code == ErrorCode::no_space ? 0 : 6;
  });
  EXPECT_EQ(starved.wait(), 0);
  EXPECT_TRUE(serves());
}

// Neither the version of another Aeron nor a file that is none is a sign of death, however old.
TEST_F(MediaDriver, OfAnUnknownFormatKeepsItsFiles) {
  fs::create_directory(dir_);
  std::string bytes(70000, 'x');
  for (const char* const first : {"xxxx", "\x01\x00\x07\x00"}) {
    bytes.replace(0, 4, std::string(first, 4));
    std::ofstream(dir_ + "/cnc.dat") << bytes;
    fs::last_write_time(dir_ + "/cnc.dat", fs::file_time_type::clock::now() - std::chrono::hours(1));
    const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
    ASSERT_FALSE(driver);
    EXPECT_EQ(driver.error().code, ErrorCode::unsupported) << driver.error().message;
    EXPECT_EQ(fs::file_size(dir_ + "/cnc.dat"), bytes.size());
    const auto connection = Connection::open({.aeron_dir = dir_});
    ASSERT_FALSE(connection);
    EXPECT_EQ(connection.error().code, ErrorCode::unsupported) << connection.error().message;
  }
}

// Whoever is named in it and has it mapped may be stopped in the middle of its start.
TEST_F(MediaDriver, ThatIsStoppedWhileItStartsKeepsItsFiles) {
  Child foreign([this] { return serve(dir_); });
  ASSERT_TRUE(until([this] { return serves(); }));
  foreign.signal(SIGSTOP);
  fs::remove(dir_ + ".lock");
  const std::string file = dir_ + "/cnc.dat";
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).write("\0\0\0\0", 4);  // no version yet
  fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(probe_media_driver(dir_).state, MediaDriverState::silent);
  EXPECT_FALSE(EmbeddedMediaDriver::start({.aeron_dir = dir_}));
  EXPECT_TRUE(fs::exists(file));
  foreign.kill();
  EXPECT_EQ(probe_media_driver(dir_).state, MediaDriverState::stale);
  EXPECT_TRUE(EmbeddedMediaDriver::start({.aeron_dir = dir_}));
}

// Root passes every mode, so the client is a child that becomes nobody.
TEST_F(MediaDriver, TellsAnUnprivilegedUserAboutPermissionsAtOnce) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  ASSERT_EQ(::chmod(parent_.path().c_str(), 0755), 0);
  const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_TRUE(driver) << driver.error().message;
  const std::string report = parent_.path() + "/report";
  std::ofstream(report).close();
  ASSERT_EQ(::chmod(report.c_str(), 0666), 0);
  Child client([&] {
    if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return 2;
    ConnectionOptions options;
    options.aeron_dir = dir_;
    options.driver_timeout_ns = 600 * nanos_per_second;  // it must not be waited for
    const auto connection = Connection::open(options);
    if (connection) return 3;
    std::ofstream(report) << connection.error().message;
    return connection.error().code == ErrorCode::permission_denied ? 0 : 4;
  });
  EXPECT_EQ(client.wait(), 0);
  std::string message;
  std::getline(std::ifstream(report), message);
  EXPECT_NE(message.find("user 65534 may not use the media driver in " + dir_), std::string::npos) << message;
  EXPECT_NE(message.find("belongs to user 0, group 0, mode 0700"), std::string::npos) << message;
}

TEST_F(MediaDriver, AnUnprivilegedUserCannotTakeADirectoryOfAnother) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  ASSERT_EQ(::chmod(parent_.path().c_str(), 01777), 0);
  fs::create_directory(dir_);
  Child other([&] {
    if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return 2;
    const auto driver = EmbeddedMediaDriver::start({.aeron_dir = dir_});
    return !driver && driver.error().code == ErrorCode::permission_denied ? 0 : 3;
  });
  EXPECT_EQ(other.wait(), 0);
  EXPECT_TRUE(fs::exists(dir_));
}

TEST_F(MediaDriver, ReportsItsErrors) {
  std::mutex mutex;
  std::string seen;
  MediaDriverOptions options;
  options.aeron_dir = dir_;
  options.on_error = [&](int, std::string_view message) {
    const std::lock_guard guard(mutex);
    seen += message;
  };
  const auto driver = EmbeddedMediaDriver::start(options);
  ASSERT_TRUE(driver) << driver.error().message;
  auto connection = Connection::open({.aeron_dir = dir_});
  ASSERT_TRUE(connection);
  EXPECT_FALSE(connection->add_publication("aeron:ipc?pub-wnd=1k|term-length=64k", 1));
  EXPECT_TRUE(until([&] {
    const std::lock_guard guard(mutex);
    return seen.find("pub-wnd") != std::string::npos || !seen.empty();
  }));
  EXPECT_GE(driver->errors(), 1U);
}

}  // namespace
}  // namespace tensorpool::transport
