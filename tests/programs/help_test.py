#!/usr/bin/env python3
"""Every program answers --help and -h with its usage on standard output and status 0, and starts nothing.

    help_test.py BIN_DIRECTORY SOURCE_DIRECTORY

The unit tests' programs are googletest's, which has its own help.
"""

import os
import subprocess
import sys
import unittest
from pathlib import Path

BIN, SOURCE = Path(sys.argv[1]), Path(sys.argv[2])
LIMIT_S = 60
# Whatever a program would do without the help, it must not do it here.
ENVIRONMENT = dict(os.environ, TENSORPOOL_CONFIG="/nonexistent/tensorpool.toml")


def programs():
    found = [path for path in sorted(BIN.iterdir()) if path.is_file() and os.access(path, os.X_OK)]
    return [path for path in found if not path.name.endswith("_test")] + [SOURCE / "scripts/run_all_driver.sh"]


def run(program, *arguments, stdout=subprocess.PIPE):
    return subprocess.run([program, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, env=ENVIRONMENT)


class Help(unittest.TestCase):
    def test_is_the_answer_of_every_program(self):
        self.assertGreater(len(programs()), 30, "the programs were not built")
        for program in programs():
            for option in ("--help", "-h"):
                with self.subTest(program=program.name, option=option):
                    done = run(program, option)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertIn(program.name, done.stdout)

    def test_names_the_program_in_its_usage(self):
        for program in programs():
            with self.subTest(program=program.name):
                self.assertRegex(run(program, "--help").stdout, rf"(?m)^(Usage: )?.*{program.name}( |$)")

    def test_is_a_failure_where_it_cannot_be_written(self):
        for program in programs():
            with self.subTest(program=program.name), open("/dev/full", "w") as full:
                done = run(program, "--help", stdout=full)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("No space left on device", done.stderr)

    def test_does_not_hide_a_mistake(self):
        for program, arguments, hint in (
            ("tp", ["nosuch", "--help"], "unknown command nosuch; tp takes driver"),
            ("tp", ["--help", "nosuch"], "unknown command nosuch"),
            ("tp", ["consum", "-h"], "did you mean consume?"),
            ("tp", ["driver", "nosuch", "--help"], "unknown command nosuch; tp driver takes run"),
            ("tp", ["driver", "statsu", "--help-all"], "did you mean status?"),
            ("tp", ["shm", "--help", "inspct"], "did you mean inspect?"),
            ("tp", ["consume", "--steam", "1", "--help"], "unknown option --steam, did you mean --stream?"),
            ("tp", ["consume", "--verfy"], "did you mean --verify?"),
            ("tp", ["consume", "--strem=1001"], "unknown option --strem, did you mean --stream?"),
            ("tp", ["--verion"], "did you mean --version?"),
            ("tp", ["help", "nosuch"], "unknown command nosuch"),
            ("tp", ["help", "driver", "vaildate"], "did you mean validate?"),
            ("tp", ["help", "consume", "more"], "unknown command more; tp consume has no commands below it"),
            ("tp", ["consume", "1001"], "unexpected argument 1001"),
            ("tp", ["--config", "x", "consume"], "unknown option --config; the options of a command stand after its name"),
            ("tp", [], "a command is missing; tp takes driver"),
            ("tp", ["driver"], "a command is missing; tp driver takes run"),
            ("tp", ["\x1b[31mred"], "unknown command \\x1b[31mred"),
            ("tp_tool", ["driver-atach", "--help"], "did you mean driver-attach?"),
            ("tp_tool", [], "a command is missing; tp_tool takes driver-attach"),
            ("tensorpoold", ["--confg", "x"], "did you mean --config?"),
            ("tensorpoold", ["run"], "unexpected argument run"),
            ("tensorpool_demo", ["--second", "1"], "did you mean --seconds?"),
            ("demo_processor", ["--knd", "bin2"], "did you mean --kind?"),
            ("example_driver", [], "CONFIG is required"),
            ("example_driver", ["--hlep"], "did you mean --help?"),
            ("example_consumer", ["a", "b", "many"], "many is not a whole number"),
            ("example_producer", ["a", "b", "1", "0"], "0 is not a whole number from 1"),
            ("example_supervisor", ["a", "b", "c"], "unexpected argument c"),
            ("hello_frame_publisher", ["--nosuch"], "unexpected argument"),
        ):
            with self.subTest(program=program, arguments=arguments):
                done = run(BIN / program, *arguments)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(hint, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_has_commands_of_its_own(self):
        for arguments, beginning in ((["help"], "tp: everything"), (["help", "consume"], "Receive a stream"),
                                     (["help", "driver", "run"], "Run a driver"), (["driver", "--help"], "Run a driver, or ask one")):
            done = run(BIN / "tp", *arguments)
            self.assertEqual((done.returncode, done.stdout.startswith(beginning)), (0, True), done.stdout)
        version = run(BIN / "tp", "--version").stdout
        self.assertRegex(version, r"^tp \d+\.\d+\.\d+\n$")
        for words in (["version"], ["-V"]):
            self.assertEqual(run(BIN / "tp", *words).stdout, version)
        for program in ("tp_tool", "tensorpoold", "tensorpool_demo", "example_driver"):
            self.assertEqual(run(BIN / program, "--version").returncode, 0)
        self.assertEqual(run(BIN / "tp_tool", "help", "driver-attach").returncode, 0)

    def test_shows_a_commands_own_options_first(self):
        own = run(BIN / "tp", "consume", "--help").stdout
        everything = run(BIN / "tp", "consume", "--help-all").stdout
        self.assertIn("--verify", own)
        self.assertNotIn("--control-channel", own)
        self.assertIn("Options of all commands, such as --config and --format: tp consume --help-all", own)
        self.assertLess(everything.index("--verify"), everything.index("--control-channel"))
        self.assertIn("--client-id", run(BIN / "tp", "configure", "--help").stdout)  # it cannot do without
        group = run(BIN / "tp", "driver", "--help-all").stdout
        self.assertEqual(group.count("--control-channel"), 1)
        self.assertLess(group.index("--lease-id"), group.index("--control-channel"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
