#!/usr/bin/env python3
"""Programs whose standard streams cannot be written end with a documented status, and give their leases back.

    unwritable_streams_test.py BIN_DIRECTORY SOURCE_DIRECTORY
"""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BIN = Path(sys.argv[1])
SOURCE = Path(sys.argv[2])
EXAMPLE = SOURCE / "docs/examples/driver_integration_example.toml"
LIMIT_S = 60
STREAM = "1"


def run(*command, out=subprocess.DEVNULL, err=subprocess.DEVNULL):
    """The exit status of one of our programs; negative when a signal ended it."""
    return subprocess.run([BIN / command[0], *command[1:]], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                          timeout=LIMIT_S, check=False).returncode


def eventually(condition):
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def in_poll(process):
    """Whether its main thread is in the system call poll."""
    return Path(f"/proc/{process}/syscall").read_text().split()[0] == "7"


PROGRAMS = ["tp", "tp_tool", "tensorpoold", "demo_processor", "tensorpool_demo", "example_driver", "example_producer",
            "example_consumer", "example_supervisor"]


class WithoutADriver(unittest.TestCase):
    def setUp(self):
        self.full = open("/dev/full", "wb", buffering=0)
        self.addCleanup(self.full.close)

    def test_a_mistake_is_status_2_though_standard_error_is_full(self):
        for program in PROGRAMS:
            for arguments in (["--nosuch"], ["nosuch", "--frobnicate"]):
                with self.subTest(program, arguments=arguments):
                    self.assertEqual(run(program, *arguments, err=self.full), 2)
                    self.assertEqual(run(program, *arguments, out=self.full, err=self.full), 2)

    def test_help_that_cannot_be_written_is_status_1(self):
        for program in PROGRAMS:
            for option in ("--help", "--version"):
                with self.subTest(program, option=option):
                    self.assertEqual(run(program, option, out=self.full), 1)
                    self.assertEqual(run(program, option, out=self.full, err=self.full), 1)

    def test_help_whose_reader_goes_away_is_status_0(self):
        for program in PROGRAMS:
            with self.subTest(program):
                read, write = os.pipe()
                os.close(read)
                self.addCleanup(os.close, write)
                self.assertEqual(run(program, "--help", out=write, err=write), 0)

    def test_a_report_that_cannot_be_written_is_status_1(self):
        for command in (["tp", "driver", "validate", EXAMPLE], ["tp", "driver", "validate", EXAMPLE, "--format", "json"],
                        ["tensorpoold", "--validate", "--config", EXAMPLE], ["tp", "completion", "bash"]):
            with self.subTest(command):
                self.assertEqual(run(*command), 0)
                self.assertEqual(run(*command, out=self.full, err=self.full), 1)

    def test_closed_streams_keep_the_status(self):
        for closing, status in (("2>&-", 2), (">&- 2>&-", 2), ("<&- >&- 2>&-", 2)):
            with self.subTest(closing):
                shell = subprocess.run(["/bin/sh", "-c", f'"$0" nosuch {closing}', BIN / "tp"], timeout=LIMIT_S, check=False)
                self.assertEqual(shell.returncode, status)


class WithADriver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shm = tempfile.TemporaryDirectory(prefix="tp-streams-", dir="/dev/shm")
        base = Path(cls.shm.name) / "base"
        base.mkdir()
        text = EXAMPLE.read_text().replace('"/dev/shm/aeron-${USER}"', f'"{cls.shm.name}/aeron"')
        text = text.replace('"/dev/shm"', f'"{base}"').replace("announce_period_ms = 1000", "announce_period_ms = 200")
        text = text.replace("lease_keepalive_interval_ms = 1000", "lease_keepalive_interval_ms = 500")
        cls.config = Path(cls.shm.name) / "driver.toml"
        cls.config.write_text(text)
        cls.log = Path(cls.shm.name) / "driver.log"
        cls.driver = subprocess.Popen([BIN / "tp", "driver", "run", cls.config], stdin=subprocess.DEVNULL,
                                      stderr=cls.log.open("wb"))
        assert eventually(lambda: "serves control stream" in cls.log.read_text()), cls.log.read_text()

    @classmethod
    def tearDownClass(cls):
        cls.driver.terminate()
        cls.driver.wait(LIMIT_S)
        cls.shm.cleanup()

    def start(self, *arguments, **streams):
        child = subprocess.Popen([BIN / "tp", *arguments, "--config", self.config], stdin=subprocess.DEVNULL, **streams)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def publish(self, *arguments, **streams):
        return self.start("publish", "pattern", "--stream", STREAM, "--bytes", "1000", "--rate", "200", *arguments, **streams)

    def expect_detached(self, role, before):
        def ends():
            lines = self.log.read_text()[before:].splitlines()
            return [line for line in lines if f"lease of {role.upper()}" in line and " ended, " in line]
        self.assertTrue(eventually(ends), self.log.read_text()[before:])
        self.assertTrue(all(line.endswith("DETACHED") for line in ends()), self.log.read_text()[before:])

    def test_frames_are_checked_though_standard_error_is_full(self):
        with open("/dev/full", "wb", buffering=0) as full:
            publisher = self.publish(stdout=subprocess.DEVNULL, stderr=full)
            self.assertEqual(run("tp", "consume", "--config", self.config, "--stream", STREAM, "--each", "--verify",
                                 "--count", "5", err=full), 0)
            publisher.send_signal(signal.SIGTERM)
            self.assertEqual(publisher.wait(LIMIT_S), 0)

    def test_a_full_standard_output_is_status_1_and_a_clean_detach(self):
        before = len(self.log.read_text())
        with open("/dev/full", "wb", buffering=0) as full:
            publisher = self.publish("--count", "100", stdout=full, stderr=full)
            self.assertEqual(publisher.wait(LIMIT_S), 1)
        self.expect_detached("producer", before)

    def test_a_reader_that_goes_away_ends_them_with_status_0_and_a_clean_detach(self):
        before = len(self.log.read_text())
        publisher = self.publish(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        consumer = self.start("consume", "--stream", STREAM, "--each", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2):
            self.assertIn(b"stream", consumer.stdout.readline())
        consumer.stdout.close()
        self.assertEqual(consumer.wait(LIMIT_S), 0)
        publisher.send_signal(signal.SIGTERM)
        self.assertEqual(publisher.wait(LIMIT_S), 0)
        self.expect_detached("consumer", before)

    def on_terminal(self, *arguments):
        """A session of its own with a terminal; (process id, master)."""
        pid, master = pty.fork()
        if pid == 0:
            os.execv(BIN / "tp", ["tp", *map(str, arguments), "--config", str(self.config)])
        return pid, master

    def test_a_terminal_that_closes_ends_them_with_status_0_and_a_clean_detach(self):
        before = len(self.log.read_text())
        for role, arguments in (("producer", ["publish", "pattern", "--stream", STREAM, "--bytes", "1000", "--rate", "200"]),
                                ("consumer", ["consume", "--stream", STREAM, "--each"])):
            with self.subTest(role):
                feeder = self.publish(stdout=subprocess.DEVNULL) if role == "consumer" else None
                pid, master = self.on_terminal(*arguments)
                self.assertTrue(os.read(master, 100))
                os.close(master)
                _, status = os.waitpid(pid, 0)
                self.assertEqual(os.waitstatus_to_exitcode(status), 0)
                self.expect_detached(role, before)
                if feeder:
                    feeder.send_signal(signal.SIGTERM)
                    self.assertEqual(feeder.wait(LIMIT_S), 0)

    def test_a_driver_on_a_terminal_ends_cleanly_when_it_closes(self):
        aeron = Path(self.shm.name) / "other-aeron"
        pid, master = pty.fork()
        if pid == 0:
            os.execve(BIN / "tp", ["tp", "driver", "run", str(self.config)],
                      dict(os.environ, DRIVER_AERON_DIR=str(aeron), SHM_NAMESPACE="other", DRIVER_CONTROL_STREAM_ID="15100"))
        text = b""
        while b"serves control stream" not in text:
            text += os.read(master, 1000)
        os.close(master)
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        self.assertFalse(aeron.exists())

    def test_sighup_ends_no_daemon_without_a_terminal(self):
        aeron = Path(self.shm.name) / "daemon-aeron"
        environment = dict(os.environ, DRIVER_AERON_DIR=str(aeron), SHM_NAMESPACE="daemon", DRIVER_CONTROL_STREAM_ID="15200")
        log = Path(self.shm.name) / "daemon.log"
        daemon = subprocess.Popen([BIN / "tensorpoold", "--config", self.config, "--log-file", log], env=environment,
                                  stdin=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(daemon.kill)
        self.assertTrue(eventually(lambda: log.exists() and "serves control stream" in log.read_text()))
        for _ in range(2):
            log.rename(f"{log}.1")
            daemon.send_signal(signal.SIGHUP)
            self.assertTrue(eventually(log.exists))
        self.assertEqual(log.stat().st_mode & 0o137, 0)
        self.assertIsNone(daemon.poll())
        daemon.terminate()
        self.assertEqual(daemon.wait(LIMIT_S), 0)
        self.assertIn("has shut down", log.read_text())

    def test_a_log_file_that_cannot_be_opened_is_an_error_and_a_full_one_is_none(self):
        self.assertEqual(run("tp", "driver", "run", self.config, "--log-file", f"{self.shm.name}/none/driver.log"), 1)
        self.assertEqual(run("tp", "supervise", self.config, "--log-file", self.shm.name), 1)
        supervisor = subprocess.Popen([BIN / "tp", "supervise", self.config, "--log-file", "/dev/full"], start_new_session=True)
        self.addCleanup(supervisor.kill)
        with self.assertRaises(subprocess.TimeoutExpired):
            supervisor.wait(0.5)
        supervisor.terminate()
        self.assertEqual(supervisor.wait(LIMIT_S), 0)

    def test_a_reader_that_stands_still_does_not_keep_it_from_ending(self):
        before = len(self.log.read_text())
        publisher = self.publish(stdout=subprocess.DEVNULL)
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        os.write(write, bytes(fcntl.fcntl(write, fcntl.F_GETPIPE_SZ)))
        consumer = self.start("consume", "--stream", STREAM, "--each", stdout=write)
        self.assertTrue(eventually(lambda: in_poll(consumer.pid)), "it waits for the pipe")
        consumer.send_signal(signal.SIGTERM)
        self.assertEqual(consumer.wait(LIMIT_S), 1)
        self.expect_detached("consumer", before)
        publisher.terminate()
        self.assertEqual(publisher.wait(LIMIT_S), 0)

    def test_two_signals_at_once_are_one_request(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            before = len(self.log.read_text())
            publisher = self.publish(stdout=subprocess.PIPE)
            self.assertIn(b"attached", publisher.stdout.readline())
            for _ in range(3):
                publisher.send_signal(number)
                time.sleep(0.02)
            self.assertEqual(publisher.wait(LIMIT_S), 0)
            publisher.stdout.close()
            self.expect_detached("producer", before)

    def test_a_later_signal_forces_the_end_with_its_status(self):
        before = len(self.log.read_text())
        publisher = subprocess.Popen([BIN / "tp", "publish", "pattern", "--config", self.config, "--stream", STREAM,
                                      "--bytes", "1000", "--count", "1", "--hold"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
        self.addCleanup(publisher.stdout.close)
        self.addCleanup(publisher.stdin.close)
        for line in publisher.stdout:
            if line.startswith(b"summary"):
                break
        publisher.send_signal(signal.SIGTERM)
        time.sleep(1.2)  # the rule is about time
        self.assertIsNone(publisher.poll(), "it holds its stream until its input ends")
        publisher.send_signal(signal.SIGTERM)
        self.assertEqual(publisher.wait(LIMIT_S), -signal.SIGTERM)
        self.assertTrue(eventually(lambda: "ended, EXPIRED" in self.log.read_text()[before:]))  # the next one may attach


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
