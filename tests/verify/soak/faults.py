"""Which fault comes when: drawn from the seed alone, so that the same seed is the same schedule."""

import random
from dataclasses import dataclass

CAMERAS = ("camera1", "camera2", "camera3")
CONSUMERS = ("fast", "slow", "latest", "parked", "own", "paced")
SHORT_S, BEYOND_LEASE_S, BEYOND_AERON_S = (0.1, 0.6), (1.2, 2.5), (3.5, 6.0)

# Every kind once per deck, in an order that is drawn anew.
DECK = (("kill", CAMERAS), ("kill", ("stage",)), ("kill", CONSUMERS), ("kill", ("driver",)), ("kill", ("media",)),
        ("kill", ("supervisor",)), ("kill", ("top",)), ("kill twice", CAMERAS + ("stage",) + CONSUMERS),
        ("kill twice", ("driver", "media")),
        ("end", CAMERAS + ("stage",)), ("end", CONSUMERS), ("end", ("driver",)),
        ("stop", CAMERAS + ("stage",)), ("stop", CONSUMERS + ("supervisor", "top")), ("stop", ("driver",)),
        ("stop", ("media",)), ("stop", ("witness",)),
        ("stop long", CAMERAS + ("stage",)), ("stop long", CONSUMERS + ("witness",)), ("stop long", ("driver", "media")),
        ("second", ("driver",)), ("second", ("media",)), ("second", CAMERAS),
        ("forge", ("streams",)), ("churn", ("consumers",)), ("fill", ("file system",)))
# What goes on in every other deck instead, so that a driver and a media driver live for minutes too.
SPARED = {("kill", ("driver",)): ("stop", ("driver",)), ("kill", ("media",)): ("stop", ("media",)),
          ("end", ("driver",)): ("stop long", ("driver",)), ("kill twice", ("driver", "media")): ("kill twice", ("stage",))}


@dataclass(frozen=True)
class Fault:
    kind: str
    target: str
    seconds: float  # of a stop, until a restart, or how long something goes on
    seed: int

    def __str__(self):
        return f"{self.kind} {self.target} ({self.seconds:.2f} s)"


def duration(draw, kind):
    if kind == "stop":
        return draw.uniform(*SHORT_S)
    if kind == "stop long":
        return draw.uniform(*draw.choice((BEYOND_LEASE_S, BEYOND_AERON_S)))
    if kind == "kill twice":  # until the second time, from its start on: while it starts and attaches
        return draw.uniform(0.0, 0.2)
    if kind in ("forge", "churn", "fill"):
        return draw.uniform(0.5, 2.0)
    return draw.choice((0.0, draw.uniform(0.0, 2.0)))


def schedule(seed):
    """Faults without an end."""
    draw = random.Random(seed)
    spare = False
    while True:
        deck = [SPARED.get(one, one) if spare else one for one in DECK]
        spare = not spare
        draw.shuffle(deck)
        for kind, targets in deck:
            yield Fault(kind, draw.choice(targets), duration(draw, kind), draw.getrandbits(32))
