"""The truth that producers wrote down, and the consumers' books held against it."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

NOTE = struct.Struct("<6Q")  # tests/soak/writer.hpp: EpochNote


@dataclass
class Note:
    stream: int
    epoch: int
    may_end: int    # no sequence from here on was ever claimed
    surely: int     # every sequence before it was committed or abandoned
    committed: int
    abandoned: int
    owner: object = None


@dataclass
class Owner:
    """A process that wrote notes."""

    name: str
    path: Path
    ended_at: int = 0


@dataclass
class Totals:
    delivered: int = 0
    abandoned: int = 0
    remaps: int = 0
    accounted: int = 0
    lost: dict = field(default_factory=dict)

    def add(self, stats):
        self.delivered += stats["delivered"]
        self.abandoned += stats["abandoned"]
        self.remaps += stats["remaps"]
        self.accounted += stats["accounted"]
        for cause, count in stats["lost"].items():
            self.lost[cause] = self.lost.get(cause, 0) + count


class Books:
    def __init__(self, directory):
        self.directory = directory
        self.owners = []
        self.totals = Totals()  # of consumers that have ended
        self.exact = self.switches = 0  # comparisons made
        self.since = {}  # name -> stream -> the newest epoch when this life of a consumer began
        self.left = []  # (stream, epoch, up to where its books went) of each epoch that a consumer left

    def new_notes(self, name):
        owner = Owner(name, self.directory / f"{len(self.owners):05d}.notes")
        self.owners.append(owner)
        return owner

    def notes(self):
        """Every epoch that was written to, by (stream, epoch). Raises when two processes wrote to one: invariant I4."""
        found = {}
        for owner in self.owners:
            data = owner.path.read_bytes() if owner.path.exists() else b""
            for stream, epoch, *rest in NOTE.iter_unpack(data[:len(data) // NOTE.size * NOTE.size]):
                note = Note(stream, epoch, *rest, owner=owner)
                other = found.setdefault((stream, epoch), note)
                if other is not note:
                    raise AssertionError(f"epoch {epoch} of stream {stream} was written to by {other.owner.name} and {owner.name}")
        return found

    def published(self):
        return sum(note.committed for note in self.notes().values())

    def unheard(self):
        """Sequences that a producer used in an epoch which a consumer had left: the driver had ended it, and the producer had
        not heard so yet."""
        notes = self.notes()
        return sum(max(0, notes[stream, epoch].surely - end) for stream, epoch, end in self.left)

    def close(self, tick):
        for reader in tick.get("readers", []) if tick else []:
            self.totals.add(reader["stats"])

    def begin(self, name):
        """A new life of a consumer."""
        newest = self.since[name] = {}
        for stream, epoch in self.notes():
            newest[stream] = max(epoch, newest.get(stream, 0))

    def check_switch(self, name, word):
        """A consumer went from one epoch to the next: the books of the one before are closed. The faults, as texts."""
        before, after = word["before"], word["after"]
        epoch, stream = int(before["epoch"]), word["stream"]
        if epoch == 0:
            return
        self.switches += 1
        notes = self.notes()
        # Of the new epoch; one that has 0 as first and last may have no entry yet.
        new = [after["last_seq"] - after["first_seq"] + 1]
        if after["last_seq"] == 0:
            new.append(0)
        old_began = before["last_seq"] != 0 or before["first_seq"] != 0
        passed = [note for (s, e), note in notes.items() if s == stream and epoch < e < int(after["epoch"])]
        note = notes.get((stream, epoch))
        may_end = note.may_end if note else 0
        tails = [after["accounted"] - before["accounted"] - one for one in new]
        ends = [before["last_seq"] + 1 + tail if old_began else tail for tail in tails]
        at_most = may_end + sum(one.may_end for one in passed)
        where = f"{name} left epoch {epoch} of stream {stream}"
        if note and not passed:
            self.left.append((stream, epoch, max(ends)))
        if min(ends) > at_most + (0 if old_began else 1):
            yield f"{where} with books to {min(ends)}, but no more than {at_most} sequences were ever taken"
        if old_began and before["last_seq"] + 1 > may_end:
            yield f"{where} and had accounted for {before['last_seq']}, but its producer took only {may_end}"
        if note and note.owner.ended_at and note.owner.ended_at < word["began"] and old_began and not passed:
            self.exact += 1
            if max(ends) < note.surely:
                yield (f"{where} with books to {max(ends)}, but its producer, which had ended before, had written "
                       f"{note.surely} to {note.may_end}")

    def check_rest(self, name, reader, notes):
        """A consumer whose producer is silent: all that was written must be in the books."""
        stats = reader["stats"]
        note = notes.get((reader["stream"], int(stats["epoch"])))
        if note is None:
            return f"{name} is in epoch {stats['epoch']} of stream {reader['stream']}, which nobody wrote to"
        newest = max(e for s, e in notes if s == reader["stream"])
        if newest != note.epoch:
            return f"{name} is in epoch {note.epoch} of stream {reader['stream']}, but {newest} was written to"
        paced = name == "paced"  # what comes after its last frame was not sent to it, which it hears with the next
        if stats["last_seq"] + 1 > note.surely or (stats["last_seq"] + 1 < note.surely and not paced):
            return (f"{name} has books of stream {reader['stream']}, epoch {note.epoch}, to {stats['last_seq'] + 1}, "
                    f"of {note.surely} that {note.owner.name} wrote")
        seen = [one for (s, e), one in notes.items() if s == note.stream and e >= self.since[name].get(s, 0)]
        for what, at_most in (("delivered", sum(one.committed + 2 * bool(one.owner.ended_at) for one in seen)),
                              ("abandoned", sum(one.may_end - one.committed for one in seen))):
            if stats[what] > at_most:
                return f"{name} counts {stats[what]} {what} of stream {note.stream}, and at most {at_most} were"
        return None
