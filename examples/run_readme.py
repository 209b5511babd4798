#!/usr/bin/env python3
"""Does what the README of an example says, and compares what it shows.

    run_readme.py BIN_DIRECTORY EXAMPLE_DIRECTORY

Every ```console block is run, from the top of the repository, in a mount namespace of its own with an empty /dev/shm. A line
"$ command" is a terminal: the next one begins when it has ended, with exit status 0, or, if it ends with " &", when it has shown
the lines below it. What is left at the end is interrupted (Ctrl-C), the last one first, and ends with 0 or by it. A line without
"$" is output: any number stands for any number, "..." for any text. Nothing may be left behind. The example's C++ is at most 60
lines of code, against the public headers only.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

BIN, EXAMPLE = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
SOURCE = EXAMPLE.parent.parent
LIMIT_S = 100
MOST_LINES = 60
INSIDE = "TENSORPOOL_EXAMPLE_HAS_OWN_SHM"


def enter_own_shm():
    if INSIDE not in os.environ:
        own_user = [] if os.geteuid() == 0 else ["-Ur"]
        script = 'mount -t tmpfs -o size=1g,mode=1777 tmpfs /dev/shm && exec "$@"'
        os.execvpe("unshare", ["unshare", *own_user, "-m", "--propagation", "private", "bash", "-c", script, "bash", sys.executable,
                               *sys.argv], dict(os.environ, **{INSIDE: "1"}))


def pattern_of(line):
    """What a shown line stands for, as a regular expression."""
    pieces = re.split(r"(\.\.\.|-?\d+(?:\.\d+)?)", line.strip())
    return re.compile("".join(r".*" if p == "..." else r"-?\d+(?:\.\d+)?" if i % 2 else re.escape(p) for i, p in enumerate(pieces)))


def commands():
    """[(command, [shown line, ...]), ...] of all console blocks."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip():
                found[-1][1].append(line)
    return found


class Terminal:
    """One command, its output collected as it comes."""

    def __init__(self, command):
        self.command = command
        self.lines = []
        environment = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}")
        self.process = subprocess.Popen(["bash", "-c", command], cwd=SOURCE, env=environment, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.reader = threading.Thread(target=self.collect, daemon=True)
        self.reader.start()

    def collect(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def missing(self, shown):
        """The first shown line that the output does not have, each looked for below the one before; None if all are there."""
        at = 0
        for line in shown:
            pattern = pattern_of(line)
            while at < len(self.lines) and not pattern.search(self.lines[at]):
                at += 1
            if at == len(self.lines):
                return line
            at += 1
        return None

    def report(self):
        return "\n".join([f"$ {self.command}", *self.lines])


class Readme(unittest.TestCase):
    def setUp(self):
        self.terminals = []
        self.addCleanup(self.kill_all)

    def kill_all(self):
        for terminal in self.terminals:
            if terminal.process.poll() is None:
                os.killpg(terminal.process.pid, signal.SIGKILL)
                terminal.process.wait()
            terminal.process.stdout.close()

    def fail_with(self, why):
        self.fail("\n".join([why, *(terminal.report() for terminal in self.terminals)]))

    def await_end(self, terminal, interrupted=False):
        deadline = time.monotonic() + LIMIT_S
        # Whatever else ends meanwhile is reaped too: a command may wait for that.
        while [one.process.poll() for one in self.terminals] and (status := terminal.process.returncode) is None:
            if time.monotonic() > deadline:
                self.fail_with(f"still running after {LIMIT_S} s: {terminal.command}")
            time.sleep(0.02)
        terminal.reader.join(timeout=LIMIT_S)
        if status != 0 and not (interrupted and status == -signal.SIGINT):
            self.fail_with(f"exit status {status}: {terminal.command}")

    def await_output(self, terminal, shown):
        deadline = time.monotonic() + LIMIT_S
        while (line := terminal.missing(shown)) is not None:
            if time.monotonic() > deadline or (terminal.process.poll() is not None and not terminal.reader.is_alive()):
                self.fail_with(f"not shown by {terminal.command}: {line}")
            time.sleep(0.02)

    def test_does_what_it_says(self):
        steps = commands()
        self.assertTrue(steps, "there is no console block")
        for command, shown in steps:
            stays = command.endswith(" &")
            terminal = Terminal(command.removesuffix(" &"))
            self.terminals.append(terminal)
            if not stays:
                self.await_end(terminal)
            self.await_output(terminal, shown)
        for terminal in reversed(self.terminals):
            if terminal.process.poll() is None:
                os.killpg(terminal.process.pid, signal.SIGINT)
            self.await_end(terminal, interrupted=True)
        left = [str(path) for path in Path("/dev/shm").rglob("*") if (path.is_file() and path.stat().st_size > 0) or
                (path.is_dir() and path.name.startswith("aeron"))]
        self.assertEqual(left, [], "left behind")

    def test_is_small(self):
        count = 0
        for path in (*EXAMPLE.glob("*.cpp"), *EXAMPLE.glob("*.hpp")):
            code = [line for line in path.read_text().splitlines() if line.strip() and not line.strip().startswith("//")]
            count += len(code)
            for included in re.findall(r'#\s*include\s*[<"]([^>"]+)[>"]', "\n".join(code)):
                own = re.match(r"(base|protocol|shm|transport|client|roles|apps)/", included)
                self.assertIsNone(own, f"{path.name} includes {included}: an example stands on include/tensorpool alone")
        self.assertLessEqual(count, MOST_LINES)


if __name__ == "__main__":
    enter_own_shm()
    unittest.main(argv=sys.argv[:1], verbosity=2)
