#!/usr/bin/env python3
"""The benchmark suite: every figure beside its baseline, measured in turns in the same run, and the bar it must meet.

It prints times and never fails for one; exit status 1 means that a case could not be run. docs/benchmarks.md says how to
read it.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
import cases  # noqa: E402
import machine  # noqa: E402
import plots  # noqa: E402
import report  # noqa: E402
import running  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build/release"
PROGRAM_DIRECTORIES = [BUILD / "bin", REPOSITORY / "build/iceoryx2/release"]
DOCUMENT = REPOSITORY / "docs/benchmarks.md"
MARKS = ("<!-- results: written by ./run bench --write-docs -->", "<!-- end of results -->")


def arguments():
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="the cases that matter most, in about 3 minutes (default)")
    kind.add_argument("--full", action="store_true", help="all cases, more rounds, in about 25 minutes")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="cases whose name has this text; may be repeated")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build/bench", metavar="DIRECTORY",
                        help="for results.json, results.txt and the plots")
    parser.add_argument("--list", action="store_true", help="names the cases and ends")
    parser.add_argument("--write-docs", action="store_true", help="puts the results into docs/benchmarks.md")
    return parser.parse_args()


def chosen(wanted):
    """[(case, rounds)]: with --only also those that this kind of run leaves out, once."""
    kind = 1 if wanted.full else 0
    for case in cases.all_cases():
        if any(text in case.name for text in wanted.only) or (not wanted.only and case.rounds[kind] > 0):
            yield case, max(1, case.rounds[kind])


def run_all(wanted):
    running.sweep()
    runner = running.Runner(PROGRAM_DIRECTORIES)
    selected = list(chosen(wanted))
    results = {"machine": machine.machine(), "build": machine.build(REPOSITORY, BUILD),
               "settings": {"kind": "full" if wanted.full else "quick", "only": wanted.only}, "cases": []}
    begun, cpu_begun = time.monotonic(), machine.cpu_times()
    for number, (case, rounds) in enumerate(selected, 1):
        running.say(f"[{number}/{len(selected)}, {time.monotonic() - begun:.0f} s] {case.name}")
        results["cases"].append(running.measure(runner, case, rounds))
    results["seconds"] = time.monotonic() - begun
    results["shares"] = machine.shares(cpu_begun, machine.cpu_times())
    return results


def write_document(results, drawn):
    """Puts tables and plots between the marks of docs/benchmarks.md."""
    for path in drawn:
        (DOCUMENT.parent / "benchmarks").mkdir(exist_ok=True)
        (DOCUMENT.parent / "benchmarks" / path.name).write_bytes(path.read_bytes())
    images = "\n".join(f"![{path.stem.replace('_', ' ')}](benchmarks/{path.name})" for path in drawn)
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    body = "\n\n".join(part for part in (report.markdown(results), images) if part)
    DOCUMENT.write_text(f"{before}{MARKS[0]}\n\n{body}\n\n{MARKS[1]}{after}", encoding="utf-8")


def main():
    wanted = arguments()
    if wanted.list:
        print("\n".join(case.name for case in cases.all_cases()))
        return 0
    results = run_all(wanted)
    if not results["cases"]:
        print("no case has such a name; --list names them", file=sys.stderr)
        return 2
    text = report.text(results)
    wanted.output.mkdir(parents=True, exist_ok=True)
    (wanted.output / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    (wanted.output / "results.txt").write_text(text + "\n", encoding="utf-8")
    drawn = plots.draw(results, wanted.output)
    print(json.dumps(results, indent=1) if wanted.format == "json" else text)
    running.say(f"written to {wanted.output}" + ("" if drawn or plots.pyplot else "; no plots: python3-matplotlib is not installed"))
    if wanted.write_docs:
        write_document(results, drawn)
    failed = any("failed:" in row.get("note", "") for case in results["cases"] for row in case["rows"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
