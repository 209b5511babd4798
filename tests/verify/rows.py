"""The table of what is verified: a row is one claim, and the programs that try to break it.

S the seqlock, K kills at every instruction or system call, L the model of leases and epochs, N simulated worlds, Z fuzzing;
the others are faults: P producer, C consumer, D driver, M media driver, F files, H slot headers, W messages, E epochs, T time,
O what an operator sees, X all at once.
"""

from dataclasses import dataclass, field

# Settings of a long run, by environment variable.
LONG = {"TENSORPOOL_TORN_FRAMES": "4000000", "TENSORPOOL_EVERY_NTH": "1", "TENSORPOOL_MODEL_EPOCHS": "4",
        "TENSORPOOL_SIM_SEEDS": "100000",
        "TENSORPOOL_SOAK_SECONDS": "300"}


@dataclass(frozen=True)
class Tests:
    """GoogleTests of a program. `filter` is GoogleTest's own; each of its parts must name a test. `long` is set for --full;
    `preset` is the build that it is of."""

    program: str
    filter: str
    long: dict = field(default_factory=dict)
    preset: str = "release"


@dataclass(frozen=True)
class Ctest:
    """A test that is no GoogleTest, by its name in ctest."""

    name: str
    long: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Fuzz:
    """A libFuzzer target: its corpus, then mutations of it for the time that the run is given."""

    target: str


@dataclass(frozen=True)
class Row:
    id: str
    claim: str
    runs: tuple


def long_form(*variables):
    return {variable: LONG[variable] for variable in variables}


def tests(program, *names, long=()):
    return Tests(f"{program}_test", ":".join(names), long_form(*long))


def tests_under(preset, program, *names):
    return Tests(f"{program}_test", ":".join(names), preset=preset)


def row(identifier, claim, *runs):
    return Row(identifier, claim, runs)


ROWS = [
    row("S1", "every interleaving of writer and reader: no torn frame; without A, B, C or D there is one",
        tests("seqlock_model", "SeqlockModel.*", "InFlightModel.*")),
    row("S2", "the barriers of the seqlock in ARM's machine code; a missing one is found", Ctest("model.barriers")),
    row("S3", "two threads over one mapping, the writer lapping: no torn frame",
        tests("shm", "*Overwrite.NeverLetsATornFrameThrough*")),
    row("S4", "a ring of 4, frames up to 1 MiB, readers held back at random, all ways to read: no torn frame",
        tests("integration", "Overwrite.NoTornFrameIsEverAccepted", long=("TENSORPOOL_TORN_FRAMES",))),
    row("S5", "the same two threads, and one that rewrites headers, under the thread sanitizer: no data race",
        tests_under("tsan", "shm", "*Overwrite.NeverLetsATornFrameThrough*", "HostileHeader.*")),
    row("K1", "a producer that dies after any instruction of publish or claim: the old frame, the new one, or none",
        tests("crash", "PublishKill*")),
    row("K2", "a driver that dies before any system call of its life: nothing half-made, the next one clears up",
        tests("crash", "DriverKill*", long=("TENSORPOOL_EVERY_NTH",))),

    row("K3", "a client that dies before any system call of its life on a real media driver: others go on, nothing of it stays",
        tests("integration", "AttachKill.*", long=("TENSORPOOL_EVERY_NTH",))),
    row("K4", "a standalone producer that dies before any system call of its life: the next one clears up and takes over",
        tests("crash", "StandaloneKill*")),

    row("L1", "every order of leases, epochs, deaths and late messages, in a model: each rule that is taken away is missed",
        Ctest("model.leases", long_form("TENSORPOOL_MODEL_EPOCHS"))),

    row("N1", "worlds of driver, producers, consumers and supervisor by seeds: messages lost, doubled, late and out of order, deaths, "
        "pauses, clocks that step; the invariants hold after every step, and all find together again",
        tests("simulation", "Simulation.HoldsEveryInvariant*", long=("TENSORPOOL_SIM_SEEDS",))),
    row("N2", "a seed replays exactly; each invariant that is broken on purpose is seen to be broken",
        tests("simulation", "Simulation.ReplaysASeedExactly", "Simulation.Sees*")),

    row("P1", "a killed producer: consumers go on, its lease ends in time, the next one is followed",
        tests("integration", "Kill.OfAProducerEndsItsLeaseAndTheNextOneIsFollowed")),
    row("P2", "a producer stopped beyond its lease: it writes into its old files only, and learns that it lost",
        tests("integration", "Stop.OfAProducerBeyondItsLeaseLeavesItItsOldFilesOnly")),
    row("P3", "a producer killed in mid-flight does not disturb other streams, with the books balanced",
        tests("integration", "OwnStreams.BalanceWhileANeighbourIsKilledAndComesBack",
              "Seeds/Balance.HoldsInEveryEpochByTheProducersFigures*")),
    row("C1", "a killed or stopped consumer holds up nobody",
        tests("integration", "Kill.OfAConsumerIsNoticedByTheDriverAlone",
              "Stop.OfALoneConsumerNeverHoldsUpTheProducerAndEveryMissedFrameIsCounted")),
    row("C2", "a view held longer than the ring's period is told to be invalid, and counted",
        tests("client", "ConsumerTest.CountsAFrameThatWasOverwrittenDuringTheCallbackAsLate",
              "ProgressReadingTest.TellsThatTheSlotWasGivenToAnotherFrameDuringUse")),
    row("C3", "a consumer slower than its producer: valid frames keep flowing, each lost one has a cause",
        tests("client", "ConsumerTest.KeepsUpWithAProducerThatIsFasterThanItsCallback",
              "ConsumerTest.SkipsToTheNewestFrameWhenItLagsByMoreThanHalfTheRing",
              "Seeds/Balance.HoldsUnderRandomDropsClaimsStallsAndEpochs*")),
    row("D1", "a killed driver: nobody stops, half-made epochs go, its successor serves higher ones, nothing is left",
        tests("integration", "Kill.OfTheDriverStopsNobodyAndItsSuccessorTakesAllBackInALaterEpoch", "Leftovers.*"),
        tests("driver", "DriverFaults.RemovesWhatAKilledDriverLeftHalfMade")),
    row("D2", "a driver stopped beyond its leases expires nobody whose keepalives wait",
        tests("integration", "Stop.OfTheDriverForLongerThanALeaseExpiresNobody"),
        tests("driver", "DriverFaults.ExpiresNobodyForKeepalivesThatWaitedWhileItWasStopped")),
    row("D3", "two drivers on a namespace, or on a control stream: the second says why and ends",
        tests("integration", "Attach.LetsOneDriverServeANamespace", "Attach.LetsOneDriverAnswerOnAControlStream"),
        tests("driver", "DriverTest.RefusesASecondDriver*")),
    row("M1", "a killed media driver, external or embedded, and its successor: all come back",
        tests("integration", "Kill.OfTheMediaDriverIsSurvivedByAll", "Kill.OfADriverWithAnEmbeddedMediaDriverIsSurvivedToo")),
    row("M2", "a stopped media driver is told from a dead one",
        tests("integration", "MediaDriver.OneThatIsStoppedIsCalledSilent", "MediaDriver.ADeadOneIsCalledDead")),
    row("M3", "a media driver killed or stopped for 0.2, 3 and 13 s: unnoticed, or all come back by themselves",
        tests("integration", "*MediaDriverAway.*")),
    row("F1", "no space at an attach: a refusal that says what to change, nothing half-made",
        tests("integration", "FullDisk.*-FullDisk.ThatFillsLater*"), tests("driver", "DriverSpace.*"),
        tests("shm", "RegionCreator.LeavesNothingWhicheverSystemCallFails")),
    row("F2", "a file system that fills up later harms nobody attached",
        tests("integration", "FullDisk.ThatFillsLaterHarmsNobodyAttached")),
    row("F3", "a region shorter than it says is refused",
        tests("integration", "HostileFiles.ARegionShorterThanDeclaredIsRefused"),
        tests("shm", "RegionSet.RefusesAFileThatIsShorterThanItsSlots", "RegionSet.ComputesSizesWithoutOverflow")),
    row("F4", "every field of a superblock is checked before anything is mapped for use",
        tests("integration", "HostileFiles.EachFieldOfASuperblockIsHeldAgainstTheAnswer"),
        tests("shm", "SuperblockField.*")),
    row("F5", "links, pipes, devices, directories, second names, paths that lead elsewhere: refused",
        tests("integration", "HostileFiles.OnlyRegularFilesBelowAnAllowedDirectoryAreOpened"),
        tests("shm", "OpenRegion.*", "EpochStore.NeverFollowsALinkWhenItRemoves")),
    row("F6", "files and directories of others, or open to others: refused",
        tests("integration", "SeveralUsers.*", "MediaDriver.AnUnprivilegedUserCannotTakeADirectoryOfAnother"),
        tests("shm", "EpochStore.Refuses*")),
    row("F7", "the regions' or Aeron's directory removed under everybody, as logind does: frames go on, the driver says so and "
        "makes its own anew", tests("integration", "Removed.*"), tests("driver", "DriverFaults.*Anew*")),
    row("F8", "limits of a file's size and of threads: an error that names the limit, and nobody dies of it",
        tests("integration", "Limits.*")),
    row("H1", "broken slot headers: dropped, counted by cause, nothing outside the mapping is read",
        tests("shm", "SlotReaderOpen.RefusesEachBrokenHeaderFieldByItsCause", "SlotReaderOpen.KeepsAHostileHeaderWithinTheMapping"),
        tests("client", "ConsumerTest.CountsABrokenSlotHeader")),
    row("H2", "a header that is rewritten while it is read: judged and used as one copy",
        tests("shm", "HostileHeader.*")),
    row("W1", "garbage on every stream, every message cut at every length: counted, and nobody is harmed",
        tests("integration", "HostileMessages.AreCountedAndHarmNobody"),
        tests("driver", "DriverHostile.GrantsNoLeaseToARequestCutAtAnyLength",
              "DriverHostile.SurvivesEveryControlMessageCutAndStretchedAndFilledWithNoise",
              "DriverHostile.BelievesNoLengthField")),
    row("W2", "repeated, replayed and misdirected messages: the first answer counts, nothing is granted twice",
        tests("driver", "AttachDesk.NeverGrantsAReplayedRequestASecondLease",
              "AttachDesk.TellsTheSameCorrelationIdOfTwoClientsApart", "DriverHostile.AnswersARepeatedRequestOncePerEpochItMade"),
        tests("client", "AttachSessionTest.KeepsTheFirstOkAgainstDuplicatesAndLaterRefusals",
              "AttachSessionTest.IgnoresResponsesThatItDidNotAskFor")),
    row("W3", "forged keepalives, detaches, revokes, tokens, and floods of them: no effect but on counters",
        tests("driver", "DriverHostile.*Forged*", "DriverHostile.*Flood*", "DriverHostile.IgnoresTenThousandWrongTokensInAHandfulOfLines",
              "DriverHostile.TakesNoOrdersFromWhoOnlySpeaksLikeADriverOrSupervisor"),
        tests("client", "LeaseOfASession.IgnoresRevokesOfOtherLeases")),
    row("E1", "epochs announced early, late, twice, forged: a consumer maps one, never a lower one, and comes through",
        tests("client", "ConsumerEpochs.*", "ClientTest.IsNotMovedByAForgedAnnounceOfAHigherEpoch",
              "ClientTest.IgnoresAnnouncesThatAreOldForeignOrCannotBeMapped", "LeaseOfASession.IgnoresALowerEpoch"),
        tests("integration", "HostileFiles.AForgedAnnounceDoesNotTakeAwayWhatTheConsumerHas")),
    row("E2", "a process that cannot be seen, or whose number another one has: no number decides who lives",
        tests("integration", "MediaDriver.DoesNotTakeOverFromAnUnseenProcessBeforeItsHeartbeatRanOut",
              "MediaDriver.StartsAtOnceThoughAnotherProcessHasItsPredecessorsNumber",
              "Containers.FindTheSuccessorOfADriverThatWasKilledWithItsContainer")),
    row("E3", "a process that forks: the child's end is the end of no lease, claim, file or media driver of the parent",
        tests("integration", "Fork.*")),
    row("E4", "a process started with closed standard streams: what it prints goes into no file of ours",
        tests("integration", "Leftovers.OfClosed*")),
    row("T1", "a wall clock that is set by 30 s or a day under everybody's feet: no lease ends, no epoch comes back",
        tests("integration", "*WallClockStep.*",
              "MediaDriver.TakesOverFromAnUnseenProcessWhoseHeartbeatStandsStillInTheFuture"),
        tests("shm", "EpochNumber.GrowsThoughTheClockStepsBack"),
        tests("driver", "DriverTest.PicksAHigherEpochAfterARestartThoughTheClockSteppedBack")),
    row("O1", "what docs/drills.md says that one sees when something dies is what one sees", Ctest("docs.drills")),

    row("X1", "a fault every second, of every kind, over the three-camera pipeline: every frame accounted for, nobody hangs, nothing grows",
        Ctest("verify.soak", long_form("TENSORPOOL_SOAK_SECONDS"))),

    row("Z1", "fuzz: every message decoder", Fuzz("message")),
    row("Z2", "fuzz: superblocks", Fuzz("superblock")),
    row("Z3", "fuzz: slot headers", Fuzz("slot_header")),
    row("Z4", "fuzz: region URIs", Fuzz("region_uri")),
    row("Z5", "fuzz: configuration files and environments", Fuzz("config")),
    row("Z6", "fuzz: command lines of tp and of the published tool", Fuzz("arguments")),
    row("Z7", "fuzz: a driver and what strangers say: one producer, growing epochs, an honest client is served", Fuzz("driver")),
    row("Z8", "fuzz: a consumer, hostile messages and a hostile ring: nothing outside it is read, the books balance",
        Fuzz("consumer")),
    row("Z9", "fuzz: a supervisor and what strangers say and count: an honest consumer is seen, and told its policy",
        Fuzz("supervisor")),
    row("Z10", "fuzz: channel URIs and labels of counters", Fuzz("text")),
]
