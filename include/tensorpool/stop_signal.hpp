// For small programs without signal handlers of their own. A process that a signal kills gives no lease back: its place
// stays taken until the lease expires.
#pragma once

namespace tensorpool {

// False once SIGINT, SIGTERM or SIGHUP asked the process to end; for loops, and for ClientOptions::keep_waiting. The
// first call installs the handlers, for the whole process and for good; SIGHUP stays ignored where it is (nohup). A
// further signal within a second is the same request; a later one kills. Any thread.
[[nodiscard]] bool keep_running() noexcept;

}  // namespace tensorpool
