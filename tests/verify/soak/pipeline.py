"""The three-camera pipeline of the soak: its directories, its configuration, its processes."""

import errno
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from books import Books
from cast import Actor, Cast

CAMERAS = {1001: ("camera1", 1 << 20, 50), 1002: ("camera2", 1 << 16, 400), 1003: ("camera3", 1 << 12, 1500)}
DERIVED, PULSE = 2001, 2002
SLOTS = {1001: 32, 1002: 64, 1003: 512, DERIVED: 512, PULSE: 64}
STRIDE = {1001: 1 << 20, 1002: 1 << 16, 1003: 1 << 12, DERIVED: 1 << 12, PULSE: 1 << 12}
EPOCHS_KEPT = 2
PERIOD_MS = 200
LEASE_MS = 5 * PERIOD_MS
INPUTS = ",".join(map(str, CAMERAS))

CONFIG = """[driver]
aeron_dir = "{aeron}"
media_driver = "{media}"
descriptor_stream_id_range = "31000-31099"
[shm]
base_dir = "{base}"
namespace = "soak"
[policies]
announce_period_ms = {period}
lease_keepalive_interval_ms = {period}
lease_expiry_grace_intervals = 5
epoch_gc_keep = {kept}
cleanup_shm_on_exit = true
shutdown_token = "let me out"
[supervisor]
liveness_timeout_ns = 2_000_000_000
"""


def epoch_bytes(stream):
    return SLOTS[stream] * (STRIDE[stream] + 256) + 2 * 4096


class Pipeline:
    """Everything below one directory in /dev/shm, which is gone afterwards. `private`: in a mount namespace of our own,
    so that there is a file system to fill. `embedded`: the driver runs the media driver, as `tp driver run` does where there
    is none; otherwise that is a process of its own."""

    def __init__(self, build, private, embedded):
        self.bin = build / "bin"
        self.root = Path(tempfile.mkdtemp(prefix="tp-soak-", dir="/dev/shm"))
        self.private, self.embedded = private, embedded
        self.mount = self.root / "disk"
        self.mount.mkdir()
        if private:  # far more than is ever used: it is full when it is filled, and not by chance
            size = (400 << 20) + 4 * sum(epoch_bytes(stream) for stream in SLOTS)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(self.mount)], check=True)
        self.base = self.mount / "shm"
        self.base.mkdir(mode=0o755)
        self.aeron = self.mount / "aeron"
        self.filler = self.mount / "filler"
        self.config = self.root / "driver.toml"
        self.config.write_text(self.configuration())
        notes = self.root / "notes"
        notes.mkdir()
        self.books = Books(notes)
        self.cast = self.cast_of()

    def configuration(self):
        text = CONFIG.format(aeron=self.aeron, base=self.base, period=PERIOD_MS, kept=EPOCHS_KEPT,
                             media="auto" if self.embedded else "external")
        for stream, slots in SLOTS.items():
            text += (f"[profiles.p{stream}]\nheader_nslots = {slots}\n"
                     f"payload_pools = [{{ pool_id = 1, stride_bytes = {STRIDE[stream]} }}]\n"
                     f"[streams.s{stream}]\nstream_id = {stream}\nprofile = \"p{stream}\"\n")
        return text

    def peer(self, role, *words):
        return [str(self.bin / "soak_peer"), role, str(self.config), *words]

    def tool(self, *words):
        return [str(self.bin / "tp"), *words]

    def cast_of(self):
        cast = Cast()

        def peer(name, role, *words, notes=False, sources=()):
            def command(actor):
                if notes:
                    actor.notes = self.books.new_notes(name)
                return self.peer(role, *words, *([f"notes={actor.notes.path}"] if notes else []))
            cast.add(Actor(name, "peer", command, '"is":"up"', sources))

        if not self.embedded:
            media = [str(self.bin / "test_peer"), "media", str(self.aeron)]
            cast.add(Actor("media", "media", lambda _: media, "ready"))
        config = str(self.config)
        cast.add(Actor("driver", "tool", lambda _: self.tool("driver", "run", config), "serves control stream"))
        cameras = tuple(name for name, _, _ in CAMERAS.values())
        for stream, (name, size, rate) in CAMERAS.items():
            peer(name, "producer", f"stream={stream}", f"bytes={size}", f"rate={rate}", notes=True)
        peer("stage", "stage", f"in={INPUTS}", "way=reads", f"out={DERIVED}", notes=True, sources=cameras)
        peer("fast", "consumer", "in=1002", "way=reads", sources=("camera2",))
        peer("slow", "consumer", "in=1001", "way=looks", "dawdle_us=40000", sources=("camera1",))
        peer("latest", "consumer", "in=1003", "way=copies", "latest=1", sources=("camera3",))
        peer("parked", "consumer", "in=1001", "way=copies", "park=1", sources=("camera1",))
        peer("own", "consumer", "in=1003", "way=copies", "own=1", sources=("camera3",))
        peer("paced", "consumer", "in=1002", "way=copies", "own=1", "hz=100", sources=("camera2",))
        peer("witness", "witness", f"in={INPUTS}", f"derived={DERIVED}", f"out={PULSE}", "rate=100", notes=True,
             sources=cameras + ("stage",))
        cast.add(Actor("supervisor", "tool", lambda _: self.tool("supervise", config)))
        cast.add(Actor("top", "tool", lambda _: self.tool("top", "--config", config, "--format", "json", "--interval", "1"), "{"))
        return cast

    # What is in the directories.

    def epochs(self):
        """Names of epoch directories by stream, also of those that are half made or half removed."""
        found = {}
        for stream in SLOTS:
            for directory in self.base.glob(f"tensorpool-*/soak/{stream}"):
                found[stream] = sorted(os.listdir(directory))
        return found

    def bytes_used(self):
        return sum(path.lstat().st_blocks * 512 for path in self.files_below(self.base))

    def files_below(self, directory):
        for parent, _, names in os.walk(directory):
            for name in names:
                path = Path(parent) / name
                if os.path.lexists(path):
                    yield path

    def aeron_files(self):
        return sum(1 for _ in self.files_below(self.aeron))

    def leftovers(self):
        """What an end must not leave: anything but empty locks."""
        def is_lock(path):
            return path.suffix == ".lock" and path.lstat().st_size == 0
        return [str(path) for top in (self.base, self.aeron) for path in self.files_below(top) if not is_lock(path)]

    def fill(self):
        """To the last page."""
        with open(self.filler, "wb", buffering=0) as filler:
            try:
                while filler.write(bytes(1 << 20)):
                    pass
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise

    def remove(self):
        if self.private:
            subprocess.run(["umount", "--lazy", str(self.mount)], check=False)
        shutil.rmtree(self.root, ignore_errors=True)
