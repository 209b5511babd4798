#!/usr/bin/env python3
"""The user's three terminals with the user's own files: driver, producer and consumer, whichever starts first.

    three_terminals_test.py BIN_DIRECTORY SOURCE_DIRECTORY

Directories of this test's own come from the environment, which wins over the files.
"""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BIN = Path(sys.argv[1])
SOURCE = Path(sys.argv[2])
CONFIG = SOURCE / "docs/examples/driver_integration_example.toml"
DEFAULTS = SOURCE / "config/defaults.toml"
LIMIT_S = 50


class ThreeTerminals(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="tp-three-", dir="/dev/shm")
        self.addCleanup(self.directory.cleanup)
        self.environment = dict(os.environ, DRIVER_AERON_DIR=f"{self.directory.name}/aeron", SHM_BASE_DIR=self.directory.name)
        self.environment.pop("USER", None)  # ${USER} expands all the same

    def await_line(self, process, text):
        while text not in (line := process.stdout.readline()):
            self.assertTrue(line, f"it ended without saying: {text}")

    def start(self, program, *arguments):
        process = subprocess.Popen([BIN / program, *map(str, arguments)], env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def driver(self):
        return self.start("example_driver", CONFIG)

    def producer(self, *arguments):
        return self.start("example_producer", CONFIG, DEFAULTS, *arguments)

    def consumer(self, count):
        return self.start("example_consumer", CONFIG, DEFAULTS, count)

    def supervisor(self):
        return self.start("example_supervisor", CONFIG, DEFAULTS)

    def expect_end(self, process, status):
        text, _ = process.communicate(timeout=LIMIT_S)
        self.assertEqual(process.returncode, status, text)
        return text

    def stop(self, *processes):
        for process in processes:
            process.send_signal(signal.SIGINT)
            self.expect_end(process, 0)

    def test_driver_first(self):
        driver, producer, consumer = self.driver(), self.producer(0, 655360), self.consumer(50)
        self.assertIn("50 frames verified, 0 mismatches", self.expect_end(consumer, 0))
        self.stop(producer, driver)

    def test_driver_last(self):
        consumer, producer, driver = self.consumer(50), self.producer(0), self.driver()
        self.assertIn("50 frames verified, 0 mismatches", self.expect_end(consumer, 0))
        self.stop(producer, driver)
        self.assertFalse(Path(f"{self.directory.name}/aeron").exists(), "the media driver's directory is left")

    def test_consumer_last(self):
        producer, driver = self.producer(0), self.driver()
        self.await_line(producer, "frames published")
        self.assertIn("20 frames verified, 0 mismatches", self.expect_end(self.consumer(20), 0))
        self.stop(producer, driver)

    def test_one_wrong_byte_is_seen(self):
        self.environment["POLICIES_LEASE_EXPIRY_GRACE_INTERVALS"] = "60"  # the stopped producer keeps its place
        driver, producer = self.driver(), self.producer(0)
        self.await_line(producer, "frames published")
        producer.send_signal(signal.SIGSTOP)
        pool = max(Path(self.directory.name).rglob("1.pool"), key=lambda path: int(path.parent.name))
        with open(pool, "r+b") as file:
            for slot in range(64):
                file.seek(64 + slot * 655360 + 1000)
                file.write(b"\xff")  # right for one frame in 256; the consumer's first is the newest of all
        text = self.expect_end(self.consumer(1), 1)
        self.assertIn("the byte at 1000 is wrong", text)
        self.assertIn("0 frames verified, 1 mismatches", text)
        producer.send_signal(signal.SIGCONT)
        self.stop(producer, driver)

    def test_supervisor_tells_that_a_producer_was_killed(self):
        supervisor, driver, producer = self.supervisor(), self.driver(), self.producer(0)
        self.await_line(supervisor, "producer_appeared")
        producer.kill()
        self.await_line(supervisor, "producer_gone")
        again = self.producer(0)
        self.await_line(again, "frames published")
        self.await_line(supervisor, "epoch_changed")
        self.stop(again, supervisor, driver)

    def test_producer_ends_after_its_count(self):
        driver, producer = self.driver(), self.producer(20, 1000)
        self.assertIn("done, 20 frames of 1000 bytes published", self.expect_end(producer, 0))
        self.stop(driver)

    def test_consumer_fails_on_other_bytes(self):
        driver, consumer = self.driver(), self.consumer(5)
        self.await_line(driver, "serves control stream")  # tp does not wait for a driver
        other = self.start("tp", "publish", "pattern", "--config", CONFIG, "--size", "64x64", "--rate", "50", "--count", "0")
        self.assertIn("is wrong, it should be", self.expect_end(consumer, 1))
        self.stop(other, driver)

    def test_waiting_ends_on_a_signal(self):
        consumer = self.consumer(0)
        self.assertIn("waiting: there is no media driver", consumer.stdout.readline())
        self.stop(consumer)

    def test_bad_arguments(self):
        self.expect_end(self.start("example_driver"), 2)
        self.expect_end(self.consumer("many"), 2)
        self.expect_end(self.producer(1, 0), 2)
        self.assertIn("none.toml: cannot open", self.expect_end(self.start("example_driver", "none.toml"), 2))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
