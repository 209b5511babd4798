#!/usr/bin/env python3
"""scripts/run_all_driver.sh with the document's camera pipeline, rings of 8 slots instead of 1024 and 512.

    run_all_driver_test.py BIN_DIRECTORY SOURCE_DIRECTORY
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BIN = Path(sys.argv[1])
SOURCE = Path(sys.argv[2])
EXAMPLE = SOURCE / "docs/examples/driver_camera_example.toml"
SCRIPT = SOURCE / "scripts/run_all_driver.sh"
LIMIT_S = 110


def processes_of(directory):
    """Command lines that name the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if directory.encode() in command:
            found.append(command)
    return found


class RunAllDriver(unittest.TestCase):
    def setUp(self):
        shm = tempfile.TemporaryDirectory(prefix="tp-all-", dir="/dev/shm")
        self.addCleanup(shm.cleanup)
        self.directory = shm.name
        (Path(shm.name) / "base").mkdir()
        text = re.sub(r"header_nslots = \d+", "header_nslots = 8", EXAMPLE.read_text())
        text = text.replace("/dev/shm/tensorpool", f"{shm.name}/base").replace("/dev/shm/aeron", f"{shm.name}/aeron")
        self.text = text.replace("[policies]", "[policies]\ncleanup_shm_on_exit = true")

    def start(self, text, *arguments):
        """The script on that configuration, its two outputs in one."""
        config = Path(self.directory) / "cameras.toml"
        config.write_text(text)
        environment = dict(os.environ, TENSORPOOL_BIN=str(BIN), TMPDIR=self.directory)
        script = subprocess.Popen([SCRIPT, config, *arguments], env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        self.addCleanup(script.stdout.close)
        self.addCleanup(script.wait)
        self.addCleanup(script.kill)
        return script

    def expect_end(self, script, status):
        """Its output, after it has ended so and left nothing but empty lock files and the configuration."""
        text, _ = script.communicate(timeout=LIMIT_S)
        self.assertEqual(script.returncode, status, text)
        self.assertEqual(processes_of(self.directory), [], text)
        left = [path for path in Path(self.directory).rglob("*") if path.is_file() and path.stat().st_size > 0]
        self.assertEqual(left, [Path(self.directory) / "cameras.toml"], text)
        return text

    def expect_verified(self, text, stream):
        summary = re.search(rf"summary of stream {stream}: (\d+) frames.*", text)
        self.assertTrue(summary and int(summary[1]) > 0, text)
        self.assertIn(f"verified {summary[1]}", summary[0], text)

    def test_every_processed_stream_is_verified(self):
        text = self.expect_end(self.start(self.text, "2"), 0)  # which begin when all are attached
        self.assertIn("3 cameras, 3 processors, 3 consumers", text)
        for stream in (1001, 1002, 1003, 2001, 2002, 2003):
            self.assertRegex(text, rf"producer_appeared: producer \d+ of stream {stream} is there")
        self.assertIn("supervisor ends:", text)
        for stream in (2001, 2002, 2003):
            self.expect_verified(text, stream)

    def test_a_refused_attach_leaves_the_others_running(self):
        huge = '[profiles.raw_huge]\nheader_nslots = 1024\npayload_pools = [{ pool_id = 1, stride_bytes = 1073741824 }]\n'
        text = self.text.replace('stream_id = 1003\nprofile = "raw_profile"', 'stream_id = 1003\nprofile = "raw_huge"')
        text = self.expect_end(self.start(text + huge, "4"), 1)
        self.assertIn("cam3 ended with status 4", text)
        self.assertRegex(text, r"needs? \d+ bytes|\d+ bytes.*free|header_nslots")
        for stream in (2001, 2002):
            self.expect_verified(text, stream)

    def test_ends_all_on_an_interrupt(self):
        script = self.start(self.text)
        while "cameras, 3 processors" not in (line := script.stdout.readline()):
            self.assertTrue(line, "it ended")
        script.send_signal(signal.SIGINT)
        self.expect_end(script, 0)

    def test_says_what_is_wrong_with_a_configuration(self):
        text = self.expect_end(self.start(self.text.replace("base_dir", "base_dri")), 2)
        self.assertIn('did you mean "base_dir"?', text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
