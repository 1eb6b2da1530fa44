"""The journal: durable events are in its file, readable by sqlite3, and come back to whoever asks for them, across
restarts and crashes, in order, none lost and none twice.
"""

import json
import subprocess
import unittest

from client import Client
from harness import Named, Zone, wait_until

UPDATABLE = 'allow-update { key "update-key"; };'
ZONES = {"example.com": Zone("www A 192.0.2.1", options=UPDATABLE)}


def sqlite(named, sql: str) -> list:
    """What the ordinary sqlite3 says of the journal's file."""
    done = subprocess.run(["sqlite3", "-readonly", "-json", named.folder / "bindcast.db", sql], check=True,
                          capture_output=True, text=True)
    return json.loads(done.stdout or "[]")


def journal(client: Client) -> dict:
    """The journal's part of the status."""
    return client.request("get_status")["data"]["journal"]


def stored(client: Client, event_id: str):
    wait_until(lambda: journal(client).get("durable_through", "") >= event_id, f"{event_id} to be stored")


def add(named, name: str):
    named.update("example.com", lambda update: update.add(name, 300, "A", "192.0.2.9"))


class StoredTest(unittest.TestCase):
    def test_events_are_rows(self):
        with Named(ZONES) as named, Client(named) as client:
            client.subscribe(event_types=["record_created"])
            add(named, "new")
            event = client.wait_event("record_created")
            stored(client, event["id"])
            rows = sqlite(named, "SELECT * FROM readable WHERE type = 'record_created'")
            self.assertEqual(1, len(rows))
            self.assertEqual(event, json.loads(rows[0]["event"]))
            self.assertEqual([event[key] for key in ("id", "timestamp", "category", "priority", "severity")],
                             [rows[0][key] for key in ("id", "time", "category", "priority", "severity")])
            self.assertEqual([{"integrity_check": "ok"}], sqlite(named, "PRAGMA integrity_check"))
            self.assertEqual(0o600, (named.folder / "bindcast.db").stat().st_mode & 0o777)

    def test_what_was_missed_comes_after_a_restart(self):
        with Named(ZONES) as named:
            with Client(named) as client:
                client.subscribe(event_types=["record_created"])
                add(named, "first")
                seen = client.wait_event("record_created")["id"]
                for name in ("second", "third"):
                    add(named, name)
                client.wait_events(3, "record_created")
            named.stop()
            named.start()
            with Client(named) as client:
                client.subscribe(event_types=["record_created"], since=seen)
                add(named, "fourth")
                events = client.wait_events(3, "record_created")
                self.assertEqual(["second.example.com", "third.example.com", "fourth.example.com"],
                                 [event["data"]["name"].rstrip(".") for event in events])
                self.assertEqual([], client.gaps())


if __name__ == "__main__":
    unittest.main(verbosity=2)
