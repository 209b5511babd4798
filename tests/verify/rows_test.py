#!/usr/bin/env python3
"""The table of ./run verify is right: each row names tests, programs and corpora that exist, and no id occurs twice.

    rows_test.py BUILD_DIRECTORY
"""

import fnmatch
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from rows import ROWS, Ctest, Fuzz, Tests  # noqa: E402

TESTS = Path(__file__).resolve().parent.parent


def tests_of(program):
    """"Suite.Name" of every test, as GoogleTest's filters see them."""
    listed = subprocess.run([program, "--gtest_list_tests"], capture_output=True, text=True, check=True, timeout=60).stdout
    names, suite = [], ""
    for line in listed.splitlines():
        if line.startswith("  "):
            names.append(suite + line.split("#")[0].strip())
        else:
            suite = line.split("#")[0].strip()
    return names


def faults(build):
    ctests = re.findall(r"add_test\(NAME (\S+)", "".join(path.read_text() for path in TESTS.glob("*/CMakeLists.txt")))
    identifiers = [row.id for row in ROWS]
    for identifier in sorted({one for one in identifiers if identifiers.count(one) > 1}):
        yield f"{identifier} occurs twice"
    known = {}
    for row in ROWS:
        for run in row.runs:
            if isinstance(run, Tests):
                if run.program not in known:
                    known[run.program] = tests_of(build / "bin" / run.program)
                for pattern in run.filter.split("-")[0].split(":"):
                    if not fnmatch.filter(known[run.program], pattern):
                        yield f"{row.id}: {run.program} has no test {pattern}"
            elif isinstance(run, Ctest) and run.name not in ctests:
                yield f"{row.id}: there is no test {run.name}"
            elif isinstance(run, Fuzz) and not (TESTS / "fuzz/corpus" / run.target).is_dir():
                yield f"{row.id}: there is no corpus {run.target}"


def main():
    found = list(faults(Path(sys.argv[1])))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
