"""Who takes part: each process with its lines, its lives, and what was done to it."""

import ctypes
import json
import os
import select
import signal
import subprocess
import time
from collections import deque

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def now():
    return time.monotonic_ns()


class Actor:
    """A process that is started again after each end. `ready_word` is in the line that says it is up."""

    def __init__(self, name, kind, command, ready_word=None, sources=()):
        self.name, self.kind, self.command, self.ready_word, self.sources = name, kind, command, ready_word, sources
        self.process = None
        self.life = 0
        self.starts = 0
        self.wanted = False      # it shall run
        self.stopped = False
        self.end_expected = None  # what was done to it that ends it
        self.ready = False
        self.started_at = self.heard_at = self.ended_at = self.progress_at = self.disturbed_at = 0
        self.tick = None
        self.notes = None
        self.lines = deque(maxlen=400)
        self.partial = b""
        self.words = deque()     # lines of JSON that the books have not read yet

    @property
    def running(self):
        return self.process is not None and self.ended_at == 0

    @property
    def alive(self):
        """Runs, and nobody stopped it."""
        return self.running and not self.stopped and self.end_expected is None

    def start(self):
        self.life += 1
        command = self.command(self)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        preexec_fn=die_with_parent, close_fds=True)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.stopped, self.end_expected, self.ready, self.tick, self.partial = False, None, False, None, b""
        self.started_at = self.heard_at = self.progress_at = now()
        self.ended_at = 0
        self.wanted = True
        self.lines.append(f"--- life {self.life}, process {self.process.pid}")

    def signal(self, number):
        if self.running:
            self.process.send_signal(number)

    def kill(self):
        self.end_expected = "killed"
        self.signal(signal.SIGKILL)

    def stop(self):
        self.stopped = True
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.stopped = False
        self.heard_at = now()
        self.signal(signal.SIGCONT)

    def end(self):
        """A clean end, as its kind has it."""
        self.end_expected = "ended"
        if self.kind == "tool":
            self.signal(signal.SIGTERM)
        else:
            self.process.stdin.close()

    def send(self, word):
        try:
            self.process.stdin.write(f"{word}\n".encode())
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it ended meanwhile, and whoever waits for the answer sees that

    def read(self):
        """What it wrote since the last time. False at the end of its output."""
        try:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return True
        if not data:
            return False
        self.heard_at = now()
        *whole, self.partial = (self.partial + data).split(b"\n")
        for line in whole:
            self.hear(line.decode(errors="replace"))
        return True

    def hear(self, line):
        if self.ready_word and self.ready_word in line:
            self.ready = True
        word = None
        if line.startswith('{"'):
            try:
                word = json.loads(line)
            except ValueError:
                pass  # cut off by a kill
        if word is None:
            self.lines.append(line[:600])
        elif word.get("is", "tick") == "tick":  # tp top says nothing else
            self.note_progress(word)
            self.tick = word
        else:
            self.lines.append(line[:600])
            self.words.append(word)

    def note_progress(self, tick):
        if self.tick is None or figures_of_progress(tick) != figures_of_progress(self.tick):
            self.progress_at = now()

    def reap(self):
        """True once, when it has ended and all its words were heard."""
        if not self.running or self.process.poll() is None:
            return False
        while self.read():
            if not select.select([self.process.stdout], [], [], 1)[0]:
                break
        self.process.stdout.close()
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        self.ended_at = now()
        return True

    def last_words(self, count=60):
        tick = f"\n  newest figures: {json.dumps(self.tick)}" if self.tick else ""
        return f"--- {self.name}, life {self.life}:\n  " + "\n  ".join(list(self.lines)[-count:]) + tick


def figures_of_progress(tick):
    """What grows where frames flow."""
    return ([reader["right"] for reader in tick.get("readers", [])]
            + ([tick["writer"]["stats"]["published"]] if "writer" in tick else []))


class Cast:
    def __init__(self):
        self.actors = {}

    def add(self, actor):
        self.actors[actor.name] = actor
        return actor

    def __getitem__(self, name):
        return self.actors[name]

    def __iter__(self):
        return iter(self.actors.values())

    def listen(self, seconds):
        """Waits so long for words of anybody, and hears them."""
        outputs = {actor.process.stdout: actor for actor in self if actor.running}
        readable, _, _ = select.select(list(outputs), [], [], seconds)
        for output in readable:
            if not outputs[output].read():  # its end is near; do not turn in circles until it is there
                time.sleep(0.001)
