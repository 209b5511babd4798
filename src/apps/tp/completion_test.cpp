// bash itself completes what the documents name, and zsh understands it.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>

#include "apps/tp/test_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

// What bash offers for the last of these words, one a line.
std::string offered(const std::string& words) {
  return run_shell("bash -c 'source <(" TP_BINARY " completion bash); COMP_WORDS=(" + words +
                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tp; printf \"%s\\n\" \"${COMPREPLY[@]}\"' 2>&1")
      .text;
}

TEST(Completion, OffersCommandsAndOptions) {
  EXPECT_EQ(offered("tp driver att"), "attach\n");
  EXPECT_EQ(offered("tp help driver att"), "attach\n");
  EXPECT_EQ(offered("tp shm inspect --form"), "--format\n");
  EXPECT_EQ(offered("tp driver detach --config x --lea"), "--lease-id\n") << "options in between do no harm";
  EXPECT_EQ(offered("tp driver run some-file-"), "\n") << "the shell's own file names then";
}

TEST(Completion, KnowsEveryDocumentedCommand) {
  std::ifstream doc(std::string(TENSORPOOL_SOURCE_DIR) + "/docs/tp.md");
  const std::regex heading("## (tp[a-z ]*) ([a-z]+)");
  std::smatch match;
  std::string script = "source <(" TP_BINARY " completion bash)\n";
  std::string expected;
  for (std::string line; std::getline(doc, line);) {
    if (std::regex_match(line, match, heading) && match[2] != "camera") {  // camera: only with Aravis
      script += "COMP_WORDS=(" + match[1].str() + " " + match[2].str() +
                "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tp; echo \"${COMPREPLY[0]}\"\n";
      expected += match[2].str() + "\n";
    }
  }
  const TempDir dir;
  EXPECT_EQ(run_shell("bash " + write(dir.path() + "/all.bash", script)).text, expected);
}

// zsh runs it by its own emulation of bash, which needs a terminal; here stands in what that emulation sets up.
TEST(Completion, IsUnderstoodByZsh) {
  EXPECT_EQ(run_shell("zsh -f -c 'autoload() {}; compinit() {}; bashcompinit() {}; complete() {}; setopt ksharrays; "
                      "compgen() { print -r -- $2, $4 }; source <(" TP_BINARY " completion zsh); "
                      "COMP_WORDS=(tp shm ins); COMP_CWORD=2; _tp; print -r -- \"${COMPREPLY[@]}\"' 2>&1")
                .text,
            "inspect validate gc --help --help-all, ins\n");
}

TEST(Completion, IsMadeForOtherShellsToo) {
  const Outcome fish = run("completion fish");
  EXPECT_TRUE(
      has(fish, "complete -c tp -f -n '__fish_seen_subcommand_from driver; and not __fish_seen_subcommand_from "))
      << fish.text;
  EXPECT_TRUE(has(run("completion zsh"), "bashcompinit"));
  EXPECT_EQ(run("completion tcsh").status, 2);
}

}  // namespace
}  // namespace tensorpool::apps::tp
