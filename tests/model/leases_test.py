#!/usr/bin/env python3
"""Searches every state of leases.pml, and of its mutants until a violation is found.

    leases_test.py SOURCE_DIRECTORY SPIN COMPILER

TENSORPOOL_MODEL_EPOCHS: so many epochs in the life of the model's stream, 3 unless given; 4 take minutes and 2 GB.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

MUTANTS = ["REUSE_FILE", "NO_NEW_EPOCH", "TWO_PRODUCERS", "EPOCH_FROM_MEMORY", "HALF_MADE", "COLLECT_CURRENT",
           "LOWER_EPOCH", "NO_EPOCH_CHECK", "NO_SEQ_CHECK", "NO_RECHECK", "NO_MARK"]
SEARCH = ["-m100000", "-w26", "-E"]  # depth; an end where all wait for what never comes is allowed: whoever is killed is not there


def run(command, directory):
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def search(model, spin, compiler, *macros):
    """(violations, states, the first violation). The search ends at its first one."""
    with tempfile.TemporaryDirectory(prefix="tp-model-") as directory:
        run([spin, *(f"-D{macro}" for macro in macros), "-a", model], directory)
        run([compiler, "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=512", "-o", "pan", "pan.c"], directory)
        said = run(["./pan", *SEARCH], directory)
    if re.search(r"max search depth too small|hash array full|out of memory", said):
        sys.exit(f"the search with {macros} is not complete:\n{said}")
    errors = int(re.search(r"errors: (\d+)", said).group(1))
    states = int(float(re.search(r"([\d.e+]+) states, stored", said).group(1)))
    first = re.search(r"pan:1: (.*)", said)
    return errors, states, first.group(1) if first else ""


def main():
    model, spin, compiler = Path(sys.argv[1]).resolve() / "tests/model/leases.pml", sys.argv[2], sys.argv[3]
    errors, states, first = search(model, spin, compiler, f"GRANTS={os.environ.get('TENSORPOOL_MODEL_EPOCHS', '3')}")
    failed = errors > 0
    print(f"the model is violated: {first}" if failed else f"seen: {states} states, 0 violations")
    for mutant in MUTANTS:
        errors, states, first = search(model, spin, compiler, mutant)
        print(f"seen: 1 mutants caught\n  {mutant}: {first}" if errors else f"{mutant}: no violation among {states} states")
        failed = failed or errors == 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
