// A driver whose base directory is a hugetlbfs, mounted for the test in a mount namespace of its own. Most machines
// have no huge pages to give: then the attach is refused and says how to get them. Where there are some, frames pass.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "support/child.hpp"
#include "support/rig.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

std::uint64_t free_huge_pages() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);) {
    if (line.rfind("HugePages_Free:", 0) == 0) return std::strtoull(line.c_str() + 15, nullptr, 10);
  }
  return 0;
}

TEST(HugePages, AreTakenOrSaidToBeMissingAndNeverReplaced) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a hugetlbfs";
  const TempDir dir("tp-huge");
  const std::string config = dir.path() + "/node.toml";
  fs::create_directory(dir.path() + "/huge");
  std::ofstream(config) << fmt::format(R"([driver]
aeron_dir = "{0}/aeron"
[shm]
base_dir = "{0}/huge"
require_hugepages = true
[policies]
cleanup_shm_on_exit = true
shutdown_timeout_ms = 300
[profiles.camera]
header_nslots = 8
payload_pools = [{{ pool_id = 1, stride_bytes = 65536 }}]
[streams.cam1]
stream_id = 1001
profile = "camera"
)",
                                       dir.path());
  const bool enough = free_huge_pages() >= 8;  // an idle epoch and a producer's, two files each, and some
  Child all({"/usr/bin/unshare", "--mount", "/bin/sh", "-c",
             fmt::format("mount -t hugetlbfs -o mode=0755 none {0}/huge || exit 99; {1} driver run --config {2} & "
                         "until [ -e {0}/aeron/cnc.dat ]; do sleep 0.05; done; "
                         "{1} publish pattern --config {2} --stream 1001 --bytes 4000 --count 5; status=$?; "
                         "kill $!; wait $! && exit $status",
                         dir.path(), TP_BINARY, config)});
  const int status = all.wait();
  EXPECT_TRUE(all.said("serves control stream")) << all.output();
  EXPECT_TRUE(all.said("has shut down")) << all.output();
  EXPECT_EQ(status == 0, enough) << status << all.output();
  if (!enough) {
    EXPECT_TRUE(all.said("huge pages (sysctl vm.nr_hugepages")) << all.output();
  }
}

}  // namespace
}  // namespace tensorpool
