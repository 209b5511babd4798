#include "apps/support/program.hpp"

#include <exception>
#include <new>

#include "apps/support/exit_code.hpp"
#include "apps/support/print.hpp"
#include "apps/support/standard_streams.hpp"
#include "apps/support/stop_signal.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

int run_guarded(std::string_view name, const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return give_up(name,
                   {ErrorCode::io_error, "out of memory; free some, or raise the limit of this process (ulimit -v)"});
  } catch (const std::exception& error) {
    return give_up(name, make_error(ErrorCode::io_error, "unexpected error, please report it: {}", error.what()));
  } catch (...) {
    return give_up(name, {ErrorCode::io_error, "unexpected error of unknown kind, please report it"});
  }
}

}  // namespace

int run_program(std::string_view name, const std::function<int()>& body) {
  keep_standard_streams();
  install_stop_signal();
  const int status = run_guarded(name, body);
  const Status output = output_status();
  return status == exit_ok && !output ? give_up(name, output.error()) : status;
}

}  // namespace tensorpool::apps
