// tp supervise
#include "apps/support/supervisor_host.hpp"
#include "apps/tp/commands.hpp"

namespace tensorpool::apps::tp {
namespace {

int supervise(const Invocation& invocation, const std::string& file) {
  const Result<NodeConfig> config = invocation.config(file);
  return config ? run_supervisor_program("tp", invocation.supervisor(*config)) : fail(config.error());
}

}  // namespace

void register_supervise(Registry& registry) {
  auto file = std::make_shared<std::string>();
  registry
      .add(registry.top(), "supervise", "Watch producers and consumers, say when one needs a look, apply policies",
           "tp supervise driver.toml", [file](const Invocation& invocation) { return supervise(invocation, *file); })
      .add_option("CONFIG", *file, "configuration file, with [supervisor]; else --config or TENSORPOOL_CONFIG");
}

}  // namespace tensorpool::apps::tp
