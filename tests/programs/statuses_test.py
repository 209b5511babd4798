#!/usr/bin/env python3
"""The same situation ends every command of tp with the same status, in text and in JSON: the table of docs/tp.md.

    statuses_test.py TP
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TP = sys.argv[1]
LIMIT_S = 60

# With what each needs beside a configuration.
TALKING = {
    "driver status": [], "driver leases": [], "driver streams": [], "driver dump": [],
    "driver shutdown": ["--token", "s3cret", "--timeout", "0.2"],
    "driver attach": ["--stream", "7", "--role", "consumer", "--attach-timeout", "0.2"],
    "driver keepalive": ["--stream", "7", "--role", "consumer", "--client-id", "7", "--lease-id", "4711", "--timeout", "0.2"],
    "driver detach": ["--stream", "7", "--role", "consumer", "--client-id", "7", "--lease-id", "4711", "--timeout", "0.2"],
    "publish pattern": ["--stream", "7", "--count", "1", "--attach-timeout", "0.2"],
    "consume": ["--stream", "7", "--count", "1", "--attach-timeout", "0.2"],
    "configure": ["--stream", "7", "--client-id", "7", "--timeout", "0.2"],
    "counters": [], "listen control": ["--seconds", "0.2", "--count", "1"], "top": ["--once"],
}
READING = [*TALKING, "supervise", "doctor", "driver validate", "driver run", "shm gc", "shm inspect", "shm validate"]
VERDICTS = {"doctor", "driver validate"}  # their own object says what is wrong


def run(command, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "TENSORPOOL_CONFIG"}
    return subprocess.run([TP, *command.split(), *arguments], capture_output=True, text=True, timeout=LIMIT_S, env=environment)


class Statuses(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="tp-statuses-")
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)

    def check(self, command, status, *arguments):
        with self.subTest(command=command, arguments=arguments):
            done = run(command, *arguments)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            told = run(command, *arguments, "--format", "json")
            self.assertEqual(told.returncode, status, told.stdout + told.stderr)
            if command in VERDICTS:
                return
            error = json.loads(told.stdout.splitlines()[-1])["error"]
            self.assertEqual(error["status"], status)
            self.assertIn(error["message"].splitlines()[0], told.stderr)
            self.assertRegex(error["code"], r"^[a-z_]+$")

    def test_of_a_configuration_that_cannot_be_read(self):
        bad = self.path / "bad.toml"
        bad.write_text("[shm]\nbase_dri = 1\n")
        broken = self.path / "broken.toml"
        broken.write_text("[shm\n")
        for config in (self.path / "none.toml", self.path, bad, broken):
            for command in READING:
                self.check(command, 2, *TALKING.get(command, []), "--config", str(config))

    def test_without_a_media_driver(self):
        for command, arguments in TALKING.items():
            self.check(command, 3, *arguments, "--aeron-dir", str(self.path / "aeron"))

    def test_of_a_path_that_is_not_there(self):
        for command in ("shm inspect", "shm validate"):
            self.check(command, 1, str(self.path / "none"))
        self.check("publish images", 1, str(self.path / "none"), "--stream", "7")

    def test_of_a_mistake_in_the_arguments(self):
        for command in READING:
            self.check(command, 2, "--nosuch") if command not in VERDICTS else None
            self.assertEqual(run(command, "--nosuch").returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
