#!/usr/bin/env python3
"""The barriers of the seqlock in the machine code of a weakly ordered machine.

    barriers_test.py SOURCE_DIRECTORY COMPILER      COMPILER makes code for aarch64

x86-64 keeps most orders by itself, so no run there can miss a barrier. Compiles barriers.cpp for aarch64 and reads what
lies between the accesses to the commit word and to the payload; then compiles it without each of A, B, C and D in turn,
and every time the check must find what is missing.
"""

import re
import subprocess
import sys
from pathlib import Path

# What each function must do, in this order; alternatives are as strong or stronger.
MARKED = ["str commit", "dmb ish", "str payload"]
COMMITTED = ["str payload", "stlr commit"]
OBSERVED = ["ldar|ldapr commit", "ldr payload"]
UNCHANGED = ["ldr payload", "dmb ishld|ish", "ldr commit"]
SHIPPED = {"writer_marks": MARKED, "writer_commits": COMMITTED, "reader_observes": OBSERVED,
           "reader_looks_again": UNCHANGED, "reader_of_a_part_looks_again": UNCHANGED}
# Which functions a mutant must be caught in.
MUTANTS = {"WithoutA": {"writer_marks"}, "WithoutB": {"writer_commits"}, "WithoutC": {"reader_observes"},
           "WithoutD": {"reader_looks_again", "reader_of_a_part_looks_again"}}

PLACES = {"x0": "commit", "x1": "payload"}


def assembly(source, compiler, atomics):
    done = subprocess.run(
        [compiler, "-std=c++20", "-O2", "-S", "-o", "-", f"-DATOMICS={atomics}", f"-I{source}/src", f"-I{source}/include",
         str(source / "tests/model/barriers.cpp")], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        sys.exit(f"{compiler} cannot compile barriers.cpp with {atomics}:\n{done.stderr}")
    return done.stdout


def accesses(code, function):
    """Barriers, and accesses to commit word and payload, in program order: ["str commit", "dmb ish", ...]."""
    body = re.search(rf"^{function}:\n(.*?)^\s*\.size\s+{function}\b", code, re.MULTILINE | re.DOTALL)
    if body is None:
        sys.exit(f"{function} is not in the machine code")
    found = []
    for line in body.group(1).splitlines():
        if barrier := re.match(r"\s+dmb\s+(\w+)", line):
            found.append(f"dmb {barrier.group(1)}")
        elif access := re.match(r"\s+((?:ld|st)\w+)\s.*\[(\w+)", line):
            found.append(f"{access.group(1)} {PLACES.get(access.group(2), access.group(2))}")
    return found


def is_allowed(seen, wanted):
    return len(seen) == len(wanted) and all(
        seen_words[1] == wanted_words[1] and seen_words[0] in wanted_words[0].split("|") if wanted_words[0] != "dmb"
        else seen_words[0] == "dmb" and seen_words[1] in wanted_words[1].split("|")
        for seen_words, wanted_words in zip(map(str.split, seen), map(str.split, wanted)))


def faults(source, compiler, atomics):
    """{function: what its machine code does}, of those that do not do what they must."""
    code = assembly(source, compiler, atomics)
    seen = {function: accesses(code, function) for function in SHIPPED}
    return {function: seen[function] for function, wanted in SHIPPED.items() if not is_allowed(seen[function], wanted)}


def main():
    source, compiler = Path(sys.argv[1]), sys.argv[2]
    failed = False
    for function, seen in faults(source, compiler, "NativeAtomics").items():
        print(f"{function} must be {', '.join(SHIPPED[function])}; it is {', '.join(seen) or 'nothing'}")
        failed = True
    for mutant, expected in MUTANTS.items():
        caught = set(faults(source, compiler, mutant))
        if caught != expected:
            print(f"{mutant}: found missing in {sorted(caught)}, not in {sorted(expected)}: this check proves nothing")
            failed = True
    if not failed:
        print(f"seen: {len(SHIPPED)} functions in order, {len(MUTANTS)} mutants caught")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
