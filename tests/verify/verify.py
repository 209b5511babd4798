#!/usr/bin/env python3
"""Nothing torn, nothing hung, nothing left behind: every claim that can be tried, tried, with what was seen of each.

Prints one line per row; of one that failed all that its programs said. Exit status 1 means that one failed. docs/verify.md
says what the rows are.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
import running  # noqa: E402
from rows import ROWS, Ctest, Fuzz, Tests  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent.parent
TIMEOUT_S = (300, 7200)  # of one program: quick, full


def arguments():
    parser = argparse.ArgumentParser(prog="./run verify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="every row, in its short form (default)")
    kind.add_argument("--full", action="store_true", help="a million accepted frames by each way to read; hours of fuzzing if told so")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT",
                        help="rows whose id begins so, else those with this text in their claim; may be repeated")
    parser.add_argument("--list", action="store_true", help="names the rows and ends")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything that is random (default 1)")
    parser.add_argument("--fuzz-seconds", type=int, metavar="N", help="for each fuzz target: 5, with --full 60")
    kind.add_argument("--soak", type=float, metavar="MINUTES", help="instead of rows: the three-camera pipeline, and a random fault every second")
    parser.add_argument("--builds", action="store_true", help=argparse.SUPPRESS)  # says what ./run has to build first, and ends
    parser.add_argument("--build", type=Path, default=REPOSITORY / "build/release", metavar="DIRECTORY", help=argparse.SUPPRESS)
    return parser.parse_args()


def wanted_rows(texts):
    """Of each text the rows whose id begins so; if there is none, those whose claim holds it."""
    wanted = []
    for text in texts:
        wanted += [row for row in ROWS if row.id.startswith(text)] or [row for row in ROWS if text.lower() in row.claim.lower()]
    return [row for row in ROWS if row in wanted] if texts else ROWS


def builds_of(rows):
    """"preset target" of each build that the rows need; without a target: all of it."""
    needed = {"release": any(isinstance(run, Ctest) or isinstance(run, Tests) and run.preset == "release"
                             for row in rows for run in row.runs)}
    for row in rows:
        for run in row.runs:
            if isinstance(run, Tests) and run.preset != "release":
                needed[f"{run.preset} {run.program}"] = True
            elif isinstance(run, Fuzz):
                needed["fuzz fuzzers"] = True
    return [build for build, wanted in needed.items() if wanted]


def describe(outcome):
    return ", ".join(f"{number:,} {what}" for what, number in outcome.seen.items())


def say(text):
    print(text, flush=True)


def main():
    wanted = arguments()
    if wanted.builds:
        soak = ["release soak_peer", "release test_peer", "release tp"]
        say("\n".join(soak if wanted.soak is not None else builds_of(wanted_rows(wanted.only)) or ["release"]))
        return 0
    if wanted.soak is not None:
        os.execv(sys.executable, [sys.executable, str(REPOSITORY / "tests/verify/soak/soak.py"), "--minutes", str(wanted.soak),
                                  "--seed", str(wanted.seed), "--format", wanted.format, "--build", str(wanted.build)])
    rows = wanted_rows(wanted.only)
    if wanted.list:
        say("\n".join(f"{row.id:<4}{row.claim}" for row in rows))
        return 0
    if not rows:
        print("no row has such an id or text; --list names them", file=sys.stderr)
        return 2
    setting = running.Setting(wanted.build, REPOSITORY / "build/fuzz", REPOSITORY, wanted.full, wanted.seed,
                              wanted.fuzz_seconds or (60 if wanted.full else 5), TIMEOUT_S[wanted.full])
    as_text = wanted.format == "text"
    outcomes, begun = [], time.monotonic()
    for row in rows:
        outcome = running.verify(row, setting)
        outcomes.append((row, outcome))
        if as_text:
            say(f"{row.id:<4}{'passed' if outcome.passed else 'FAILED'} {outcome.seconds:6.1f} s  {row.claim}: {describe(outcome)}")
            if not outcome.passed:
                say(outcome.output)
    failed = [row.id for row, outcome in outcomes if not outcome.passed]
    seconds = time.monotonic() - begun
    if as_text:
        say(f"{len(rows) - len(failed)} of {len(rows)} rows passed in {seconds:.0f} s, seed {wanted.seed}"
            + (f"; FAILED: {' '.join(failed)}" if failed else ""))
    else:
        say(json.dumps({"kind": "full" if wanted.full else "quick", "seed": wanted.seed, "seconds": round(seconds, 1),
                        "failed": failed, "rows": [
                            {"id": row.id, "claim": row.claim, "passed": outcome.passed, "seconds": round(outcome.seconds, 1),
                             "seen": outcome.seen, **({} if outcome.passed else {"output": outcome.output})}
                            for row, outcome in outcomes]}, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
