#!/usr/bin/env python3
"""The example programs end their leases on SIGINT, SIGTERM and SIGHUP, and start again at once, after a kill too.

    signals_test.py BIN_DIRECTORY SOURCE_DIRECTORY

They use Aeron's default directory, so this runs in a mount namespace with an empty /dev/shm.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BIN, SOURCE = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
LIMIT_S = 60
INSIDE = "TENSORPOOL_SIGNALS_TEST_HAS_OWN_SHM"
CONFIG = SOURCE / "config/quickstart.toml"
# Programs that hold leases of a driver, each with the role that its last attachment has.
PROGRAMS = {"hello_frame_publisher": "PRODUCER", "hello_frame_consumer": "CONSUMER", "camera_dma": "PRODUCER",
            "metadata_camera": "PRODUCER", "metadata_reader": "CONSUMER", "per_consumer": "CONSUMER",
            "processor": "PRODUCER", "progress_camera": "PRODUCER", "progress_processor": "CONSUMER",
            "rate_limited": "CONSUMER", "reattach_consumer": "CONSUMER", "reattach_producer": "PRODUCER",
            "supervised_consumer": "CONSUMER"}


def enter_own_shm():
    if INSIDE not in os.environ:
        own_user = [] if os.geteuid() == 0 else ["-Ur"]
        script = 'mount -t tmpfs -o size=1g,mode=1777 tmpfs /dev/shm && exec "$@"'
        os.execvpe("unshare", ["unshare", *own_user, "-m", "--propagation", "private", "bash", "-c", script, "bash", sys.executable,
                               *sys.argv], dict(os.environ, **{INSIDE: "1"}))


class Program:
    """One process; what it prints goes to a file."""

    def __init__(self, *command):
        self.name = command[0]
        self.output = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen([BIN / command[0], *command[1:]], stdout=self.output, stderr=subprocess.STDOUT)

    def text(self):
        return Path(f"/proc/self/fd/{self.output.fileno()}").read_text()

    def await_text(self, pattern, times=1):
        deadline = time.monotonic() + LIMIT_S
        while len(re.findall(pattern, self.text())) < times:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"{self.name} (status {self.process.poll()}) did not say {pattern}:\n{self.text()}")
            time.sleep(0.01)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(LIMIT_S)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()


class Signals(unittest.TestCase):
    def start(self, *command):
        program = Program(*command)
        self.addCleanup(program.close)
        return program

    def start_driver(self, config=CONFIG):
        driver = self.start("tp", "driver", "run", str(config))
        driver.await_text("serves control stream")
        self.addCleanup(driver.wait)
        self.addCleanup(driver.signal, signal.SIGTERM)
        return driver

    def expect_ended(self, driver, program, attached, number):
        """Each of its leases was given back."""
        program.signal(number)
        stopped = program.wait() == 0 or "gave up waiting for the driver" in program.text()  # in its attach
        self.assertTrue(stopped, f"{program.name} on {signal.Signals(number).name}: {program.wait()}\n{program.text()}")
        driver.await_text(r"lease of \w+ \d+ ended, DETACHED", attached)
        self.assertNotIn("EXPIRED", driver.text(), program.name)

    def test_end_the_leases_of_every_example(self):
        driver = self.start_driver()
        attached = 0
        for index, (name, role) in enumerate(PROGRAMS.items()):
            program = self.start(name)
            attached += 2 if name == "processor" else 1
            driver.await_text(r": (PRODUCER|CONSUMER) \d+ attached", attached)
            self.assertIn(role, driver.text())
            self.expect_ended(driver, program, attached, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)[index % 3])

    def test_of_which_two_come_at_once_are_one_request(self):
        driver = self.start_driver()
        publisher = self.start("hello_frame_publisher")
        driver.await_text(r"PRODUCER \d+ attached")
        publisher.signal(signal.SIGINT)
        self.expect_ended(driver, publisher, 1, signal.SIGINT)

    def test_let_a_publisher_start_again_at_once(self):
        driver = self.start_driver()
        for attached in range(1, 4):
            publisher = self.start("hello_frame_publisher")
            driver.await_text("PRODUCER \\d+ attached", attached)
            self.expect_ended(driver, publisher, attached, signal.SIGTERM)
        self.assertNotIn("refused", driver.text())

    def kill_and_start_again(self, config):
        driver = self.start_driver(config)
        killed = self.start("hello_frame_publisher")
        driver.await_text("PRODUCER \\d+ attached")
        consumer = self.start("hello_frame_consumer")
        driver.await_text("CONSUMER \\d+ attached")
        killed.signal(signal.SIGKILL)
        self.assertEqual(killed.wait(), -signal.SIGKILL)
        successor = self.start("hello_frame_publisher")
        driver.await_text("PRODUCER \\d+ attached", 2)
        self.assertIn("ended, EXPIRED", driver.text())
        self.assertEqual(consumer.wait(), 0, consumer.text())
        self.assertGreaterEqual(len(re.findall(r"frame \d+", consumer.text())), 100)
        successor.signal(signal.SIGTERM)
        successor.wait()

    def test_let_a_killed_publisher_start_again(self):
        self.kill_and_start_again(CONFIG)

    def test_let_a_killed_publisher_start_again_under_a_driver_with_long_leases(self):
        with tempfile.TemporaryDirectory() as directory:
            config = Path(directory) / "long.toml"
            text = CONFIG.read_text()
            self.assertIn("[policies]", text)
            config.write_text(text.replace("[policies]", "[policies]\nlease_keepalive_interval_ms = 4000"))
            self.kill_and_start_again(config)

    def test_refuse_a_second_publisher_beside_a_living_one_and_say_what_to_do(self):
        driver = self.start_driver()
        first = self.start("reattach_producer")
        driver.await_text(r"PRODUCER \d+ attached")
        begun = time.monotonic()
        second = self.start("hello_frame_publisher")
        self.assertEqual(second.wait(), 1)
        self.assertGreater(time.monotonic() - begun, 4, "a killed one's lease could still have ended")
        self.assertLess(time.monotonic() - begun, 15, "within half of the attach time-out")
        for part in ("producer already attached (REJECTED)", "which is alive", "stop the other one"):
            self.assertIn(part, second.text())
        first.signal(signal.SIGTERM)
        self.assertEqual(first.wait(), 0)
        driver.await_text(r"lease of PRODUCER \d+ ended, DETACHED")
        deadline = time.monotonic() + 20
        while self.leases() != []:
            self.assertLess(time.monotonic(), deadline, "a lease is left")

    def leases(self):
        listed = subprocess.run([BIN / "tp", "driver", "leases", "--format", "json"], capture_output=True, text=True, check=True)
        return json.loads(listed.stdout)


if __name__ == "__main__":
    enter_own_shm()
    unittest.main(argv=sys.argv[:1], verbosity=2)
