#!/usr/bin/env python3
"""Runs the demo and checks what it says, how it ends, and that it leaves nothing behind.

    tests/demo/demo_test.py build/release/bin/tensorpool_demo verified|interrupted|killed|port_taken|by_hand
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent
OWN_SHM = ["unshare", *([] if os.geteuid() == 0 else ["-Ur"]), "-m", "--propagation", "private"]
WATCHDOG_S = 150
CONSUMERS = {(1001, "threshold"), (1002, "background"), (1003, "bin2"),
             (2001, "consumer-2001"), (2002, "consumer-2002"), (2003, "consumer-2003")}


def processes_of(directory):
    """Process ids whose environment or arguments name the directory of a run."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state != "Z" and directory.encode() in told:
            found.append(int(entry.name))
    return found


def wait_until(condition, what):
    end = time.monotonic() + WATCHDOG_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)


class Demo:
    """A run that is under way; `directory` is its own."""

    def __init__(self, program, seconds):
        self.process = subprocess.Popen([program, "--format", "json", "--seconds", str(seconds)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.directory = json.loads(self.process.stdout.readline())["directory"]
        assert self.directory.rsplit("/", 1)[1].startswith("tensorpool-demo."), self.directory
        self.lines = []

    def wait_for_table(self):
        line = self.process.stdout.readline()
        assert line, self.process.communicate()
        self.lines.append(json.loads(line))

    def end(self, status):
        """Its summary, after it has ended with that status and left nothing."""
        output, errors = self.process.communicate(timeout=WATCHDOG_S)
        self.lines += [json.loads(line) for line in output.splitlines()]
        assert self.process.returncode == status, f"{self.process.returncode}\n{output[-3000:]}{errors}"
        assert not Path(self.directory).exists(), self.directory
        assert not processes_of(self.directory), self.directory
        assert self.lines[-1]["event"] == "summary", self.lines[-1]
        return self.lines[-1]


def check_summary(summary):
    assert summary["ok"], json.dumps(summary, indent=1)
    assert {(one["stream"], one["consumer"]) for one in summary["consumers"]} == CONSUMERS
    for one in summary["consumers"]:
        assert one["delivered"] > 0 and one["verified"] == one["delivered"], one
        assert one["sequences"] == one["delivered"] + one["abandoned"] + sum(one["lost"].values()), one


def verified(program):
    demo = Demo(program, seconds=3)
    check_summary(demo.end(status=0))
    tables = [line for line in demo.lines if line["event"] == "table"]
    assert any(all(row["hz"] > 0 for row in table["streams"]) for table in tables), tables


def interrupted(program):
    demo = Demo(program, seconds=1000)
    demo.wait_for_table()
    demo.process.send_signal(signal.SIGINT)
    check_summary(demo.end(status=0))


def killed(program):
    demo = Demo(program, seconds=1000)
    demo.wait_for_table()
    assert processes_of(demo.directory), "no process of the run was found"
    demo.process.kill()
    demo.process.communicate()
    wait_until(lambda: not processes_of(demo.directory), "the end of the killed run's processes")
    verified(program)  # sweeps up what the killed run left
    assert not Path(demo.directory).exists(), demo.directory


def port_taken(program):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 3956))
        summary = Demo(program, seconds=1000).end(status=1)
    assert not summary["ok"] and "3956" in summary["faults"][0], summary


def by_hand(program):
    """The commands of docs/demo.md, each in its terminal, below a /dev/shm of their own."""
    text = (SOURCE / "docs/demo.md").read_text()
    block = text[text.index("## By hand") :]
    commands = re.findall(r"^    (.+)$", block, re.MULTILINE)
    assert len(commands) == 6, commands
    script = "mount -t tmpfs -o size=1g tmpfs /dev/shm || exit 90\ntrap 'kill -KILL $all 2>/dev/null' EXIT\n"
    for command in commands[:-1]:
        script += f"{command} & all=\"$! $all\"\nsleep 1\n"  # as fast as a person types
    script += f"{commands[-1]} > /dev/shm/last & last=$!\n"
    script += "until grep -q ' frames,' /dev/shm/last; do kill -0 $last || { cat /dev/shm/last; exit 91; }; sleep 0.1; done\n"
    script += "kill -TERM $last; wait $last || exit 93; cat /dev/shm/last; rm /dev/shm/last\n"
    script += "for one in $all; do kill -TERM $one; wait $one || exit 92; done\n"
    script += "find /dev/shm -type f -size +0 | sed 's/^/left behind: /'"
    environment = dict(os.environ, TENSORPOOL_CONFIG="config/demo.toml", PATH=f"{Path(program).parent}:{os.environ['PATH']}")
    process = subprocess.run([*OWN_SHM, "bash", "-c", script], cwd=SOURCE, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=WATCHDOG_S)
    assert process.returncode == 0, f"{process.returncode}\n{process.stdout}"
    assert "left behind" not in process.stdout, process.stdout
    assert re.search(r"summary of stream 1001: [1-9]\d* frames", process.stdout), process.stdout
    verified_count = re.search(r"summary of stream 1003: (\d+) frames.*, verified (\d+)", process.stdout)
    assert verified_count and verified_count[1] == verified_count[2] != "0", process.stdout


def main():
    program, case = sys.argv[1:]
    {"verified": verified, "interrupted": interrupted, "killed": killed, "port_taken": port_taken,
     "by_hand": by_hand}[case](program)


if __name__ == "__main__":
    main()
