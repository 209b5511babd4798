// fake_gige_camera: Aravis' simulated GigE Vision camera as a process of its own. It speaks the network protocol (GVCP
// on UDP port 3956, GVSP for the images), so that a program that opens it goes the whole way that a real camera's
// takes.
#include <arpa/inet.h>
#include <arv.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <csignal>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "apps/support/command_line.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/print.hpp"
#include "apps/support/program.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::uint16_t control_port = 3956;  // fixed by GigE Vision

struct CameraSettings {
  std::string address = "127.0.0.1";
  std::string serial = "TP01";
  double rate_hz = 30;
  std::uint32_t width = 512;
  std::uint32_t height = 512;
};

// Aravis goes on without a control socket when the port is taken, and nobody would find the camera: ask before.
Status check_port_is_free(const std::string& address) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(control_port);
  if (::inet_pton(AF_INET, address.c_str(), &name.sin_addr) != 1) {
    return make_error(ErrorCode::invalid_argument, "{} is no IPv4 address", address);
  }
  const UniqueFd probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!probe) return errno_error(errno, "cannot open a UDP socket");
  if (::bind(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return {};
  if (errno != EADDRINUSE) return errno_error(errno, "cannot bind UDP {}:{}", address, control_port);
  return make_error(
      ErrorCode::already_exists,
      "UDP port {} of {} is taken: another GigE camera simulator runs there (GigE Vision fixes the port); stop it "
      "first, `ss -lunp sport = :{}` names it",
      control_port, address, control_port);
}

void configure(ArvFakeCamera* camera, const CameraSettings& settings) {
  arv_fake_camera_write_register(camera, ARV_FAKE_CAMERA_REGISTER_WIDTH, settings.width);
  arv_fake_camera_write_register(camera, ARV_FAKE_CAMERA_REGISTER_HEIGHT, settings.height);
  const auto period_us = static_cast<guint32>(1e6 / settings.rate_hz);
  arv_fake_camera_write_register(camera, ARV_FAKE_CAMERA_REGISTER_ACQUISITION_FRAME_PERIOD_US, period_us);
  arv_fake_camera_write_register(camera, ARV_FAKE_CAMERA_REGISTER_EXPOSURE_TIME_US, period_us / 4);
}

Status run(const CameraSettings& settings) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before the camera's thread exists, which inherits it
  const UniqueFd wanted(::signalfd(-1, &signals, SFD_CLOEXEC));

  if (auto free = check_port_is_free(settings.address); !free) return free;
  struct Unref {
    void operator()(ArvGvFakeCamera* camera) const { g_object_unref(camera); }
  };
  const std::unique_ptr<ArvGvFakeCamera, Unref> camera(
      arv_gv_fake_camera_new(settings.address.c_str(), settings.serial.c_str()));
  if (!camera || arv_gv_fake_camera_is_running(camera.get()) == FALSE) {
    return make_error(ErrorCode::unavailable,
                      "the simulated camera did not start on {}; is it an address of this machine?", settings.address);
  }
  configure(arv_gv_fake_camera_get_fake_camera(camera.get()), settings);
  print_line(fmt::format("{{\"event\":\"ready\",\"address\":\"{}\",\"width\":{},\"height\":{},\"hz\":{}}}",
                         settings.address, settings.width, settings.height, settings.rate_hz));
  signalfd_siginfo received;
  while (::read(wanted.get(), &received, sizeof received) < 0 && errno == EINTR) {
  }
  return {};
}

int main_of(int argc, char** argv) {
  CameraSettings settings;
  CLI::App app{
      "A simulated GigE Vision camera (Aravis) on this machine.\n"
      "Example: fake_gige_camera --rate 60 --width 640 --height 480",
      "fake_gige_camera"};
  app.add_option("--address", settings.address, "IPv4 address of this machine to answer at")->capture_default_str();
  app.add_option("--serial", settings.serial, "Serial number")->capture_default_str();
  add_rate_hz(app, "--rate", settings.rate_hz, "Frames per second", {false, 0.1, 10'000});
  add_count(app, "--width", settings.width, "Pixels", 16, 2048);
  add_count(app, "--height", settings.height, "Pixels", 16, 2048);
  if (const auto ended = parse_command_line(app, argc, argv)) return *ended;
  const tensorpool::Status ran = run(settings);
  return ran ? exit_ok : give_up("fake_gige_camera", ran.error());
}

}  // namespace
}  // namespace tensorpool::apps

int main(int argc, char** argv) {
  return tensorpool::apps::run_program("fake_gige_camera", [&] { return tensorpool::apps::main_of(argc, argv); });
}
