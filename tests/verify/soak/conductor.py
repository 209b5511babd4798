"""Conducts a soak: rounds of faults, each ended by a calm in which all must flow, balance and be as flat as before."""

import os
import signal
import time

from cast import figures_of_progress, now
from faults import schedule
from flatness import Flatness
from nemesis import SECOND, Nemesis
from pipeline import EPOCHS_KEPT, LEASE_MS, PERIOD_MS, SLOTS

FAULTS_A_ROUND = 48
# What the protocol allows between a fault and frames again: the lease of the dead, Aeron's word that its media driver is
# gone, the pauses between attempts to reconnect and to attach, the silence of a driver, the way to a new epoch. Two busy
# cores are slow, hence three times that.
RECOVERY_S = 3 * (LEASE_MS / 1000 + 2.2 + 0.5 + 2.0 + 3 * PERIOD_MS / 1000 + 2 * PERIOD_MS / 1000)
# A peer speaks ten times a second, except while it connects, which is over in one and a half of its time-out of 5 s.
SILENCE_S = 12
LIVES_SHOWN = 12  # of those that saw the most calms; in JSON there are all
REST_S = 10  # until the books are even when the cameras pause, and until what ended is gone


class Violation(Exception):
    pass


class Conductor:
    def __init__(self, pipeline, seed, say):
        self.pipeline, self.cast, self.books, self.seed, self.say = pipeline, pipeline.cast, pipeline.books, seed, say
        self.nemesis = Nemesis(pipeline, self.blame)
        self.schedule = schedule(seed)
        self.flat = Flatness(pipeline.root)
        self.begun = time.monotonic()
        self.faults = self.calms = self.rests = 0
        self.slowest_recovery = 0.0
        self.most_bytes = 0
        self.next_line = 10

    # --- the course of it

    def run(self, seconds):
        self.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            moot = []
            for _ in range(FAULTS_A_ROUND):
                if time.monotonic() >= until:
                    break
                self.inflict(next(self.schedule), moot)
            for fault in moot[:]:  # whom it was meant for was away
                self.inflict(fault, moot)
            self.calm()
        leaks = self.flat.leaks()
        if leaks:
            self.blame("; ".join(leaks))
        self.finish()

    def inflict(self, fault, moot):
        if not self.nemesis.inflict(fault):
            moot.append(fault)
        self.faults += 1
        self.wait_for(lambda: False, 1.0)

    def start(self):
        for actor in dict.fromkeys((self.nemesis.media, self.cast["driver"])):
            self.nemesis.begin(actor)
            self.need(lambda: actor.ready, 15, f"{actor.name} does not start", lambda: [actor])
        for actor in list(self.cast):
            if not actor.running:
                self.nemesis.begin(actor)
        self.settle()

    def calm(self):
        self.nemesis.note("calm")
        self.need(lambda: self.nemesis.idle, 40, "faults do not end", list)
        self.settle()
        self.need(lambda: not self.too_many_epochs(), REST_S, "ended epochs are not collected", lambda: [self.cast["driver"]],
                  self.too_many_epochs)
        self.rest()
        self.need(lambda: not self.wrong_sight(), REST_S, "tp top does not show what is there",
                  lambda: [self.cast["top"]], self.wrong_sight)
        grown = []

        def is_flat():
            grown[:] = self.flat.excess([actor for actor in self.cast if actor.running], self.pipeline.aeron_files())
            return not grown
        self.need(is_flat, REST_S, "something has grown", list, lambda: "; ".join(grown))
        self.calms += 1
        self.most_bytes = max(self.most_bytes, self.pipeline.bytes_used())

    def settle(self, within=RECOVERY_S):
        """Frames flow through every end of everybody."""
        base = {}

        def still():
            late = []
            for actor in self.cast:
                if actor.kind != "peer":
                    continue
                figures = figures_of_progress(actor.tick) if actor.ready and actor.tick else None
                before = base.setdefault(actor.name, figures)
                if figures is None or before is None or len(before) != len(figures):
                    base[actor.name] = figures
                    late.append(actor)
                elif any(new < old + 3 for new, old in zip(figures, before)):
                    late.append(actor)
            return late
        self.need(lambda: not still(), within, "frames do not flow again", still)
        last = max(actor.disturbed_at for actor in self.cast)
        self.slowest_recovery = max(self.slowest_recovery, (now() - last) / SECOND)

    def wrong_sight(self):
        """What is wrong with what `tp top` sees: each stream has its one producer, and everybody a lease, nobody else."""
        sight = self.cast["top"].tick or {}
        newest = {}
        for stream, epoch in self.books.notes():
            newest[stream] = max(epoch, newest.get(stream, 0))
        ends = {"producers": len(newest), "consumers": sum(len(a.tick["readers"]) for a in self.cast if a.kind == "peer")}
        if sight.get("driver") != "alive" or {s["stream_id"]: int(s["epoch"]) for s in sight["streams"]} != newest:
            return f"not each stream in its newest epoch, {newest}"
        for role, number in ends.items():
            leases = [one for one in sight[role] if one["lease"]]
            if len(leases) != number or (role == "producers" and {one["stream_id"] for one in leases} != set(newest)):
                return f"{len(leases)} leases of {role}, not {number}"
        return None

    def rest(self):
        """The cameras pause; everything that was written must be in the books of everybody."""
        writers = [actor for actor in self.cast if "writer" in (actor.tick or {}) and actor.name != "stage"]
        for actor in writers:
            actor.send("pause")
        self.need(lambda: all(actor.tick["paused"] for actor in writers), REST_S, "no pause", lambda: writers)
        uneven = []

        def is_even():
            notes = self.books.notes()
            uneven[:] = [(actor, text) for actor in self.cast if actor.kind == "peer"
                         for reader in actor.tick["readers"] for text in [self.books.check_rest(actor.name, reader, notes)] if text]
            return not uneven
        self.need(is_even, REST_S, "the books are not even", lambda: [actor for actor, _ in uneven],
                  lambda: "; ".join(text for _, text in uneven))
        self.rests += 1
        for actor in writers:
            actor.send("resume")
        self.need(lambda: not any(actor.tick["paused"] for actor in writers), REST_S, "no end of the pause", lambda: writers)

    def finish(self):
        """Ends all in order; nothing may be left."""
        self.nemesis.note("end")
        order = [[a for a in self.cast if a.kind == "peer" and a.name != "stage" and "camera" not in a.name],
                 [self.cast["stage"]], [a for a in self.cast if "camera" in a.name],
                 [self.cast["supervisor"], self.cast["top"]], [self.cast["driver"]], [self.nemesis.media]]
        for group in order[:-1] if self.pipeline.embedded else order:
            for actor in group:
                actor.wanted = False
                self.nemesis.end(actor)
            self.need(lambda: not any(actor.running for actor in group), 20, "no end", lambda: group)
        left = self.pipeline.leftovers()
        if left:
            self.blame("left behind: " + ", ".join(left))
        try:
            os.waitpid(-1, os.WNOHANG)
            self.blame("a process is left")
        except ChildProcessError:
            pass

    # --- what always holds

    def need(self, condition, seconds, what, who, details=None):
        if not self.wait_for(condition, seconds):
            self.blame(f"{what} within {seconds:.0f} s" + (f": {details()}" if details else ""), *who())

    def wait_for(self, condition, seconds):
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= until:
                return False
            self.cast.listen(0.02)
            self.nemesis.work()
            self.check_words()
            self.check_silence()
            self.tell()
        return True

    def check_words(self):
        for actor in list(self.cast):
            while actor.words:
                word = actor.words.popleft()
                if word["is"] == "fault":
                    self.blame(f"{actor.name}: {word['what']}: {word}", actor)
                elif word["is"] == "switch":
                    try:
                        for text in self.books.check_switch(actor.name, word):
                            self.blame(f"{text}: {word}", actor)
                    except AssertionError as two:
                        self.blame(str(two))

    def check_silence(self):
        for actor in self.cast:
            if not actor.alive or not (actor.kind == "peer" or (actor.name == "top" and actor.ready)):
                continue
            if now() - actor.heard_at > SILENCE_S * SECOND:
                self.blame(f"{actor.name} has been silent for {SILENCE_S} s", actor)
            quiet_since = max(actor.progress_at, actor.disturbed_at, actor.started_at)
            paused = (actor.tick or {}).get("paused") or any((a.tick or {}).get("paused") for a in self.cast)
            if actor.sources and not paused and now() - quiet_since > RECOVERY_S * SECOND:
                self.blame(f"{actor.name} has received nothing for {RECOVERY_S:.0f} s, and nobody disturbed it", actor)

    def blame(self, what, *actors):
        words = "\n".join(actor.last_words() for actor in [*actors, self.cast["driver"]])
        raise Violation(f"{what}\n\nlast faults, seed {self.seed}:\n  " + "\n  ".join(self.nemesis.timeline) + f"\n\n{words}")

    def kill_all(self):
        for actor in self.cast:
            if actor.running:
                actor.process.send_signal(signal.SIGKILL)
                actor.process.wait()

    # --- what is told

    def tell(self):
        passed = time.monotonic() - self.begun
        if passed < self.next_line:
            return
        self.next_line += 10
        self.most_bytes = max(self.most_bytes, self.pipeline.bytes_used())
        self.say(f"{passed:6.0f} s  {self.faults} faults, {self.books.published():,} frames published, "
                 f"{self.totals().delivered:,} delivered, {self.calms} calms")

    def totals(self):
        totals = type(self.books.totals)(**{**vars(self.books.totals), "lost": dict(self.books.totals.lost)})
        for actor in self.cast:
            if actor.running and actor.tick:
                for reader in actor.tick.get("readers", []):
                    totals.add(reader["stats"])
        return totals

    def too_many_epochs(self):
        too_many = {stream: names for stream, names in self.pipeline.epochs().items() if len(names) > EPOCHS_KEPT}
        return ", ".join(f"stream {stream}: {names}" for stream, names in too_many.items())

    def report(self, violation):
        totals = self.totals()
        return {"seed": self.seed, "media_driver": "in the driver" if self.pipeline.embedded else "a process", "seconds": round(time.monotonic() - self.begun, 1), "passed": violation is None,
                "faults": dict(sorted(self.nemesis.counts.items())), "moot": dict(sorted(self.nemesis.moot.items())),
                "answers": dict(sorted(self.nemesis.answers.items())),
                "starts": {actor.name: actor.starts for actor in self.cast if actor.starts},
                "frames": {"published": self.books.published(), "delivered": totals.delivered, "abandoned": totals.abandoned,
                           "lost": totals.lost, "accounted": totals.accounted},
                "epochs": len(self.books.notes()), "switches": self.books.switches, "exact_switches": self.books.exact,
                "written_after_readers_left": self.books.unheard(),
                "rests": self.rests, "slowest_recovery_s": round(self.slowest_recovery, 1),
                "flatness": self.flatness(), "most_bytes": self.most_bytes,
                "file_system_filled": self.pipeline.private, **({"violation": violation} if violation else {})}

    def flatness(self):
        return {f"{name} {life}": {"calms": len(taken), "files": [taken[0].files, taken[-1].files],
                                   "maps": [taken[0].maps, taken[-1].maps],
                                   "memory_kib": [taken[0].memory_kib, taken[-1].memory_kib]}
                for (name, life), taken in self.flat.samples.items() if len(taken) > 1}

    @staticmethod
    def describe(report):
        def table(counts):
            return ", ".join(f"{what} {count:,}" for what, count in counts.items()) or "none"
        frames = report["frames"]
        lines = ["", f"faults        {table(report['faults'])}", f"moot          {table(report['moot'])}",
                 f"strangers     {table(report['answers'])}", f"lives         {table(report['starts'])}",
                 f"frames        {frames['published']:,} published in {report['epochs']} epochs, {frames['delivered']:,} delivered, "
                 f"{frames['abandoned']:,} abandoned, lost: {table(frames['lost'])}",
                 f"books         {report['rests']} rests even, {report['switches']} epochs closed, of them "
                 f"{report['exact_switches']} against a producer's last word; "
                 f"{report['written_after_readers_left']:,} sequences were used after a reader had gone on to a newer epoch",
                 f"recovery      {report['slowest_recovery_s']} s at most", f"shared memory {report['most_bytes'] >> 20} MiB at most"]
        longest = sorted(report["flatness"].items(), key=lambda one: -one[1]["calms"])[:LIVES_SHOWN]
        for who, flat in longest:
            lines.append(f"flat          {who}: {flat['calms']} calms, descriptors {flat['files'][0]} -> {flat['files'][1]}, mappings "
                         f"{flat['maps'][0]} -> {flat['maps'][1]}, private memory {flat['memory_kib'][0]} -> {flat['memory_kib'][1]} KiB")
        if not report["file_system_filled"]:
            lines.append("left out      the full file system: no mount namespace could be had")
        total = sum(report["faults"].values())
        seen = (f"seen: {total} faults, {frames['published']} frames published, {frames['delivered']} delivered, "
                f"{report['rests'] + report['exact_switches']} exact balances")
        verdict = (f"{'passed' if report['passed'] else 'FAILED'}: {report['seconds']} s, seed {report['seed']}, the media driver "
                   f"{report['media_driver']}")
        if "violation" in report:
            lines += ["", f"violated: {report['violation']}"]
        return "\n".join([*lines, seen, verdict])
