// Sees to it that a media driver serves an Aeron directory, as driver.media_driver says: "external" somebody else's,
// "embedded" one of our own, "auto" whichever is alive, else our own. One thread.
#pragma once

#include <optional>
#include <string>

#include "base/log.hpp"
#include "tensorpool/result.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::apps {

class MediaDriverHost {
 public:
  // `group_access`: clients of our group may connect to one that we start.
  MediaDriverHost(std::string mode, std::string aeron_dir, bool group_access, LogSink sink);

  // Starts one where needed and allowed. Waits at most `patience` for the heartbeat of a dead predecessor to run out.
  [[nodiscard]] Status ensure(Nanos patience);

 private:
  [[nodiscard]] Status start(Nanos patience);
  [[nodiscard]] bool may_use(const transport::MediaDriverProbe& probe);

  std::string mode_;
  std::string aeron_dir_;
  bool group_access_;
  LogSink sink_;
  Log log_;
  std::optional<transport::EmbeddedMediaDriver> embedded_;
};

}  // namespace tensorpool::apps
