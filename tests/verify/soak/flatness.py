"""What may not grow: descriptors, mapped files and private memory of each process, files of the directories.

Sampled in the calm at the end of each round, when everybody is attached to the same as in every other calm. A process is
held against its own first sample: no more than a few descriptors and mappings of Aeron's and our files beyond it. Memory may warm up (pools of the
allocator, caches), so it is the middle of the first third of the samples against that of the last third.
"""

import os
from dataclasses import dataclass

MORE_FILES, MORE_MAPS = 4, 6
MORE_MEMORY_KIB = 1024
SAMPLES_FOR_A_SLOPE = 6


@dataclass(frozen=True)
class Sample:
    files: int
    maps: int
    memory_kib: int


def sample(pid, root):
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
        lines = sum(1 for line in maps if root in line)
    memory = 0
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("RssAnon:"):
                memory = int(line.split()[1])
    return Sample(len(os.listdir(f"/proc/{pid}/fd")), lines, memory)


def middle(values):
    return sorted(values)[len(values) // 2]


class Flatness:
    def __init__(self, root):
        self.root = str(root)
        self.samples = {}      # (name, life) -> its samples
        self.aeron_files = []  # one number a calm

    def excess(self, actors, aeron_files):
        """What has grown, as texts; and, if nothing has, the sample is kept."""
        taken = {(actor.name, actor.life): sample(actor.process.pid, self.root) for actor in actors}
        grown = []
        for key, new in taken.items():
            first = self.samples[key][0] if key in self.samples else new
            if new.files > first.files + MORE_FILES:
                grown.append(f"{key[0]}: {first.files} descriptors became {new.files}")
            if new.maps > first.maps + MORE_MAPS:
                grown.append(f"{key[0]}: {first.maps} mappings became {new.maps}")
        if self.aeron_files and aeron_files > self.aeron_files[0] + MORE_FILES:
            grown.append(f"the media driver's directory: {self.aeron_files[0]} files became {aeron_files}")
        if not grown:
            for key, new in taken.items():
                self.samples.setdefault(key, []).append(new)
            self.aeron_files.append(aeron_files)
        return grown

    def slopes(self):
        """Of lives with enough samples: (name, life, KiB at first, KiB at last, samples)."""
        for (name, life), samples in self.samples.items():
            memory = [one.memory_kib for one in samples]
            third = len(memory) // 3
            if len(memory) >= SAMPLES_FOR_A_SLOPE:
                yield name, life, middle(memory[:third]), middle(memory[-third:]), len(memory)

    def leaks(self):
        return [f"{name}, life {life}: private memory rose from {first} to {last} KiB over {count} calms"
                for name, life, first, last, count in self.slopes() if last > first + max(MORE_MEMORY_KIB, first // 10)]
