// tensorpool_demo: the camera pipeline as separate processes, and the proof that it lost and damaged nothing unseen.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "apps/demo/demo_directory.hpp"
#include "apps/demo/orchestra.hpp"
#include "apps/demo/verdict.hpp"
#include "apps/support/command_line.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/program.hpp"
#include "apps/support/stop_signal.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::uint64_t bytes_needed = std::uint64_t{768} << 20;  // regions of two epochs, Aeron's buffers, and some

struct Arguments {
  Nanos length_ns = 10 * nanos_per_second;
  std::string format = "text";
  bool keep = false;
  std::string config = TENSORPOOL_SOURCE_DIR "/config/demo.toml";
  std::string images = TENSORPOOL_SOURCE_DIR "/examples/data/starfield";
};

std::string own_directory() { return std::filesystem::read_symlink("/proc/self/exe").parent_path().string(); }

TableStyle style_of(const Arguments& arguments) {
  if (arguments.format == "json") return TableStyle::json;
  return can_redraw() ? TableStyle::redrawn : TableStyle::lines;
}

Result<DemoDirectory> make_directory() {
  auto directory = DemoDirectory::create(bytes_needed);
  if (!directory) return directory;
  std::error_code error;
  for (const char* name : {"/shm", "/logs"}) {
    if (!std::filesystem::create_directory(directory->path() + name, error)) {
      return make_error(ErrorCode::io_error, "cannot create {}{}: {}", directory->path(), name, error.message());
    }
  }
  return directory;
}

Verdict run(const Arguments& arguments, const PipelinePaths& paths) {
  LiveTable table(style_of(arguments));
  Orchestra orchestra(paths, table, stop_flag());
  auto started = orchestra.start();
  if (started) started = orchestra.play(arguments.length_ns);
  orchestra.finish();
  if (!started) {
    Verdict verdict;  // the accounts of what never ran would only hide the cause
    verdict.faults.push_back(started.error().message);
    return verdict;
  }
  return judge(orchestra.stations(), {});
}

int run_demo(const Arguments& arguments) {
  auto directory = make_directory();
  if (!directory) return give_up("tensorpool_demo", directory.error());
  if (arguments.keep) {
    directory->keep();
    print_error(fmt::format("tensorpool_demo: everything of this run stays in {}", directory->path()));
  }
  if (arguments.format == "json") {
    print_json({{"event", "run"}, {"directory", directory->path()}});
  } else {
    print_line(fmt::format(
        "Three cameras, three processors, three consumers and their driver, for {:g} s in {}; Ctrl-C ends it early.\n",
        to_seconds(arguments.length_ns), directory->path()));
  }
  const Verdict verdict = run(arguments, {own_directory(), arguments.config, arguments.images, directory->path()});
  print_verdict(verdict, arguments.format == "json");
  return verdict.holds() ? 0 : 1;
}

int main_of(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{
      "Runs three cameras, three processors and three consumers through one driver, and checks every frame.\n"
      "Example: tensorpool_demo --seconds 5\n"
      "Exit status 0 only if every count adds up and every delivered frame is the one that was sent.",
      "tensorpool_demo"};
  add_seconds(app, "--seconds", arguments.length_ns, "how long; Ctrl-C ends it early, verified all the same", 0.001);
  app.add_option("--format", arguments.format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_flag("--keep", arguments.keep, "leave the logs and regions of the run where they are");
  app.add_option("--config", arguments.config, "the driver's configuration")->check(CLI::ExistingFile);
  app.add_option("--images", arguments.images, "the image camera's directory")->check(CLI::ExistingDirectory);
  if (const auto ended = parse_command_line(app, argc, argv)) return *ended;
  return run_demo(arguments);
}

}  // namespace
}  // namespace tensorpool::apps

int main(int argc, char** argv) {
  return tensorpool::apps::run_program("tensorpool_demo", [&] { return tensorpool::apps::main_of(argc, argv); });
}
