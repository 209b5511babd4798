"""Runs measuring programs and cases: subject and baselines take turns, so that what changes on the machine meets all."""

import ctypes
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from cases import PROGRAMS

TIMEOUT_S = 200
PR_SET_PDEATHSIG = 1
SCRATCH = "tensorpool-bench-"


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class NotBuilt(Exception):
    pass


class Failed(Exception):
    pass


class Runner:
    """Runs programs of `directories`, each with a scratch directory below /dev/shm that is gone afterwards, whatever
    became of the program."""

    def __init__(self, directories):
        self.directories = directories

    def path_of(self, program):
        for directory in self.directories:
            if os.access(directory / program, os.X_OK):
                return directory / program
        raise NotBuilt(PROGRAMS[program])

    def figures(self, run):
        """The result of one run as a dict. Raises NotBuilt or Failed."""
        path = str(self.path_of(run.program))
        command = [path, *run.arguments()]
        scratch = tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-", dir="/dev/shm")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
                                  env={**os.environ, "TENSORPOOL_BENCH_SCRATCH": scratch}, preexec_fn=die_with_parent)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"took longer than {TIMEOUT_S} s") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if done.returncode != 0:
            lines = done.stderr.strip().split("\n")
            # By its name: what a run says goes into documents, and where it was built does not belong there.
            raise Failed(lines[-1].replace(path, run.program) or f"exit status {done.returncode}")
        return json.loads(done.stdout)


def in_turns(runner, case, rounds):
    """({name: [figures of each round]}, {name: why it has none}); the subject's name is "". Every other round goes
    backwards, so that nobody is always the one after the same neighbour."""
    runs = {"": case.subject, **case.baselines}
    results = {name: [] for name in runs}
    missing = {}
    for turn in range(rounds):
        for name in list(runs)[:: 1 if turn % 2 == 0 else -1]:
            if name in missing:
                continue
            try:
                results[name].append(runner.figures(runs[name]))
            except NotBuilt as error:
                missing[name] = f"not built: {error}"
            except Failed as error:
                missing[name] = f"failed: {error}"
    return results, missing


def spread(values):
    """(median, 10th percentile, 90th percentile)."""
    ordered = sorted(values)
    at = lambda share: ordered[round(share * (len(ordered) - 1))]
    return statistics.median(ordered), at(0.1), at(0.9)


def compared(row, subject, baseline):
    """The row's figure of each round, against the baseline's of the same round."""
    mine = [float(figures[row.figure]) for figures in subject]
    if row.compare == "value":
        return mine
    theirs = [float(figures[row.figure]) for figures in baseline]
    if row.compare == "difference":
        return [a - b for a, b in zip(mine, theirs)]
    return [a / b for a, b in zip(mine, theirs) if b != 0]


def evaluate(row, results, missing):
    """One row of the report as a dict; "note" says why a figure is missing."""
    line = {"figure": row.figure, "unit": row.unit, "against": row.against, "compare": row.compare}
    if row.bar:
        line["bar"] = f"{row.bar[0]} {row.bar[1]:g}"
    subject, baseline = results[""], results.get(row.against, [])
    if row.figure in (subject[0] if subject else {}):
        line["subject"] = statistics.median(float(figures[row.figure]) for figures in subject)
    if row.against and baseline and row.figure in baseline[0]:
        line["baseline"] = statistics.median(float(figures[row.figure]) for figures in baseline)
    notes = [f"{name or 'subject'} {missing[name]}" for name in ("", row.against) if name in missing]
    if notes:
        line["note"] = "; ".join(dict.fromkeys(notes))
    needs_baseline = row.compare != "value"
    if "subject" not in line or (needs_baseline and "baseline" not in line):
        line.setdefault("note", "the figure is missing")
        return line
    values = compared(row, subject, baseline)
    if values:
        line["result"], line["p10"], line["p90"] = spread(values)
        if row.bar:
            line["met"] = line["result"] <= row.bar[1] if row.bar[0] == "<=" else line["result"] >= row.bar[1]
    return line


def measure(runner, case, rounds):
    """The case as a dict: its rows, and every figure of every round."""
    results, missing = in_turns(runner, case, rounds)
    named = {name or "subject": figures for name, figures in results.items()}
    return {
        "case": case.name,
        "rounds": rounds,
        "rows": [evaluate(row, results, missing) for row in case.rows],
        "plot": case.plot,
        "runs": {name or "subject": [run.program, *run.arguments()] for name, run in {"": case.subject, **case.baselines}.items()},
        "figures": named,
    }


def say(text):
    print(text, file=sys.stderr, flush=True)


def sweep():
    """Removes what a suite that was killed left in /dev/shm: directories whose name has the id of no living process."""
    for path in Path("/dev/shm").glob(SCRATCH + "*-*"):
        owner = path.name[len(SCRATCH):].split("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(path, ignore_errors=True)
