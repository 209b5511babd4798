#include "peer.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <thread>

#include "ports.hpp"
#include "roudi.hpp"

namespace tensorpool::bench {
namespace {

std::atomic<bool> stopped{false};
void stop(int) { stopped = true; }

using Receivers = std::vector<std::unique_ptr<Receiver>>;

Receivers make_receivers(const Options& options) {
  Receivers receivers(options.measure == Measure::fan_out ? options.consumers : 1);
  for (auto& receiver : receivers) {
    receiver = make_receiver("there", options.measure == Measure::throughput ? options.slots : burst);
  }
  return receivers;
}

// iceoryx's daemon connects ports every tenth of a second.
void await_connections(const Receivers& receivers, const Sender& sender) {
  const auto connected = [&] {
    return sender.hasSubscribers() && std::ranges::all_of(receivers, [](const auto& receiver) {
             return receiver->getSubscriptionState() == iox::SubscribeState::SUBSCRIBED;
           });
  };
  while (!connected() && !stopped) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// How many frames there are to take before the answer, the first time and from then on.
std::array<std::size_t, 2> frames_per_answer(const Options& options) {
  switch (options.measure) {
    case Measure::round_trip:
      return {1, 1};
    case Measure::throughput:
      return {warm_up_frames(options), options.samples};
    case Measure::fan_out:
      return {burst * options.consumers, burst * options.consumers};
  }
  return {1, 1};
}

void answer(const Options& options) {
  const Receivers receivers = make_receivers(options);
  const auto sender = make_sender("back");
  await_connections(receivers, *sender);
  const bool round_trip = options.measure == Measure::round_trip;
  const std::size_t answer_bytes = round_trip ? options.bytes : sizeof(std::uint64_t);
  const auto kind = round_trip && options.touch ? Content::Kind::written : Content::Kind::untouched;
  send(*sender, answer_bytes, {});  // here I am
  auto [due, later] = frames_per_answer(options);
  for (std::size_t taken = 0; !stopped;) {
    for (const auto& receiver : receivers) taken += take(*receiver, options.bytes, options.touch);
    if (taken < due) continue;
    send(*sender, answer_bytes, {.kind = kind, .word = 1});
    taken = 0;
    due = later;
  }
}

[[noreturn]] void run_peer(const Options& options, pid_t run) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGTERM, stop);
  ::signal(SIGINT, SIG_IGN);
  pin_to_core(1);
  int status = 0;
  try {
    join_roudi(receiver_name(run));
    answer(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "iceoryx_bench: the second process: %s\n", error.what());
    status = 1;
  }
  std::exit(status);  // with iceoryx' static runtime
}

}  // namespace

Peer::Peer(const Options& options, pid_t run) : pid_(::fork()) {
  if (pid_ < 0) throw std::runtime_error("no second process");
  if (pid_ == 0) run_peer(options, run);
}

Peer::~Peer() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

bool Peer::has_ended() noexcept {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ <= 0;
}

}  // namespace tensorpool::bench
