"""A disk that is full or read-only, and what a crash leaves on it: named starts and answers, what cannot be written is
said once and written when it can be, and nothing that stands in a file keeps anybody from anything.
"""

import os
import random
import subprocess
import time
import unittest
from pathlib import Path

from client import Client
from harness import Named, Zone, wait_until
from traffic import Asker

ZONES = {"example.com": Zone("www A 192.0.2.1")}


class SmallDisk(Named):
    """named whose working directory, where the plugin keeps its files, is a small disk of its own."""

    def __init__(self, **options):
        super().__init__(ZONES, **options)
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        self.mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", self.disk], check=False,
                                      capture_output=True, text=True)

    def configuration(self) -> str:
        text = super().configuration().replace("allow-new-zones yes", "allow-new-zones no")
        return text.replace(f'directory "{self.folder}";', f'directory "{self.disk}";', 1).replace(
            'file "', f'file "{self.folder}/')

    @property
    def token_file(self) -> Path:
        return self.disk / "bindcast.token"

    @property
    def state(self) -> str:
        return (self.disk / "bindcast.state").read_text()

    def fill(self):
        with open(self.disk / "ballast", "ab", buffering=0) as ballast:
            for size in (4096, 1):
                try:
                    while True:
                        ballast.write(b"x" * size)
                except OSError:
                    pass

    def read_only(self, yes: bool):
        subprocess.run(["mount", "-o", f"remount,{'ro' if yes else 'rw'}", self.disk], check=True)

    def discard(self):
        self.kill()
        subprocess.run(["umount", "--lazy", self.disk], check=False, capture_output=True)
        super().discard()


def small_disk(test: unittest.TestCase, **options) -> SmallDisk:
    named = SmallDisk(start="no", **options)
    if named.mounted.returncode != 0:
        named.discard()
        test.skipTest(f"nothing can be mounted here: {named.mounted.stderr.strip()}")
    named._start_as = "answering"
    return named


def check_said_once(test, named, text: str):
    """It was said, and is not said again while it goes on."""
    named.wait_log(text)
    ends = time.monotonic() + 3  # three times that it is tried
    wait_until(lambda: time.monotonic() > ends, "some seconds to pass")
    test.assertEqual(1, named.log().count(text), named.log())


class DiskTest(unittest.TestCase):
    def test_full_from_the_start(self):
        named = small_disk(self)
        named.fill()
        with named, Asker(named, "www.example.com", pause_s=0.02) as asker:
            check_said_once(self, named, "trying again\n")
            self.assertFalse(named.token_file.exists())
            self.assertEqual(1, named.log().count("bindcast.state: "), named.log())
            (named.disk / "ballast").unlink()
            named.wait_log("admin token in")
            named.wait_log("bindcast.state is written again")
            with Client(named) as client:
                client.subscribe(event_types=["dns_query_log"])
                client.wait_event("dns_query_log")
            asker.check()

    def test_full_later(self):
        with small_disk(self) as named:
            wait_until(lambda: named.state.startswith("running "), "the run state")
            named.fill()
            with Client(named) as client, Asker(named, "www.example.com", pause_s=0.02) as asker:
                client.subscribe(event_types=["dns_query_log"])
                known = named.state
                wait_until(lambda: named.state != known, "the stream's offset to be noted")
                asker.check()
            named.stop()
            self.assertTrue(named.state.startswith("stopped "), named.state)
            self.assertNotIn("bindcast.state: ", named.log())

    def test_read_only_for_a_while(self):
        with small_disk(self) as named:
            with Client(named) as client, Asker(named, "www.example.com", pause_s=0.02) as asker:
                client.subscribe(event_types=["dns_query_log"])
                named.read_only(True)
                check_said_once(self, named, "bindcast.state: ")
                named.read_only(False)
                named.wait_log("bindcast.state is written again")
                asker.check()
            # At the start named itself wants to write there; at the end we do.
            named.read_only(True)
            named.stop()
            self.assertIn("the next start will be taken for one after a crash", named.log())


class LeftoverTest(unittest.TestCase):
    """What a crash, or somebody, has left in the files."""

    def announced(self, named) -> set[str]:
        with Client(named) as client:
            client.subscribe_from_start(categories=["system"])
            client.wait_event("service_started")
            client.request("ping")
            return {event["type"] for event in client.events} & {"service_started", "service_restarted"}

    def test_a_run_state_that_is_none(self):
        with Named(ZONES) as named:
            state = named.folder / "bindcast.state"
            for left, crashed in ((b"", False), (b"runn", True), (b"\0" * 64, True), (b"\xff" * 100_000, True),
                                  (b"stopped\n", False), (b"stopped x -1", False)):
                named.stop()
                state.write_bytes(left)
                named.start()
                self.assertEqual(crashed, "service_restarted" in self.announced(named), left[:20])
                self.assertEqual(64, state.stat().st_size, left[:20])

    def test_a_token_file_that_holds_none(self):
        with Named(ZONES, start="no") as named:
            named._start_as = "answering"
            for left in (b"", b"half a tok", b"\0" * 64, b"x" * 100_000):
                named.token_file.write_bytes(left)
                named.token_file.chmod(0o600)
                named.start()
                wait_until(lambda: "holds no token" in named.run_log(), "the fault to be said")
                named.query("www.example.com")
                named.token_file.unlink()
                wait_until(lambda: "admin token in" in named.run_log(), "another token, without a reload")
                with Client(named) as client:
                    client.request("ping")
                self.assertEqual(1, named.run_log().count("holds no token"))
                named.stop()

    def test_killed_while_it_starts(self):
        chance = random.Random(7)
        with Named(ZONES, start="no") as named:
            token = None
            for _ in range(15):
                named._start_as = "running"
                named.start()
                wait_until(lambda: "loading configuration" in named.run_log(), "named to come so far")
                ends = time.monotonic() + chance.uniform(0, 0.08)
                while time.monotonic() < ends:
                    pass
                named.kill()
                if named.token_file.exists():
                    found = named.token_file.read_text().strip()
                    self.assertEqual(43, len(found))
                    self.assertIn(token, (None, found))
                    token = found
            named._start_as = "answering"
            named.start()
            with Client(named, token=token or named.token) as client:
                client.request("ping")
            self.assertEqual([], [name for name in os.listdir(named.folder) if name.startswith("bindcast.token.")])


if __name__ == "__main__":
    unittest.main(verbosity=2)
