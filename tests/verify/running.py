"""Runs the programs of a row, each in a session of its own that is gone afterwards, and sums up what they say they saw.

A test tells what it saw in lines "seen: <number> <what>[, <number> <what>]..."; numbers of the same thing are added.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from rows import Ctest, Fuzz, Tests

SEEN = re.compile(r"^(?:\d+: )?seen: (.*)$", re.MULTILINE)
GRACE_S = 5
FIGURE = re.compile(r"(\d+) ([^,]+)")


@dataclass
class Outcome:
    passed: bool = True
    seen: dict = field(default_factory=dict)  # what -> number
    seconds: float = 0
    output: str = ""

    def add(self, number, what):
        self.seen[what] = self.seen.get(what, 0) + number

    def fail(self, why):
        self.passed = False
        self.output += f"verify: {why}\n"


@dataclass(frozen=True)
class Setting:
    build: object       # the build directory of the tests
    fuzz_build: object  # that of the libFuzzer targets
    repository: object
    full: bool
    seed: int
    fuzz_seconds: int
    timeout_s: int


def environment(setting, more):
    return {**os.environ, "TENSORPOOL_SEED": str(setting.seed), "TSAN_OPTIONS": "halt_on_error=1", **(more if setting.full else {})}


def outlives(group):
    """Whether anybody of a process group is there GRACE_S after its leader. A sanitizer's symbolizer ends a moment later."""
    until = time.monotonic() + GRACE_S
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.02)
    return True


def execute(command, setting, outcome, more=None):
    """Its output, also added to the outcome. What it leaves running is killed with it, and is a failure."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", env=environment(setting, more or {}), start_new_session=True)
    try:
        output, _ = process.communicate(timeout=setting.timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        outcome.fail(f"took longer than {setting.timeout_s} s")
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    if outlives(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
        outcome.fail("it left a process behind")
    for left in Path("/dev/shm").glob(f"tp-fuzz-{process.pid}-*"):  # of a target that crashed
        shutil.rmtree(left, ignore_errors=True)
    outcome.output += f"$ {' '.join(map(str, command))}\n{output}"
    if process.returncode != 0:
        outcome.fail(f"exit status {process.returncode}")
    for line in SEEN.findall(output):
        for number, what in FIGURE.findall(line):
            outcome.add(int(number), what.strip())
    return output


def run_tests(run, setting, outcome):
    build = setting.build if run.preset == "release" else setting.repository / "build" / run.preset
    program = build / "bin" / run.program
    if not os.access(program, os.X_OK):
        return outcome.fail(f"{program} was not built")
    output = execute([str(program), f"--gtest_filter={run.filter}"], setting, outcome, run.long)
    ran = re.search(r"^\[  PASSED  \] (\d+) tests?\.", output, re.MULTILINE)
    skipped = re.search(r"^\[  SKIPPED \] (\d+) tests?", output, re.MULTILINE)
    passed = int(ran.group(1)) if ran else 0
    outcome.add(passed, "tests")
    if skipped:
        outcome.add(int(skipped.group(1)), "skipped")
    if passed == 0:
        outcome.fail("no test passed")


def run_ctest(run, setting, outcome):
    execute(["ctest", "--test-dir", str(setting.build), "--no-tests=error", "-V", "-R", f"^{re.escape(run.name)}$"], setting, outcome,
            run.long)


def run_fuzz(run, setting, outcome):
    """New inputs go to the build directory; the corpus in the repository is only read."""
    program = setting.fuzz_build / "bin" / f"{run.target}_fuzz"
    if not os.access(program, os.X_OK):
        return outcome.fail(f"{program} was not built")
    found = setting.fuzz_build / "found" / run.target
    found.mkdir(parents=True, exist_ok=True)
    corpus = setting.repository / "tests/fuzz/corpus" / run.target
    output = execute([str(program), f"-max_total_time={setting.fuzz_seconds}", f"-seed={setting.seed}", "-print_final_stats=1",
                      f"-artifact_prefix={found}/", str(found), str(corpus)], setting, outcome)
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
    outcome.add(int(executions.group(1)) if executions else 0, "executions")
    if not executions:
        outcome.fail("the fuzzer tells no figures")


RUNNERS = {Tests: run_tests, Ctest: run_ctest, Fuzz: run_fuzz}


def verify(row, setting):
    outcome = Outcome()
    begun = time.monotonic()
    for run in row.runs:
        RUNNERS[type(run)](run, setting, outcome)
    outcome.seconds = time.monotonic() - begun
    return outcome
