#!/usr/bin/env python3
"""Counts the instructions of the frame path and holds them against instructions.json.

    instructions_test.py PROGRAM COMPILER [--update]

PROGRAM is hot_path, COMPILER what built it ("GNU-12"). A figure is instructions per operation, of one thread, by
callgrind: what else the machine does does not change it. More than 3 % above the expectation fails; more than 3 % below
fails too, so that what was won is kept; --update writes what was counted. A compiler without expectations is only shown.

memcpy and its like are chosen by the C library for the machine at hand; here it is told to take the ones that every
x86-64 machine has, so that the figures of 4096 copied bytes are the same on all of them.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

EXPECTATIONS = Path(__file__).resolve().parent / "instructions.json"
TOLERANCE = 0.03
TUNABLES = "glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-AVX512F,-ERMS,-SSSE3"
# What stands beside which raw figure of Aeron.
BASELINES = {"publish_empty": "aeron_try_claim", "publish_4096": "aeron_try_claim", "claim_commit": "aeron_try_claim",
             "poll_one": "aeron_poll_one", "poll_64": "aeron_poll_64", "poll_empty": "aeron_poll_empty"}


def callgrind_totals(directory):
    """Instructions of the main thread by the name of the case, from the dumps in `directory`."""
    totals = {}
    for dump in Path(directory).glob("callgrind.*-01"):
        text = dump.read_text()
        case = re.search(r"^desc: Trigger: Client Request: (\w+)$", text, re.MULTILINE)
        if case:
            totals[case.group(1)] = int(re.search(r"^totals: (\d+)$", text, re.MULTILINE).group(1))
    return totals


def count(program):
    """Instructions per operation by the name of the case."""
    with tempfile.TemporaryDirectory(prefix="tp-gate-", dir="/dev/shm") as directory:
        ran = subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no", "--separate-threads=yes",
             f"--callgrind-out-file={directory}/callgrind", program, directory],
            env=os.environ | {"GLIBC_TUNABLES": TUNABLES}, text=True, capture_output=True)
        if ran.returncode != 0:
            sys.exit(f"{ran.stderr}hot_path under valgrind ended with {ran.returncode}")
        totals = callgrind_totals(directory)
    cases = {name: (int(regions), int(operations)) for name, regions, operations in map(str.split, ran.stdout.splitlines())}
    regions, _ = cases.pop("nothing")
    mark = totals["nothing"] / regions
    return {name: round((totals[name] - regions * mark) / operations, 1) for name, (regions, operations) in cases.items()}


def judge(name, figure, expected):
    """What is wrong with a figure; empty if nothing."""
    if expected is None:
        return "no expectation"
    if figure > expected * (1 + TOLERANCE):
        return f"{100 * (figure / expected - 1):+.1f} %: the frame path has become longer"
    if figure < expected * (1 - TOLERANCE):
        return f"{100 * (figure / expected - 1):+.1f} %: better; update the expectation"
    return ""


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--update"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    program, compiler = arguments
    figures = count(program)
    expectations = json.loads(EXPECTATIONS.read_text())
    if "--update" in sys.argv:
        expectations[compiler] = figures
        EXPECTATIONS.write_text(json.dumps(expectations, indent=2) + "\n")
    expected = expectations.get(compiler)

    wrong = 0
    print(f"instructions per operation   {compiler:>8} expected  raw Aeron")
    for name, figure in figures.items():
        verdict = judge(name, figure, expected.get(name)) if expected else ""
        wrong += bool(verdict)
        shown = expected.get(name, "-") if expected else "-"
        print(f"{name:28} {figure:8} {shown:>8}  {figures.get(BASELINES.get(name), ''):>9}  {verdict}".rstrip())
    if expected is None:
        print(f"there are no expectations for {compiler}: shown, not judged")
    if wrong:
        sys.exit(f"If this is right, say so: {Path(__file__).name} {program} {compiler} --update, and commit instructions.json.")


if __name__ == "__main__":
    main()
