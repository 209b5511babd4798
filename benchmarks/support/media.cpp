#include "media.hpp"

#include <csignal>

#include "tensorpool/media_driver.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::bench {

Process start_media_driver(const Scratch& scratch, Nanos patience_ns) {
  Process process("media driver", [&] {
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &ending, nullptr);
    const auto media = need(MediaDriver::start({.aeron_dir = scratch.aeron_dir(), .patience_ns = patience_ns}));
    int number = 0;
    ::sigwait(&ending, &number);
    return Json();
  });
  if (patience_ns == 0) await_media_driver(scratch);
  return process;
}

void await_media_driver(const Scratch& scratch) {
  const auto serves = [&] {
    return transport::probe_media_driver(scratch.aeron_dir()).state == transport::MediaDriverState::alive;
  };
  await(serves, "the media driver");
}

void stop(Process& process) {
  process.signal(SIGTERM);
  (void)process.result();
}

}  // namespace tensorpool::bench
