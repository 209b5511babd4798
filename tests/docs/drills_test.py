#!/usr/bin/env python3
"""The failure drills of docs/drills.md, done: each step as it says, and each message that it shows must come.

    drills_test.py BIN_DIRECTORY SOURCE_DIRECTORY

A drill is a heading and a block whose lines begin with who it is: `do` is a step, anybody else's line is one that he must
write after it, in this order. The words of VALUES stand for a value. AT_ONCE of them run side by side, each in directories of its own.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BIN = Path(sys.argv[1])
SOURCE = Path(sys.argv[2])
LIMIT_S = 60
AT_ONCE = 4  # each has up to four processes, which a busy machine must not starve for longer than a lease
VALUES = re.compile(r"\b(?:CLIENT|COUNT|DIRECTORY|EPOCH|NAME|PID|REASON|SIZE|TIME)\b")
CONFIG = """
[driver]
aeron_dir = "{dir}/aeron"
media_driver = "{media}"
[shm]
base_dir = "{dir}"
[profiles.camera]
header_nslots = 16
payload_pools = [{{pool_id = 1, stride_bytes = 65536}}]
[profiles.vast]
header_nslots = 65536
payload_pools = [{{pool_id = 1, stride_bytes = 1073741824}}]
[streams.cam1]
stream_id = 1001
profile = "camera"
[streams.vast]
stream_id = 1002
profile = "vast"
"""


def drills():
    text = (SOURCE / "docs/drills.md").read_text()
    for title, section in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.M | re.S):
        for block in re.findall(r"^```\n(.*?)^```", section, re.M | re.S):
            yield title, [re.split(r"\s{2,}", line, maxsplit=1) for line in block.splitlines()]


def pattern_of(text):
    return re.compile(".+".join(re.escape(part) for part in VALUES.split(text)))


class Actor:
    """A process that a drill started, and what it wrote."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.read = 0
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.collect, daemon=True)
        self.reader.start()

    def collect(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def writes(self, pattern):
        def found():
            for at in range(self.read, len(self.lines)):
                if pattern.search(self.lines[at]):
                    self.read = at + 1
                    return True
            return False

        with self.changed:
            return self.changed.wait_for(found, LIMIT_S)

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()


class Drill:
    def __init__(self, title, lines):
        self.title, self.lines = title, lines
        self.actors = {}  # by name; one that was killed is replaced by its successor
        self.may_be_gone = {"second driver", "second producer", "vast producer", "early consumer"}  # who is refused
        self.all = []

    def run(self):
        """What went otherwise; empty if nothing did."""
        with tempfile.TemporaryDirectory(prefix="tp-drill-", dir="/dev/shm") as directory:
            os.chmod(directory, 0o755)
            self.directory = directory
            apart = ["do", "start the media driver"] in self.lines
            self.config = Path(directory) / "driver.toml"
            self.config.write_text(CONFIG.format(dir=directory, media="external" if apart else "auto"))
            try:
                return self.perform()
            finally:
                for actor in self.all:
                    actor.end()

    def perform(self):
        for who, text in self.lines:
            if who == "do":
                self.do(text)
            elif not self.actors[who].writes(pattern_of(text)):
                written = "\n".join(f"  {name}: {line}" for name, actor in self.actors.items() for line in actor.lines
                                    if " frames, " not in line)
                return f"{self.title}: the {who} never wrote after the step before: {text}\n{written}"
        died = [who for who, actor in self.actors.items() if who not in self.may_be_gone and actor.process.poll() is not None]
        return f"{self.title}: {died} died, whom nobody had killed" if died else ""

    def do(self, step):
        verb, who, rest = re.fullmatch(r"(start|kill -9|stop|end) the (.+?)(?: for (\d+) s)?", step).groups()
        if verb == "start":
            self.actors[who] = Actor(self.command(who))
            self.all.append(self.actors[who])
        elif verb in ("kill -9", "end"):
            self.actors[who].signal(signal.SIGKILL if verb == "kill -9" else signal.SIGTERM)
        else:
            self.actors[who].signal(signal.SIGSTOP)
            time.sleep(int(rest))  # what the step says
            self.actors[who].signal(signal.SIGCONT)

    def command(self, who):
        tp, config = str(BIN / "tp"), ["--config", str(self.config)]
        return {
            "media driver": [str(BIN / "test_peer"), "media", f"{self.directory}/aeron"],
            "driver": [tp, "driver", "run", str(self.config)],
            "second driver": [tp, "driver", "run", str(self.config)],
            "producer": [tp, "publish", "pattern", *config, "--stream", "1001", "--bytes", "40000", "--rate", "100"],
            "second producer": [tp, "publish", "pattern", *config, "--stream", "1001", "--bytes", "40000"],
            "vast producer": [tp, "publish", "pattern", *config, "--stream", "1002", "--bytes", "40000"],
            "consumer": [tp, "consume", *config, "--stream", "1001", "--verify"],
            "early consumer": [tp, "consume", *config, "--stream", "1001", "--attach-timeout", "3"],
        }[who]


class Drills(unittest.TestCase):
    def test_show_what_happens(self):
        all_of_them = [Drill(title, lines) for title, lines in drills()]
        self.assertGreater(len(all_of_them), 8, "docs/drills.md has another form")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            failures = [failure for failure in pool.map(Drill.run, all_of_them) if failure]
        self.assertFalse(failures, "\n\n".join(failures))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
