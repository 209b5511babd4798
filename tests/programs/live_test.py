#!/usr/bin/env python3
"""What tp shows while it runs: tp top on terminals, and tp consume of a stream without a producer.

    live_test.py TP
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

TP = sys.argv[1]
LIMIT_S = 60
CONFIG = """
[driver]
aeron_dir = "{dir}/aeron"
[shm]
base_dir = "{dir}"
[profiles.a]
header_nslots = 16
payload_pools = [{{pool_id = 1, stride_bytes = 4096}}]
[streams.a]
stream_id = 1001
profile = "a"
"""


class Terminal:
    """A program whose terminal is ours: what it wrote, and keys for it."""

    def __init__(self, arguments, columns, **variables):
        self.master, self.slave = pty.openpty()
        self.resize(columns)
        self.settings = termios.tcgetattr(self.slave)
        environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"} | variables
        self.process = subprocess.Popen([TP, *arguments], stdin=self.slave, stdout=self.slave, stderr=subprocess.DEVNULL,
                                        env=environment, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.text = ""

    def resize(self, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read_until(self, condition):
        deadline = time.monotonic() + LIMIT_S
        while not condition(self.text):
            if time.monotonic() > deadline:
                raise AssertionError(f"never came: {self.text!r}")
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode()

    def press(self, key):
        os.write(self.master, key)

    def end(self):
        status = self.process.wait(LIMIT_S)
        same = termios.tcgetattr(self.slave)[3] == self.settings[3]
        return status, same

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def widths(text):
    return [len(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)) for line in text.replace("\r", "").split("\n")]


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="tp-live-", dir="/dev/shm")
        os.chmod(cls.directory.name, 0o755)
        cls.config = Path(cls.directory.name) / "driver.toml"
        cls.config.write_text(CONFIG.format(dir=cls.directory.name))
        cls.driver = subprocess.Popen([TP, "driver", "run", str(cls.config)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + LIMIT_S
        while subprocess.run([TP, "driver", "status", "--config", str(cls.config)], capture_output=True).returncode != 0:
            assert time.monotonic() < deadline, "the driver does not answer"

    @classmethod
    def tearDownClass(cls):
        cls.driver.send_signal(signal.SIGTERM)
        cls.driver.wait()
        cls.directory.cleanup()

    def top(self, columns, **variables):
        terminal = Terminal(["top", "--config", str(self.config), "--interval", "0.2"], columns, **variables)
        self.addCleanup(terminal.close)
        return terminal

    def publish(self):
        producer = subprocess.Popen([TP, "publish", "pattern", "--config", str(self.config), "--stream", "1001", "--bytes", "1000"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (producer.terminate(), producer.wait()))

    def test_top_fits_the_terminal_and_ends_with_q(self):
        self.publish()
        for columns, title in ((80, "name"), (40, "lost")):
            top = self.top(columns)
            top.read_until(lambda text: "producer" in text and "alive" in text and text.count("Hz") > 2)
            self.assertLessEqual(max(widths(top.text)), columns, top.text)
            self.assertIn(title, top.text)
            self.assertEqual("tp publish 1001" in top.text, columns == 80, top.text)
            self.assertIn("\x1b[1m", top.text)
            top.press(b"q")
            self.assertEqual(top.end(), (0, True))

    def test_top_follows_the_size_of_its_terminal(self):
        top = self.top(80)
        top.read_until(lambda text: "Hz" in text)
        top.text = ""
        top.resize(40)
        top.read_until(lambda text: "\x1b[2J" in text and text.count("Hz") > 1)
        self.assertLessEqual(max(widths(top.text[top.text.index("\x1b[2J"):])), 40)
        top.process.send_signal(signal.SIGTERM)
        self.assertEqual(top.end(), (0, True))

    def test_top_lives_on_where_it_cannot_be_suspended(self):
        top = self.top(80)  # the leader of a session is not stopped by its terminal
        top.read_until(lambda text: "Hz" in text)
        self.assertFalse(termios.tcgetattr(top.slave)[3] & termios.ICANON)
        top.press(b"\x1a")
        top.text = ""
        top.read_until(lambda text: text.count("Hz") > 2)
        self.assertFalse(termios.tcgetattr(top.slave)[3] & termios.ICANON)
        top.press(b"q")
        self.assertEqual(top.end(), (0, True))

    def test_top_heeds_no_color_and_dumb_terminals(self):
        plain = self.top(80, NO_COLOR="1")
        plain.read_until(lambda text: text.count("Hz") > 1)
        self.assertNotRegex(plain.text, r"\x1b\[\d*m")
        dumb = self.top(80, TERM="dumb")
        dumb.read_until(lambda text: text.count("Hz") > 1)
        self.assertNotIn("\x1b", dumb.text)
        self.assertLessEqual(max(widths(dumb.text)), 80)
        piped = subprocess.run([TP, "top", "--config", str(self.config), "--once"], capture_output=True, text=True)
        self.assertNotIn("\x1b", piped.stdout)
        self.assertIn("lost by cause", piped.stdout)

    def test_consume_says_that_there_is_no_producer(self):
        consume = [TP, "consume", "--config", str(self.config), "--stream", "1001", "--seconds", "1.5"]
        text = subprocess.run(consume, capture_output=True, text=True).stdout
        self.assertIn("no producer", text)
        self.assertNotIn("latency", text)
        self.assertNotIn("lost", text)
        lines = [json.loads(line) for line in
                 subprocess.run([*consume, "--format", "json"], capture_output=True, text=True).stdout.splitlines()]
        self.assertEqual(lines[-1]["event"], "summary")
        self.assertIsNone(lines[-1]["latency_p50_ns"])
        self.assertEqual(lines[-1]["producer_id"], 0)
        self.publish()
        self.assertRegex(subprocess.run([*consume, "--count", "5"], capture_output=True, text=True).stdout, "latency p50 [0-9]+ us")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
