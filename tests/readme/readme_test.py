#!/usr/bin/env python3
"""The README's programs are the files in examples/, and they work as the README says.

    readme_test.py BIN_DIRECTORY SOURCE_DIRECTORY

They use Aeron's default directory, so they run in a mount namespace of their own with an empty /dev/shm.
"""

import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path

BIN = Path(sys.argv[1])
SOURCE = Path(sys.argv[2])
OWN_SHM = ["unshare", *([] if os.geteuid() == 0 else ["-Ur"]), "-m", "--propagation", "private"]
LIMIT_S = 100


class Readme(unittest.TestCase):
    def test_shows_the_examples_as_they_are(self):
        blocks = re.findall(r"```cpp\n(.*?)```", (SOURCE / "README.md").read_text(), re.DOTALL)
        for name, limit in (("publisher", 15), ("consumer", 10)):
            comment, code = (SOURCE / f"examples/hello_frame/{name}.cpp").read_text().split("\n", 1)
            self.assertTrue(comment.startswith("//"))
            self.assertIn(code, blocks, f"README.md does not show examples/hello_frame/{name}.cpp")
            lines = [line for line in code.split("\n") if line.strip()]
            self.assertLessEqual(len(lines), limit, f"the {name} became longer than {limit} lines")

    def test_publisher_and_consumer_work_with_the_quickstart_driver(self):
        script = f"""mount -t tmpfs -o size=512m tmpfs /dev/shm && cd {SOURCE} && export PATH={BIN}:$PATH || exit 90
            tp driver run config/quickstart.toml & driver=$!
            until hello_frame_consumer; do kill -0 $driver || exit 91; done & consumer=$!
            until hello_frame_publisher; do kill -0 $driver || exit 92; done & publisher=$!
            wait $consumer || exit 93
            wait $publisher || exit 94
            kill $driver && wait $driver || exit 95
            find /dev/shm -type f -size +0 -o -type d -name 'aeron*' | sed 's/^/left behind: /'"""
        process = subprocess.Popen([*OWN_SHM, "bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True)
        try:
            text, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            self.fail(f"still running after {LIMIT_S} s:\n{process.communicate()[0]}")
        self.assertEqual(process.returncode, 0, text)
        self.assertEqual(len(re.findall(r"^frame \d+$", text, re.MULTILINE)), 100, text)
        self.assertNotIn("left behind", text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
