// A store of its own in shared memory, removed at the end, and epochs made in it as a driver makes them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "shm/epoch_store.hpp"
#include "shm/region_creator.hpp"
#include "shm/region_set.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::shm {

inline RegionSpec small_spec(std::uint64_t epoch = 7, std::uint32_t nslots = 4) {
  RegionSpec spec;
  spec.stream_id = 1001;
  spec.epoch = epoch;
  spec.nslots = nslots;
  spec.pools = {{2, 4096}, {1, 1024}};
  spec.pid = 42;
  return spec;
}

// REQUIRES: what it says can be done in this environment; throws otherwise, which fails the test.
class RegionFiles {
 public:
  explicit RegionFiles(SystemCalls& calls = system_calls())
      : dir_("tensorpool-test", "/dev/shm"), store_(open_store(dir_.path(), calls)) {}

  [[nodiscard]] EpochStore& store() noexcept { return store_; }
  [[nodiscard]] const std::string& base_dir() const noexcept { return dir_.path(); }
  [[nodiscard]] PathPolicy policy() const { return {{dir_.path()}}; }

  RegionLayout make(const RegionSpec& spec = small_spec(), Nanos now = 1000) {
    Result<RegionCreator> creator = RegionCreator::begin(store_, spec);
    if (!creator) throw std::runtime_error(creator.error().message);
    while (true) {
      const auto progress = creator->step(1 << 20, now);
      if (!progress) throw std::runtime_error(progress.error().message);
      if (*progress == RegionCreator::Progress::done) return creator->layout();
    }
  }

  std::unique_ptr<RegionSet> map(const RegionLayout& layout, Access access) {
    auto set = RegionSet::map(layout, access, policy());
    if (!set) throw std::runtime_error(set.error().message);
    return *std::move(set);
  }

 private:
  static EpochStore open_store(const std::string& base_dir, SystemCalls& calls) {
    StoreOptions options;
    options.base_dir = base_dir;
    options.user = "test";
    auto store = EpochStore::open(options, calls);
    if (!store) throw std::runtime_error(store.error().message);
    return *std::move(store);
  }

  TempDir dir_;
  EpochStore store_;
};

}  // namespace tensorpool::shm
