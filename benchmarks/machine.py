"""What the figures of a run were taken on: the machine, and the build. Names no host."""

import os
import re
import subprocess
from pathlib import Path


def read(path, otherwise=""):
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return otherwise


def caches():
    """{"L1 data": "32K", ...} of the first core."""
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind = read(index / "type")
        name = f"L{read(index / 'level')}" + ("" if kind == "Unified" else f" {kind.lower()}")
        found[name] = read(index / "size")
    return found


def cpu_times():
    """The first line of /proc/stat as clock ticks: user, nice, system, idle, iowait, irq, softirq, steal, ..."""
    return [int(field) for field in read("/proc/stat").split("\n")[0].split()[1:]]


def shares(begun, ended):
    """Steal, and time that was not idle, as shares of all cores between two cpu_times()."""
    passed = [after - before for before, after in zip(begun, ended)]
    total = max(1, sum(passed[:8]))
    return {"steal": round(passed[7] / total, 4), "busy": round(1 - (passed[3] + passed[4]) / total, 4)}


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.MULTILINE)
    return {
        "cpu": model.group(1) if model else "unknown",
        "cores": os.cpu_count(),
        "caches": caches(),
        "memory_gib": round(int(memory.group(1)) / 2**20, 1) if memory else 0,
        "kernel": os.uname().release.split("-")[0],
        "clocksource": read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "load_at_start": os.getloadavg()[0],
    }


def output_of(command, directory):
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def build(repository, build_directory):
    cache = dict(re.findall(r"^(\w+):\w+=(.*)$", read(build_directory / "CMakeCache.txt"), re.MULTILINE))
    kind = cache.get("CMAKE_BUILD_TYPE", "unknown")
    flags = f"{cache.get('CMAKE_CXX_FLAGS', '')} {cache.get('CMAKE_CXX_FLAGS_' + kind.upper(), '')}".strip()
    version = output_of([cache["CMAKE_CXX_COMPILER"], "--version"], repository) if "CMAKE_CXX_COMPILER" in cache else ""
    changed = output_of(["git", "status", "--porcelain", "--untracked-files=no"], repository)
    return {
        "commit": output_of(["git", "rev-parse", "--short=12", "HEAD"], repository) + (" with changes" if changed else ""),
        "compiler": version.split("\n")[0],
        "build_type": kind,
        "flags": flags,
    }
