#!/usr/bin/env python3
"""A soak: the three-camera pipeline as real processes, and every second a fault that is drawn from a seed.

    soak.py --build build/release [--minutes N] [--seed N] [--format json]

Every frame is accounted for, nobody ends or hangs whom nobody ended, and nothing grows. docs/verify.md says how it is
judged. Exit status 1: something was violated, and is told with the seed, the last faults and the words of who took part.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from conductor import Conductor, Violation  # noqa: E402
from faults import DECK  # noqa: E402
from pipeline import Pipeline  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent
INSIDE = "TENSORPOOL_SOAK_INSIDE"
SECONDS = int(os.environ.get("TENSORPOOL_SOAK_SECONDS", len(DECK)))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="how long faults come; default: so long that each kind comes once")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("TENSORPOOL_SEED", 1)))
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--build", type=Path, default=REPOSITORY / "build/release")
    return parser.parse_args()


def enter_a_mount_namespace():
    """Again, in a mount namespace of our own, where that is allowed: there a small file system can be filled."""
    if os.environ.get(INSIDE) or not shutil.which("unshare"):
        return
    command = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() != 0 else [])]
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        os.environ[INSIDE] = "1"
        os.execvp(command[0], [*command, sys.executable, *sys.argv])


def main():
    wanted = arguments()
    enter_a_mount_namespace()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by the way out below
    say = print if wanted.format == "text" else lambda *_, **__: None
    pipeline = Pipeline(wanted.build, bool(os.environ.get(INSIDE)), embedded=wanted.seed % 2 == 0)
    conductor = Conductor(pipeline, wanted.seed, lambda text: say(text, flush=True))
    violation = None
    try:
        conductor.run(wanted.minutes * 60 if wanted.minutes else SECONDS)
    except Violation as found:
        violation = str(found)
    finally:
        conductor.kill_all()
        report = conductor.report(violation)
        pipeline.remove()
    if wanted.format == "json":
        print(json.dumps(report, indent=1))
    else:
        say(conductor.describe(report))
    return 1 if violation else 0


if __name__ == "__main__":
    sys.exit(main())
