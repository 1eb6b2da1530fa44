"""What can befall the journal's file: a full disk, a folder that is missing or read-only, a lock, damage, removal, kill -9.
DNS and live events go on, the status says how it is, it recovers by itself, and what was announced as stored is there.

By hand: `test_journal_faults.py --kills 100 KilledTest` for so many rounds of kill -9 under load.
"""

import itertools
import random
import sqlite3
import subprocess
import sys
import time
import unittest
from pathlib import Path

from client import Client
from harness import Named, Zone, wait_until
from test_faults_disk import SmallDisk
from traffic import Asker

kills = 3
UPDATABLE = 'allow-update { key "update-key"; };'
ZONES = {"example.com": Zone("www A 192.0.2.1", options=UPDATABLE)}


def journal(client: Client) -> dict:
    return client.request("get_status")["data"]["journal"]


def state(client: Client, wanted: str) -> dict:
    """Waits for a state of the journal; what the status says then."""
    return wait_until(lambda: (found := journal(client))["state"] == wanted and found, f"the journal to be {wanted}")


def stored(client: Client, event_id: str):
    wait_until(lambda: journal(client).get("durable_through", "") >= event_id, f"{event_id} to be stored")


def rows(file) -> list[str]:
    """The ids of what is stored, as the ordinary sqlite finds it; the file is sound."""
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in database.execute("SELECT id FROM readable")]
    finally:
        database.close()


class JournalDisk(SmallDisk):
    """A disk of its own for the journal, and nothing else."""

    def __init__(self):
        super().__init__(start="no", yaml={"rate_limit": {"messages_per_minute": 10000}})
        self.zones = ZONES
        self.file = self.disk / "journal" / "bindcast.db"
        self.yaml["journal"] = {"path": str(self.file)}
        if self.mounted.returncode == 0:
            subprocess.run(["mount", "-o", "remount,size=1m", self.disk], check=True)
            self.file.parent.mkdir()

    def configuration(self) -> str:
        return Named.configuration(self)

    @property
    def token_file(self) -> Path:
        return self.folder / "bindcast.token"


class Emitter:
    """Makes durable events, one at a time."""

    numbers = itertools.count(1)

    def __init__(self, named, client: Client):
        self.named, self.client = named, client
        client.subscribe(event_types=["record_created"])

    def emit(self) -> str:
        name = f"n{next(self.numbers)}"
        self.named.update("example.com", lambda update: update.add(name, 300, "A", "192.0.2.9"))
        return self.client.wait_event("record_created", where=lambda e: e["data"]["name"].startswith(name + "."))["id"]


class FaultTest(unittest.TestCase):
    def disk(self) -> JournalDisk:
        named = JournalDisk()
        if named.mounted.returncode != 0:
            named.discard()
            self.skipTest(f"nothing can be mounted here: {named.mounted.stderr.strip()}")
        named._start_as = "answering"
        return named

    def outage(self, named, begin, end, reason: str, from_the_start=False):
        """Between `begin` and `end` nothing can be stored and all else goes on; then what came meanwhile is stored."""
        if from_the_start:
            begin()
        with named, Client(named) as client, Asker(named, "www.example.com", pause_s=0.02) as asker:
            emitter = Emitter(named, client)
            ids = []
            if not from_the_start:
                ids.append(emitter.emit())
                stored(client, ids[0])
                begin()
            ids.append(emitter.emit())
            said = state(client, "failing")
            self.assertIn(reason, said["reason"])
            self.assertLess(said.get("durable_through", ""), ids[-1])
            ids.append(emitter.emit())
            self.assertLess(0, journal(client)["queued"])
            end()
            state(client, "ok")
            ids.append(emitter.emit())
            stored(client, ids[-1])
            self.assertEqual(0, sum(journal(client)["dropped"].values()))
            found = rows(named.file)
            self.assertEqual([1] * len(ids), [found.count(event_id) for event_id in ids])
            for text in ("the journal cannot be written", "the journal is written again"):
                self.assertEqual(1, named.log().count(text), named.log()[-3000:])
            asker.check()

    def test_full(self):
        named = self.disk()
        self.outage(named, named.fill, (named.disk / "ballast").unlink, "full")

    def test_locked(self):
        named = self.disk()
        others = []

        def begin():
            others.append(sqlite3.connect(named.file, isolation_level=None))
            others[0].execute("BEGIN IMMEDIATE")

        self.outage(named, begin, lambda: others[0].execute("ROLLBACK"), "locked")
        others[0].close()

    def test_no_folder(self):
        named = self.disk()
        self.outage(named, named.file.parent.rmdir, named.file.parent.mkdir, "No such file", from_the_start=True)

    def test_read_only(self):
        named = self.disk()
        self.outage(named, lambda: named.read_only(True), lambda: named.read_only(False), "Read-only",
                    from_the_start=True)

    def test_another_process_has_it(self):
        with Named(ZONES) as first, Client(first) as client:
            kept = Emitter(first, client).emit()
            stored(client, kept)
            with Named(ZONES, yaml={"journal": {"path": str(first.folder / "bindcast.db")}}) as second:
                with Client(second) as other:
                    self.assertIn("another process' journal", state(other, "failing")["reason"])
                    first.kill()
                    state(other, "ok")
                    self.assertIn(kept, rows(first.folder / "bindcast.db"))
            first.start()

    def test_damage(self):
        with Named(ZONES) as named:
            file = named.folder / "bindcast.db"
            for damage in (b"this is no database" * 300, None):
                if damage:
                    named.stop()
                    file.write_bytes(damage)
                    named.start()
                with Client(named) as client:
                    if not damage:  # while it is open
                        stored(client, Emitter(named, client).emit())
                        file.unlink()
                        named.wait_log("somebody has removed or replaced")
                    state(client, "ok")
                    stored(client, event := Emitter(named, client).emit())
                    self.assertIn(event, rows(file))
            (aside,) = named.folder.glob("bindcast.db.corrupt-*")
            self.assertEqual(b"this is no database", aside.read_bytes()[:19])
            self.assertEqual(1, named.log().count("is damaged"))

    def test_what_is_not_ours_is_left_alone(self):
        for sql, reason in (("CREATE TABLE mine (a)", "another program"),
                            ("PRAGMA application_id = 1111706188; PRAGMA user_version = 99; CREATE TABLE epochs (a)",
                             "newer version")):
            with Named(ZONES, start="no") as named:
                file = named.folder / "bindcast.db"
                database = sqlite3.connect(file)
                database.executescript(sql)
                database.close()
                before = file.read_bytes()
                named._start_as = "answering"
                named.start()
                with Client(named) as client:
                    self.assertIn(reason, state(client, "failing")["reason"])
                    Emitter(named, client).emit()
                named.stop()
                self.assertEqual(before, file.read_bytes())


class KilledTest(unittest.TestCase):
    def test_what_was_announced_is_there(self):
        chance = random.Random(7)
        announced: list[str] = []  # events that a status has said to be stored
        with Named(ZONES, yaml={"rate_limit": {"messages_per_minute": 100000}}, start="no") as named:
            named._start_as = "answering"
            for _ in range(kills):
                named.start()
                with Client(named, account=False) as client:
                    client.subscribe_from_start(categories=["dns", "system"])
                    ends = time.monotonic() + chance.uniform(0.2, 0.7)
                    durable = ""
                    serial = 0
                    while time.monotonic() < ends:
                        serial += 1

                        def change(update):
                            for i in range(20):
                                update.replace(f"k{i}", 300, "A", f"192.0.{serial % 250}.{i + 1}")

                        named.update("example.com", change)
                        durable = journal(client).get("durable_through", durable)
                    named.kill()
                    client.wait_closed()
                    announced += [event["id"] for event in client.events if event["id"] <= durable]
            self.assertGreater(len(announced), 50 * kills)
            found = rows(named.folder / "bindcast.db")
            print(f"{kills} kills, {len(announced)} events announced as stored, {len(found)} stored")
            self.assertEqual(len(found), len(set(found)))
            self.assertEqual([], sorted(set(announced) - set(found))[:10])
            named.start()
            with Client(named, subprotocol="bindcast.v1.json") as client:  # and they come
                client.subscribe(since=announced[0], categories=["dns", "system"])
                later = [event_id for event_id in announced[1:]]
                wait_until(lambda: len(client.events) >= len(later), "what was stored to come", 10 + len(later) / 1000)
                state(client, "ok")
                came = [event["id"] for event in list(client.events)]
                self.assertEqual(len(came), len(set(came)))
                self.assertEqual([], sorted(set(later) - set(came))[:10])


if __name__ == "__main__":
    if "--kills" in sys.argv:
        at = sys.argv.index("--kills")
        kills = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    unittest.main(verbosity=2)
