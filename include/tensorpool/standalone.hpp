// What a producer without a driver makes its regions of. Plain values; attach_producer checks them.
//
// The files are <base_dir>/tensorpool-<user>/<name_space>/<stream_id>/<epoch>/{header.ring,<pool_id>.pool}: a new
// epoch, with new files, at each attach and whenever the media driver was lost. A namespace holds any number of
// standalone producers, each on a stream of its own, or one driver. Its clean end removes all the files: who has them
// mapped reads on, and nobody else can come, because nobody announces them any more. What a killed producer left is
// removed by the next one of its stream.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tensorpool {

struct StandalonePool {
  std::uint16_t pool_id = 1;       // unique
  std::uint32_t stride_bytes = 0;  // of a slot: a multiple of 64, at least as long as the longest frame
};

struct StandaloneOptions {
  std::vector<StandalonePool> pools{};  // at least one
  std::uint32_t nslots = 64;            // a power of two, of the header ring and of each pool
  std::string base_dir = "/dev/shm";    // consumers must allow it (ClientOptions::allowed_base_dirs)
  std::string name_space = "default";   // of A-Z a-z 0-9 _ -
  std::string user{};                   // of the directory tensorpool-<user>; empty = the effective user's name
  std::uint32_t permissions = 0660;     // of the files, whatever the umask; nothing for others to write
  bool reserve = true;   // every block now: no later touch can kill a process. false = on touch, for a small machine
  bool prefault = true;  // touch every page now, unless they are reserved on touch
};

}  // namespace tensorpool
