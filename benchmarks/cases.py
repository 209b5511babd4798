"""The table of cases: what is measured, beside which baselines, and the bar it must meet."""

from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB

# Measuring programs, and why one may not be there.
PROGRAMS = {
    "bench_tensorpool": "the target `benchmarks` was not built",
    "bench_aeron": "the target `benchmarks` was not built",
    "bench_memcpy": "the target `benchmarks` was not built",
    "iceoryx_bench": "CMake did not find iceoryx 2.0 (Debian: libiceoryx-posh-dev, iceoryx)",
    "iceoryx2_bench": "it needs cargo of Rust 1.89 or newer",
}


@dataclass(frozen=True)
class Run:
    """One way to run a program: PROGRAM MEASURE [--key value ...]."""

    program: str
    measure: str
    settings: tuple = ()

    def arguments(self):
        return [self.measure, *(str(part) for key, value in self.settings for part in (f"--{key}", value))]


def run(program, measure, **settings):
    """`program` is the part of its name that is not `bench`."""
    found = next(name for name in PROGRAMS if program in (name.removeprefix("bench_"), name.removesuffix("_bench")))
    return Run(found, measure, tuple((key.replace("_", "-"), value) for key, value in settings.items()))


@dataclass(frozen=True)
class Row:
    """One line of the report. `compare`: "ratio" or "difference" to the baseline `against`, or the "value" alone; the
    bar, where there is one, is what that must keep to: ("<=", 1.25)."""

    figure: str = "p50"
    against: str = ""
    compare: str = "ratio"
    bar: tuple = None
    unit: str = "ns"


@dataclass(frozen=True)
class Case:
    name: str
    subject: Run
    rows: tuple
    baselines: dict = field(default_factory=dict)  # name -> Run
    rounds: tuple = (3, 7)  # quick, full; 0: left out
    plot: tuple = None  # (plot, x): the subject and its baselines are points of that plot


def at_most(limit):
    return ("<=", limit)


def at_least(limit):
    return (">=", limit)


def name_of(size):
    for unit, text in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {text}"
    return f"{size} B"


def exchanges(size, touch):
    """How many exchanges take about a third of a second."""
    if not touch:
        return 100_000
    return max(100, min(50_000, 300_000_000 // (4000 + size)))


def per_frame():
    offer = {"raw offer": run("aeron", "offer")}
    poll = {"raw poll": run("aeron", "poll")}
    under = lambda limit, name: (Row(against=name, compare="difference", bar=at_most(limit)),)
    yield Case("publish/empty", run("tensorpool", "publish", how="copy"), under(60, "raw offer"), offer, (5, 11))
    yield Case("publish/empty by claim", run("tensorpool", "publish", how="claim"), under(60, "raw offer"), offer, (5, 11))
    yield Case("publish/4 MiB claimed, untouched", run("tensorpool", "publish", how="claim", bytes=4 * MIB, slots=16),
               (Row(against="raw offer", compare="difference"),), offer, (0, 7))
    yield Case("consume/untouched", run("tensorpool", "consume"), under(100, "raw poll"), poll, (5, 11))
    yield Case("consume/4 KiB read", run("tensorpool", "consume", bytes=4 * KIB, touch=1),
               (Row(against="raw poll", compare="difference"),), poll, (0, 7))


def copying():
    """Publishing by copy beside memcpy, in rings of several footprints. At least two laps of the ring are timed."""
    quick = {(64 * KIB, 4 * MIB), (64 * KIB, 128 * MIB), (4 * MIB, 8 * MIB), (4 * MIB, 128 * MIB)}
    full = [(64 * KIB, footprint * MIB) for footprint in (1, 2, 4, 8, 16, 32, 64, 128, 256)]
    full += [(MIB, footprint * MIB) for footprint in (4, 8, 32, 128, 256)]
    full += [(4 * MIB, 8 * MIB), (4 * MIB, 128 * MIB), (16 * MIB, 128 * MIB)]
    for size, footprint in full:
        slots = footprint // size
        burst = max(1, 4 * MIB // size)
        timed = {"bytes": size, "slots": slots, "burst": burst, "samples": max(40, 2 * slots // burst)}
        yield Case(f"publish/{name_of(size)} copied, ring of {name_of(footprint)}",
                   run("tensorpool", "publish", how="copy", **timed),
                   (Row("bytes_per_second", "memcpy", bar=at_least(0.95), unit="B/s"),
                    Row("bytes_per_second", "64-bit words", unit="B/s")),
                   {"memcpy": run("memcpy", "memcpy", **timed), "64-bit words": run("memcpy", "words", **timed)},
                   (3 if (size, footprint) in quick else 0, 7),
                   (f"throughput of {name_of(size)} frames", footprint) if size < 4 * MIB else None)
    for size in (64, KIB, 4 * KIB):
        timed = {"bytes": size, "slots": 64}
        yield Case(f"publish/{name_of(size)} copied", run("tensorpool", "publish", how="copy", **timed),
                   (Row(against="memcpy", compare="difference"),), {"memcpy": run("memcpy", "memcpy", burst=500, **timed)},
                   (0, 5))


def latencies():
    raw = {"raw Aeron": run("aeron", "one-way", samples=5000)}
    for size in (64, 4 * KIB, 640 * KIB, 4 * MIB, 16 * MIB):
        yield Case(f"one way/{name_of(size)} untouched", run("tensorpool", "one-way", bytes=size, samples=5000),
                   (Row(against="raw Aeron", bar=at_most(1.25)), Row("p99", "raw Aeron")), raw,
                   (3 if size in (64, 4 * MIB) else 0, 9))
    yield Case("one way/640 KiB written and read", run("tensorpool", "one-way", bytes=640 * KIB, slots=64, touch=1, rate=1000, samples=1000),
               (Row(against="raw Aeron", compare="difference"),), raw, (0, 5))
    sizes = (64, KIB, 4 * KIB, 64 * KIB, 640 * KIB, MIB, 4 * MIB, 16 * MIB)
    for size in sizes:
        for touch in (0, 1):
            rows = [Row(against="iceoryx2", bar=at_most(1.0 if touch else 0.5)), Row("p99", "iceoryx2"),
                    Row(against="iceoryx", bar=at_most(1.0 if touch else 0.2))]
            same = {"bytes": size, "touch": touch, "samples": exchanges(size, touch)}
            slots = 1 if size > MIB else 2 if size == MIB else 4  # the rings of both ways stay in the cache as long as they can
            text = f"written and read, {slots} slot{'s' if slots > 1 else ''}" if touch else "untouched"
            baselines = {"iceoryx2": run("iceoryx2", "round-trip", **same), "iceoryx": run("iceoryx", "round-trip", **same)}
            if size == 64 and not touch:
                baselines["raw Aeron"] = run("aeron", "round-trip")
                rows.append(Row(against="raw Aeron"))
            yield Case(f"round trip/{name_of(size)} {text}", run("tensorpool", "round-trip", slots=slots, **same), tuple(rows), baselines,
                       (3 if size in (64, 640 * KIB, 4 * MIB) else 0, 7),
                       (f"round trip, payload {'written and read' if touch else 'untouched'}", size))
    for size in (64 * KIB, 640 * KIB, 4 * MIB):
        same = {"bytes": size, "touch": 1, "samples": exchanges(size, 1)}
        yield Case(f"round trip/{name_of(size)} written and read, 32 slots", run("tensorpool", "round-trip", slots=32, **same),
                   (Row(against="iceoryx2"),), {"iceoryx2": run("iceoryx2", "round-trip", **same)}, (0, 5))


def throughputs():
    row = lambda against, bar: (Row("frames_per_second", against, bar=bar, unit="/s"),)
    for slots in (2, 16):
        same = {"bytes": 640 * KIB, "touch": 1, "slots": slots, "samples": 2000}
        yield Case(f"throughput/640 KiB copied in and read, {slots} slots", run("tensorpool", "throughput", **same),
                   row("iceoryx2", at_least(1.0)) + row("iceoryx", None),
                   {library: run(library, "throughput", **same) for library in ("iceoryx2", "iceoryx")}, (3, 7))
    yield Case("throughput/64 B untouched", run("tensorpool", "throughput", how="claim", bytes=64, touch=0, slots=1024, samples=500_000),
               row("raw Aeron", None), {"raw Aeron": run("aeron", "throughput", samples=1_000_000)}, (0, 5))


def fan_out():
    for consumers in (2, 4, 8, 16):
        rows = [Row(against="1 consumer", bar=at_most(1.05)), Row("lost", compare="value", bar=at_most(0), unit="")]
        baselines = {"1 consumer": run("tensorpool", "fan-out", consumers=1)}
        if consumers == 16:
            for library in ("iceoryx2", "iceoryx"):
                baselines[library] = run(library, "fan-out", bytes=64, consumers=16, samples=2000)
                rows.append(Row(against=library))
        yield Case(f"fan-out/{consumers} consumers", run("tensorpool", "fan-out", consumers=consumers), tuple(rows), baselines,
                   (3 if consumers == 16 else 0, 9))


def faults():
    for fault in ("stop", "kill", "slow"):
        yield Case(f"fault/{fault}", run("tensorpool", "fault", fault=fault, seconds=2 if fault != "stop" else 5),
                   (Row(against="no fault", bar=at_most(1.05)), Row("others_missing", compare="value", bar=at_most(0), unit="")),
                   {"no fault": run("tensorpool", "fault", seconds=2)}, (1, 5))
    for latest in (0, 1):
        load = lambda percent, samples: run("tensorpool", "overload", load_percent=percent, latest_only=latest, samples=samples)
        yield Case("overload/twice the consumer's rate" + (", latest_only" if latest else ""), load(200, 10_000),
                   (Row("valid_share", compare="value", bar=at_least(0.99), unit=""),
                    Row("p99", "half its rate", bar=at_most(3.0))),
                   {"half its rate": load(50, 2500)}, (1, 5))


def waiting():
    percent = lambda figure, limit: Row(figure, compare="value", bar=at_most(limit), unit="%")
    for attached in (0, 1):
        yield Case("idle/driver and media driver" + (", a quiet producer and consumer" if attached else ""),
                   run("tensorpool", "idle", attached=attached), (percent("p50", 2.0),), rounds=(1, 3))
    same = {"rate": 1000, "samples": 2000}
    raw = {"raw Aeron, spinning": run("aeron", "one-way", **same)}
    for idle, p50_us, cpu in (("spin", None, None), ("yield", None, None), ("nap", 15, 15.0), ("parked", 30, 1.5), ("backoff", None, None)):
        bar = at_most(p50_us * 1000) if p50_us else None
        rows = [Row(compare="value", bar=bar), Row("process_cpu_percent", compare="value", bar=at_most(cpu) if cpu else None, unit="%")]
        if idle == "spin":
            rows.append(Row(against="raw Aeron, spinning", bar=at_most(1.25)))
        yield Case(f"wake-up/{idle}", run("tensorpool", "wake-up", idle=idle, **same), tuple(rows), raw if idle == "spin" else {},
                   (1, 3))


def scale():
    for side in ("publish", "consume"):
        for streams in (8, 64):
            yield Case(f"streams/{side} on {streams}", run("tensorpool", "streams", streams=streams, side=side),
                       (Row(against="1 stream", bar=at_most(1.25)), Row(against="raw Aeron on as many", compare="difference")),
                       {"1 stream": run("tensorpool", "streams", side=side),
                        "raw Aeron on as many": run("aeron", "offer" if side == "publish" else "poll", streams=streams,
                                                    burst=256)},
                       (1 if streams == 64 else 0, 5))
    for gib in (1, 16):
        pool = lambda measure, size: run("tensorpool", measure, bytes=size, slots=1024, on_touch=1,
                                         **({"how": "claim", "burst": 256} if measure == "publish" else {}))
        for measure in ("publish", "consume"):
            yield Case(f"pools/{measure} untouched, {gib} GiB", pool(measure, gib * MIB),
                       (Row(against="1 MiB of pools", bar=at_most(1.25)),), {"1 MiB of pools": pool(measure, KIB)},
                       (1 if gib == 16 else 0, 5))
    milliseconds = lambda figure: Row(figure, compare="value", unit="ms")
    yield Case("join/64 streams in one process", run("tensorpool", "join"),
               (milliseconds("all_attached_ms"), milliseconds("frames_of_all_ms")), rounds=(1, 3))
    held = lambda count: (Row("troubles", compare="value", bar=at_most(0), unit=""),
                          Row("attached_at_the_end", compare="value", bar=at_least(count), unit=""),
                          milliseconds("all_attached_ms"), Row("driver_cpu_percent", compare="value", unit="%"))
    yield Case("attachments/1,000 of 50 processes", run("tensorpool", "attachments"), held(1000), rounds=(0, 1))
    for one_by_one, text in ((1, "one after the other"), (0, "at once")):
        yield Case(f"attachments/128 processes, started {text}",
                   run("tensorpool", "attachments", clients=128, attachments=128, one_by_one=one_by_one), held(128), rounds=(0, 1))


def recovery():
    row = (Row("milliseconds", compare="value", unit="ms"),)
    yield Case("start-up/first frame", run("tensorpool", "start-up"), row, rounds=(1, 5))
    for lost, rounds in (("producer", (1, 3)), ("media-driver-restart", (1, 3)), ("media-driver", (0, 3))):
        yield Case(f"recovery/{lost}", run("tensorpool", "recovery", lost=lost), row, rounds=rounds)


def all_cases():
    for group in (per_frame, latencies, copying, throughputs, fan_out, faults, waiting, scale, recovery):
        yield from group()
