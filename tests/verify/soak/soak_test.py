#!/usr/bin/env python3
"""The soak sees what it is there for: its books and figures, one by one, and real processes that do wrong.

    soak_test.py BUILD_DIRECTORY
"""

import itertools
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import faults  # noqa: E402
from books import NOTE, Books  # noqa: E402
from flatness import Flatness, Sample  # noqa: E402

SOAK = Path(__file__).resolve().parent / "soak.py"
E, NEXT = 100, 200  # epochs of stream 1


def stats(epoch, first, last, accounted, **more):
    return {"epoch": str(epoch), "first_seq": first, "last_seq": last, "accounted": accounted, "delivered": 0, "abandoned": 0, **more}


def switch(before, after, began=10):
    return {"stream": 1, "began": began, "before": before, "after": after}


class BooksTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.books = Books(Path(self.directory.name))

    def write(self, epoch, may_end, surely, ended_at=0):
        owner = self.books.new_notes("camera")
        owner.path.write_bytes(NOTE.pack(1, epoch, may_end, surely, surely, 0))
        owner.ended_at = ended_at
        return owner

    def faults_of(self, before, after):
        return list(self.books.check_switch("reader", switch(before, after)))

    def test_an_epoch_closed_at_its_producers_last_word_is_right(self):
        self.write(E, 50, 50, ended_at=5)
        self.assertEqual(self.faults_of(stats(E, 10, 39, 30), stats(NEXT, 0, 0, 41)), [])
        self.assertEqual(self.books.exact, 1)

    def test_sequences_that_are_missing_at_the_end_are_found(self):
        self.write(E, 50, 50, ended_at=5)
        self.assertIn("had written 50", self.faults_of(stats(E, 10, 39, 30), stats(NEXT, 3, 5, 42))[0])

    def test_sequences_that_never_were_are_found(self):
        self.write(E, 50, 50)
        self.assertIn("no more than 50", self.faults_of(stats(E, 10, 39, 30), stats(NEXT, 1, 1, 43))[0])
        self.assertIn("took only 50", self.faults_of(stats(E, 10, 50, 41), stats(NEXT, 1, 1, 42))[-1])

    def test_a_killed_producer_may_have_written_one_more_than_it_noted(self):
        self.write(E, 51, 50, ended_at=5)
        for last in (49, 50):
            self.assertEqual(self.faults_of(stats(E, 10, 39, 30), stats(NEXT, 1, 1, 30 + last - 39 + 1)), [])

    def test_of_a_producer_that_lives_only_what_was_written_bounds_the_books(self):
        self.write(E, 50, 50)
        self.assertEqual(self.faults_of(stats(E, 10, 20, 11), stats(NEXT, 1, 1, 12)), [])
        self.assertEqual(self.books.unheard(), 29)

    def test_two_writers_of_one_epoch_are_found(self):
        self.write(E, 50, 50)
        self.write(E, 7, 7)
        self.assertRaises(AssertionError, self.books.notes)

    def test_a_rest_is_even_at_the_last_sequence_alone(self):
        self.books.begin("reader")
        self.write(E, 50, 50)
        notes = self.books.notes()

        def rest(last, epoch=E, **more):
            return self.books.check_rest("reader", {"stream": 1, "stats": stats(epoch, 0, last, 1, **more)}, notes)
        self.assertIsNone(rest(49))
        for wrong in (rest(48), rest(50), rest(49, NEXT), rest(49, delivered=51), rest(49, abandoned=1)):
            self.assertIsNotNone(wrong)


class FlatnessTest(unittest.TestCase):
    def test_memory_that_rises_is_found_and_a_warm_up_is_not(self):
        for memory, leaks in (([5000 + 300 * i for i in range(12)], 1), ([3000] + [5000 + i % 3 for i in range(11)], 0)):
            flat = Flatness("/")
            flat.samples["witness", 1] = [Sample(3, 90, kib) for kib in memory]
            self.assertEqual(len(flat.leaks()), leaks)


class ScheduleTest(unittest.TestCase):
    def test_the_same_seed_is_the_same_schedule_and_another_is_another(self):
        def first(seed):
            return list(map(str, itertools.islice(faults.schedule(seed), 100)))
        self.assertEqual(first(7), first(7))
        self.assertNotEqual(first(7), first(8))

    def test_each_kind_comes_once_in_the_first_deck(self):
        deck = list(itertools.islice(faults.schedule(3), len(faults.DECK)))
        self.assertEqual({fault.kind for fault in deck}, {kind for kind, _ in faults.DECK})


class MutantTest(unittest.TestCase):
    """Processes that do wrong: each must be found, and by the right check."""

    build = None

    def expect(self, mutant, text):
        ran = subprocess.run([sys.executable, str(SOAK), "--build", self.build, "--minutes", "0.02"], capture_output=True, text=True,
                             timeout=120, check=False, env={**os.environ, "TENSORPOOL_SOAK_MUTANT": mutant})
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        self.assertIn(text, ran.stdout)

    def test_a_wrong_byte(self):
        self.expect("wrong byte", "a frame is not what was written")

    def test_a_frame_that_is_in_nobodys_books(self):
        self.expect("unheard frame", "the books are not even")

    def test_a_process_that_ends(self):
        self.expect("quits", "ended by itself with status 7")


if __name__ == "__main__":
    MutantTest.build = sys.argv.pop(1)
    unittest.main()
