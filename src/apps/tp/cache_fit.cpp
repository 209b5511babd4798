#include "apps/tp/cache_fit.hpp"

#include <fmt/format.h>

namespace tensorpool::apps::tp {
namespace {

// Empty where it fits in none.
std::string fitting_cache(const CacheFit& pool, const Caches& caches) {
  if (pool.bytes() <= caches.l2_bytes) return "L2";
  return pool.bytes() <= caches.last_level_bytes ? fmt::format("L{}", caches.last_level) : "";
}

double times_the_cache(const CacheFit& pool, const Caches& caches) {
  return static_cast<double>(pool.bytes()) / static_cast<double>(caches.last_level_bytes);
}

}  // namespace

std::vector<CacheFit> pools_of(const driver::DriverConfig& config) {
  std::vector<CacheFit> pools;
  for (const driver::Profile& profile : config.profiles) {
    for (const driver::PoolConfig& pool : profile.payload_pools) {
      pools.push_back({profile.name, pool.pool_id, profile.header_nslots, pool.stride_bytes});
    }
  }
  return pools;
}

std::string describe(const CacheFit& pool, const Caches& caches) {
  std::string what = fmt::format("profile {}, pool {}: {} slots of {} bytes, {}", pool.profile, pool.pool_id,
                                 pool.nslots, pool.stride_bytes, driver::format_bytes(pool.bytes()));
  if (caches.last_level_bytes == 0) {
    return what;
  }
  const std::string cache = fitting_cache(pool, caches);
  return cache.empty() ? fmt::format("{}: {:.1f} x the L{} cache: expect 2.5 to 4 x the copy time of one that fits",
                                     what, times_the_cache(pool, caches), caches.last_level)
                       : fmt::format("{}: fits in {}", what, cache);
}

Json to_json(const CacheFit& pool, const Caches& caches) {
  Json json{{"profile", pool.profile},
            {"pool_id", pool.pool_id},
            {"nslots", pool.nslots},
            {"stride_bytes", pool.stride_bytes},
            {"bytes", pool.bytes()}};
  if (caches.last_level_bytes > 0) {
    const std::string cache = fitting_cache(pool, caches);
    json["fits_in"] = cache.empty() ? Json(nullptr) : Json(cache);
    json["times_the_cache"] = times_the_cache(pool, caches);
  }
  return json;
}

}  // namespace tensorpool::apps::tp
