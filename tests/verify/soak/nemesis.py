"""Does what the schedule says to the processes of the pipeline, brings back whom it ended, and judges strangers."""

import heapq
import time
from collections import Counter, deque
from dataclasses import replace

from cast import Actor, now
from faults import CONSUMERS
from pipeline import INPUTS

SECOND = 1_000_000_000
END_S = 15       # for a clean end, or for a stranger to be told no
NO_SPACE = ("No space left", "insufficient usable storage")
CALM_BEFORE_S = 10  # undisturbed for so long, an answer must be the one of an undisturbed system


class Nemesis:
    def __init__(self, pipeline, blame):
        self.pipeline, self.cast, self.blame = pipeline, pipeline.cast, blame
        self.media = self.cast["driver" if pipeline.embedded else "media"]  # who runs the media driver
        self.later = []          # heap of (when, number, what to do)
        self.numbers = 0
        self.restart_after = {}  # of whom a fault ended, in seconds
        self.kill_again = {}     # whom, so many seconds after it started again
        self.strangers = {}      # name -> (actor, judge)
        self.timeline = deque(maxlen=60)
        self.begun_at = now()
        self.full_until = 0      # when the file system was last seen full
        self.counts, self.moot, self.answers = Counter(), Counter(), Counter()

    # --- time

    def at(self, seconds, do):
        self.numbers += 1
        heapq.heappush(self.later, (now() + int(seconds * SECOND), self.numbers, do))

    def note(self, text):
        self.timeline.append(f"{time.strftime('%H:%M:%S')} {(now() - self.begun_at) / SECOND:8.2f} s  {text}")

    def work(self):
        while self.later and self.later[0][0] <= now():
            heapq.heappop(self.later)[2]()
        for actor in list(self.cast):
            if not actor.alive:
                self.disturb(actor.name)
            if actor.end_expected == "ended" and actor.running and now() - actor.end_asked > END_S * SECOND:
                self.blame(f"{actor.name} does not end within {END_S} s", actor)
            if actor.reap():
                self.on_end(actor)
        if self.pipeline.filler.exists():
            self.full_until = now()
            self.disturb("file system")

    @property
    def idle(self):
        """Nothing is under way."""
        return not self.later and not self.strangers and all(actor.alive for actor in self.cast)

    def disturb(self, target):
        everybody = target in ("driver", "media", "file system")
        for actor in self.cast:
            source = target in actor.sources or ("stage" in actor.sources and target in self.cast["stage"].sources)
            if everybody or source or target == actor.name:
                actor.disturbed_at = now()

    def undisturbed(self, *names):
        return all(now() - self.cast[name].disturbed_at > CALM_BEFORE_S * SECOND for name in names)

    # --- ends and beginnings

    def begin(self, actor):
        """As soon as it can: tools need a media driver at their start (their exit status is 3 without)."""
        media = self.media
        for name in ("second driver", "second media"):
            if name in self.strangers and name.endswith(actor.name):
                self.strangers[name][0].kill()  # it may have taken the place, which is its right
        blocked = any(name in self.strangers and name.endswith(actor.name) for name in ("second driver", "second media"))
        if blocked or (actor.kind == "tool" and actor is not media and not (media.alive and media.ready)):
            return self.at(0.05, lambda: self.begin(actor))
        self.pipeline.books.begin(actor.name)
        actor.start()
        actor.starts += 1
        if actor.name in self.kill_again:
            self.at(self.kill_again.pop(actor.name), lambda life=actor.life: self.kill_life(actor, life))
        return None

    def kill_life(self, actor, life):
        if actor.life == life and actor.running:
            self.note(f"kill {actor.name} again")
            actor.kill()

    def on_end(self, actor):
        status = actor.process.returncode
        if actor.notes:
            actor.notes.ended_at = actor.ended_at
        self.pipeline.books.close(actor.tick)
        if actor.name in self.strangers:
            return self.judge_stranger(actor, status)
        if actor.end_expected is None and not self.may_have_ended(actor, status):
            return self.blame(f"{actor.name} ended by itself with status {status}", actor)
        if actor.end_expected == "ended" and status != 0:
            return self.blame(f"{actor.name} was asked to end, and did with status {status}", actor)
        self.note(f"{actor.name} has ended ({actor.end_expected or status})")
        if actor.wanted:
            self.at(self.restart_after.pop(actor.name, 0 if actor.end_expected else 0.2), lambda: self.begin(actor))
        return None

    def may_have_ended(self, actor, status):
        """A tool whose media driver went away while it started says so, with status 3; and so does who finds the file system
        full. Whoever runs them starts them again."""
        if actor.kind == "peer" or actor.ready:
            return False
        said = actor.last_words().rpartition("--- life")[2]
        if self.full_until > actor.started_at and any(words in said for words in NO_SPACE):
            self.answers["a start on a full file system refused"] += 1
            return True
        return status == 3 and self.media.disturbed_at > actor.started_at

    def end(self, actor):
        actor.end_asked = now()
        actor.end()

    # --- faults

    def inflict(self, fault):
        """False if there was nobody to do it to."""
        if fault.target == "media":
            fault = replace(fault, target=self.media.name)
        done = {"kill": self.kill, "kill twice": self.kill, "end": self.end_cleanly, "stop": self.stop, "stop long": self.stop,
                "second": self.second, "forge": self.forge, "churn": self.churn, "fill": self.fill}[fault.kind](fault)
        self.note(str(fault) + ("" if done else ", moot"))
        (self.counts if done else self.moot)[fault.kind if fault.kind in ("forge", "churn", "fill") else
                                             f"{fault.kind} {self.group(fault.target)}"] += 1
        return done

    @staticmethod
    def group(target):
        if target.startswith("camera"):
            return "camera"
        return "consumer" if target in CONSUMERS else target

    def kill(self, fault):
        actor = self.cast[fault.target]
        if not actor.running or actor.end_expected:
            return False
        if fault.kind == "kill twice":
            self.kill_again[actor.name] = fault.seconds
        else:
            self.restart_after[actor.name] = fault.seconds
        actor.kill()
        return True

    def end_cleanly(self, fault):
        actor = self.cast[fault.target]
        if not actor.alive or not actor.ready:
            return False
        self.restart_after[actor.name] = fault.seconds
        self.end(actor)
        return True

    def stop(self, fault):
        actor = self.cast[fault.target]
        if not actor.alive:
            return False
        actor.stop()
        life = actor.life

        def go_on():
            if actor.life == life and actor.running and actor.stopped:
                self.disturb(actor.name)
                actor.resume()
        self.at(fault.seconds, go_on)
        return True

    def fill(self, fault):
        if not self.pipeline.private or self.pipeline.filler.exists():
            return False
        self.pipeline.fill()

        def free():
            self.full_until = now()
            self.pipeline.filler.unlink()
        self.at(fault.seconds, free)
        return True

    # --- strangers

    def invite(self, name, kind, command, judge, ready_word=None):
        if name in self.strangers:
            return False
        actor = self.cast.add(Actor(name, kind, command, ready_word))
        actor.start()
        actor.wanted = False
        self.strangers[name] = (actor, judge)
        life_over = END_S + 10

        def is_late():
            if self.strangers.get(name, (None,))[0] is actor:
                self.blame(f"{name} has neither ended nor been told no within {life_over} s", actor)
        self.at(life_over, is_late)
        return True

    def judge_stranger(self, actor, status):
        _, judge = self.strangers.pop(actor.name)
        del self.cast.actors[actor.name]
        self.later = [one for one in self.later if one[2].__name__ != "is_late" or one[2].__closure__ is None
                      or actor not in [cell.cell_contents for cell in one[2].__closure__]]
        heapq.heapify(self.later)
        self.note(f"{actor.name} has ended ({actor.end_expected or status})")
        if actor.end_expected != "killed":
            judge(actor, status, "\n".join(actor.lines))

    def second(self, fault):
        if fault.target.startswith("camera"):
            return self.second_producer(fault)
        regular = self.cast[fault.target]
        if not regular.running or not regular.ready or regular.end_expected:
            return False
        life = regular.life

        def judge(actor, status, text):
            if regular.life != life or regular.end_expected or not regular.running:
                return  # it may have come into an empty place
            self.answers[f"second {fault.target} refused"] += 1
            if status == 0 or not any(word in text for word in ("already", "locked by process", "is alive")):
                self.blame(f"a second {fault.target} was not refused clearly, but ended with status {status}", actor)
        return self.invite(f"second {fault.target}", regular.kind, regular.command, judge, regular.ready_word)

    def second_producer(self, fault):
        stream = next(word for word in self.cast[fault.target].process.args if word.startswith("stream="))
        name = f"second {fault.target}"

        def command(actor):
            actor.notes = self.pipeline.books.new_notes(name)
            return self.pipeline.peer("intruder", stream, "bytes=4096", f"notes={actor.notes.path}")

        def judge(actor, status, text):
            got_in = '"is":"up"' in text
            calm = self.undisturbed(fault.target)
            refused = "already attached" in text
            self.answers["second camera " + ("let in" if got_in else "refused" if refused else "unheard")] += 1
            if got_in:
                self.disturb(fault.target)
            if status != 0 or (calm and not refused):
                self.blame(f"a second producer beside {fault.target}, which nobody had disturbed, was not refused", actor)
        return self.invite(name, "peer", command, judge)

    def forge(self, fault):
        def judge(actor, status, text):
            if status != 0 or ('"is":"done"' not in text and self.undisturbed("witness")):
                self.blame(f"the forger ended with status {status}", actor)
        words = (f"ms={int(fault.seconds * 1000)}", f"seed={fault.seed}")
        return self.invite("forger", "peer", lambda _: self.pipeline.peer("forger", *words), judge)

    def churn(self, fault):
        def judge(actor, status, text):
            if status != 0 or ('"attached":0' in text and self.undisturbed("witness")):
                self.blame(f"consumers that come and go ended with status {status}", actor)
        words = (f"in={INPUTS}", f"ms={int(fault.seconds * 1000)}")
        return self.invite("churn", "peer", lambda _: self.pipeline.peer("churn", *words), judge)
