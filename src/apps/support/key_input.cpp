#include "apps/support/key_input.hpp"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace tensorpool::apps {
namespace {

constexpr char ctrl_d = 4;

// For the signal handlers; written before they are installed.
termios own_settings{};
termios key_settings{};

bool in_foreground() noexcept { return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp(); }

// A background process that sets the terminal would be stopped.
void set_terminal(const termios& settings) noexcept {
  if (in_foreground()) ::tcsetattr(STDIN_FILENO, TCSANOW, &settings);
}

void handle(int signal, void (*handler)(int)) noexcept {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

// Stops as without a handler: the default action, with the signal let through.
extern "C" void on_suspend(int) {
  const int saved = errno;
  set_terminal(own_settings);
  handle(SIGTSTP, SIG_DFL);
  sigset_t suspend;
  sigset_t before;
  sigemptyset(&suspend);
  sigaddset(&suspend, SIGTSTP);
  ::kill(::getpid(), SIGTSTP);
  ::sigprocmask(SIG_UNBLOCK, &suspend, &before);  // stops here, until SIGCONT
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  handle(SIGTSTP, on_suspend);
  set_terminal(key_settings);  // an orphaned process group is not stopped, and gets no SIGCONT
  errno = saved;
}

extern "C" void on_continue(int) {
  const int saved = errno;
  set_terminal(key_settings);
  errno = saved;
}

}  // namespace

KeyInput::KeyInput() {
  if (::isatty(STDIN_FILENO) == 0 || ::tcgetattr(STDIN_FILENO, &own_settings) != 0) return;
  key_settings = own_settings;
  key_settings.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  key_settings.c_cc[VMIN] = 0;
  key_settings.c_cc[VTIME] = 0;
  active_ = true;
  handle(SIGTSTP, on_suspend);
  handle(SIGCONT, on_continue);
  set_terminal(key_settings);
}

KeyInput::~KeyInput() {
  if (!active_) return;
  handle(SIGTSTP, SIG_DFL);
  handle(SIGCONT, SIG_DFL);
  set_terminal(own_settings);
}

bool KeyInput::wants_to_quit() noexcept {
  if (!active_ || !in_foreground()) return false;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (::poll(&input, 1, 0) == 1 && (input.revents & POLLIN) != 0) {
    char key = 0;
    if (::read(STDIN_FILENO, &key, 1) != 1) return false;
    if (key == 'q' || key == 'Q' || key == ctrl_d) return true;
  }
  return false;
}

}  // namespace tensorpool::apps
