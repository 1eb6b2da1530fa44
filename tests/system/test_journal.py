"""The journal: durable events are in its file, readable by sqlite3, and come back to whoever asks for them, across
restarts and crashes, in order, none lost and none twice.
"""

import json
import subprocess
import unittest
import urllib.parse

from client import Client, RawSocket, reconfigured
from harness import Named, Zone, wait_until
from traffic import Background

UPDATABLE = 'allow-update { key "update-key"; };'
SHA256_OF_NINA = "a5c299e2fdd21869360a5e52cb764eafc7b94bd0eed0a2080c427684024242e0"
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


    def test_resume_tells_how_much_it_brings(self):
        with Named(ZONES) as named:
            with Client(named) as client:
                client.subscribe(event_types=["record_created"])
                for name in "abcde":
                    add(named, name)
                ids = [event["id"] for event in client.wait_events(5, "record_created")]
            for life in range(2):
                with Client(named) as client:
                    self.assertEqual("error", client.request("resume", {"since": ids[1]})["type"])  # nothing subscribed
                    client.subscribe(event_types=["record_created"])
                    told = client.request("resume", {"since": ids[1]})
                    self.assertEqual(("recovered", True, ids[1], 3 + life),
                                     (told["type"], *(told["data"][key] for key in ("recovered", "from", "count"))))
                    past = client.wait_events(3 + life, "record_created")
                    # What it has had live does not come again.
                    add(named, f"live{life}")
                    client.wait_event("record_created", where=lambda e: f"live{life}" in e["data"]["name"])
                    told = client.request("resume", {"since": past[-1]["id"]})
                    self.assertEqual(0, told["data"]["count"])
                    client.request("ping")
                    self.assertEqual(ids[2:5], [event["id"] for event in client.events][:3])
                    self.assertEqual(len(client.events), len({event["id"] for event in client.events}))
                    self.assertEqual("error", client.request("resume", {"since": "nonsense"})["type"])
                named.stop()
                named.start()

    def test_a_crash_is_a_gap(self):
        with Named(ZONES) as named:
            with Client(named, account=False) as client:
                client.subscribe(event_types=["record_created"])
                add(named, "kept")
                kept = client.wait_event("record_created")["id"]
                stored(client, kept)
                named.kill()
            named.start()
            with Client(named) as client:
                client.subscribe(event_types=["record_created"])
                epoch = kept.split("-")[0]
                told = client.request("resume", {"since": f"{epoch}-0"})
                self.assertFalse(told["data"]["recovered"])
                self.assertEqual(kept, client.wait_event("record_created")["id"])
                self.assertEqual(["restart"], [gap["reason"] for gap in client.gaps()])

    def test_queries_only_if_asked_for(self):
        with Named(ZONES) as named, Client(named) as client:
            client.subscribe(event_types=["config_change"])
            named.query("www.example.com")
            reconfigured(named, client, journal={"queries": True})
            named.query("www.example.com")
            wait_until(lambda: journal(client)["stored"]["queries"] == 1, "the query to be stored")
            (row,) = sqlite(named, "SELECT type FROM queries JOIN kinds USING (kind)")
            self.assertEqual("dns_query_log", row["type"])
            (event,) = History(named).page(type="dns_query_log")["events"]
            self.assertEqual("www.example.com", event["data"]["qname"])


class Updates(Background):
    """Changes of 200 records at once, one after the other."""

    def __init__(self, named):
        super().__init__()
        self.named, self.made = named, 0

    def _run(self):
        while not self._ended.is_set():
            self.made += 1

            def change(update):
                for i in range(200):
                    update.replace(f"k{i}", 300, "A", f"192.0.{self.made % 250}.{i + 1}")

            self.named.update("example.com", change)


class HandOverTest(unittest.TestCase):
    def test_while_it_goes_on(self):
        """More than the hub remembers, and still more coming: each client gets all of it once, in order, then live."""
        yaml = {"queues": {"max_events": 100000, "max_bytes": "64MiB"}, "rate_limit": {"messages_per_minute": 100000}}
        with Named(ZONES, yaml=yaml) as named:
            kinds = ["record_created", "record_updated"]
            with Client(named) as witness, Updates(named) as updates:
                epoch = witness.wait_message("connection_established")["data"]["epoch"]
                wait_until(lambda: updates.made > 15, "more events than the hub remembers", 30)
                clients = []
                for options in ({}, {"filter": 'rtype = "A"'}, {"min_priority": "normal"}):
                    clients.append(Client(named, subprotocol="bindcast.v1.json"))
                    clients[-1].subscribe(event_types=kinds, since=f"{epoch}-0", **options)
                goal = updates.made + 10
                wait_until(lambda: updates.made > goal, "more to happen meanwhile", 30)
            add(named, "last")
            for client in clients:
                client.wait_event("record_created", where=lambda e: e["data"]["name"].startswith("last."), timeout=30)
            ids = [[event["id"] for event in client.events] for client in clients]
            rows = sqlite(named, f"SELECT id FROM readable WHERE type IN ('{kinds[0]}', '{kinds[1]}')")
            self.assertGreater(len(ids[0]), 4000)
            for client, its in zip(clients, ids):
                self.assertEqual([], client.gaps())
                self.assertEqual(sorted(set(its)), its)
                self.assertEqual(set(), {row["id"] for row in rows} - set(its))
                client.close()


class History:
    """GET /api/v1/events."""

    def __init__(self, named, token=None):
        self.named = named
        self.token = token or named.token

    def ask(self, **arguments) -> tuple[int, dict]:
        with RawSocket(self.named) as raw:
            status, body = raw.http("/api/v1/events" + "?" * bool(arguments) + urllib.parse.urlencode(arguments),
                                    {"Authorization": f"Bearer {self.token}"})
            return status, json.loads(body)

    def page(self, **arguments) -> dict:
        status, body = self.ask(**arguments)
        assert status == 200, body
        return body

    def all(self, **arguments) -> list[dict]:
        """Page by page."""
        events: list[dict] = []
        while True:
            page = self.page(**arguments)
            events += page["events"]
            if "cursor" not in page:
                return events
            arguments["cursor"] = page["cursor"]


class HistoryTest(unittest.TestCase):
    def test_pages_filters_and_bounds(self):
        with Named(ZONES, yaml={"roles": {"names": {"categories": ["dns"], "filter": 'name = "n7.example.com"'}},
                                "auth": {"tokens": [{"name": "nina", "roles": ["names"], "sha256": SHA256_OF_NINA}]}}
                   ) as named:
            with Client(named) as client:
                client.subscribe(event_types=["record_created"])
                for i in range(25):
                    add(named, f"n{i}")
                live = client.wait_events(25, "record_created")
                stored(client, live[-1]["id"])
            history = History(named)
            self.assertEqual(live, history.all(type="record_created", order="oldest", limit=7))
            self.assertEqual(live[::-1], history.all(type="record_created", limit=10))
            self.assertEqual(live[10:], history.all(type="record_created", since=live[9]["id"], order="oldest"))
            self.assertEqual(live[3:10], history.all(type="record_created,zone_loaded", since=live[2]["id"],
                                                     until=live[9]["id"], order="oldest", limit=2,
                                                     filter='type = "record_created"'))
            self.assertEqual(live[5:20], history.all(type="record_created", order="oldest", limit=4,
                                                     since=live[5]["timestamp"], until=live[20]["timestamp"]))
            self.assertEqual([live[7]], history.all(filter='name = "n7.example.com"'))
            kinds = {event["category"] for event in history.all(category="dns")}
            self.assertEqual({"dns"}, kinds)
            # A page stays where it is while more is stored, and what a role does not show is not in it.
            page = history.page(type="record_created", limit=5)
            with Client(named) as client:
                client.subscribe(event_types=["record_created"])
                add(named, "later")
                stored(client, client.wait_event("record_created")["id"])
            self.assertEqual(live[15:20][::-1],
                             history.page(type="record_created", limit=5, cursor=page["cursor"])["events"])
            self.assertEqual([live[7]], History(named, "nina").all())
            for wrong in ({"limit": 0}, {"limit": 1001}, {"since": "x"}, {"type": "nothing"}, {"filter": "("},
                          {"order": "up"}, {"cursor": "1"}, {"sincE": "1"}):
                self.assertEqual(400, history.ask(**wrong)[0], wrong)
            self.assertEqual(401, History(named, "wrong").ask()[0])


class MaskedTest(unittest.TestCase):
    def test_a_role_sees_the_past_as_it_sees_the_present(self):
        roles = {"desk": {"categories": ["dns"], "privacy": {"client_address": "prefix", "query_name": "none"}}}
        tokens = [{"name": "nina", "roles": ["desk"], "sha256": SHA256_OF_NINA}]
        with Named(ZONES, yaml={"roles": roles, "auth": {"tokens": tokens}, "journal": {"queries": True}}) as named:
            for life in range(2):
                with Client(named) as admin, Client(named, token="nina") as desk:
                    for client in (admin, desk):
                        client.subscribe_from_start(event_types=["dns_query_log"])
                    named.query("www.example.com")
                    clear = admin.wait_event("dns_query_log", qname="www.example.com")
                    masked = desk.wait_event("dns_query_log", where=lambda e: e["id"] == clear["id"])
                    self.assertEqual("127.0.0.1", clear["data"]["client"])
                    self.assertNotIn("127.0.0.1", json.dumps(masked))
                    self.assertNotIn("www.example.com", json.dumps(masked))
                    stored(admin, clear["id"])
                    (past,) = History(named, "nina").page(since=clear["timestamp"], type="dns_query_log")["events"]
                    self.assertEqual(masked, past)
                    self.assertEqual([], History(named, "nina").all(filter='qname = "www.example.com"'))
                named.stop()
                named.start()
            with Client(named, token="nina") as desk:
                desk.subscribe(since=clear["id"].split("-")[0] + "-0", event_types=["dns_query_log"])
                self.assertEqual(masked, desk.wait_event("dns_query_log", where=lambda e: e["id"] == clear["id"]))
                self.assertNotIn("www.example.com", desk.received())


class RetentionTest(unittest.TestCase):
    def test_what_was_removed_is_a_gap(self):
        text = "x" * 180
        with Named(ZONES, yaml={"journal": {"max_size": "1MiB"}}) as named, Client(named) as client:
            client.subscribe(event_types=["zone_loaded", "record_bulk_operation", "record_created"])

            def fill(update):
                for i in range(250):
                    update.add(f"big{i}", 300, "TXT", f'"{text}"')

            def empty(update):
                for i in range(250):
                    update.delete(f"big{i}")

            add(named, "first")
            first = client.wait_event("record_created")["id"]
            for _ in range(5):
                named.update("example.com", fill)
                named.update("example.com", empty)
            wait_until(lambda: journal(client)["removed"] > 500, "the oldest to be removed")
            last = client.events[-1]["id"]
            stored(client, last)
            self.assertLessEqual((named.folder / "bindcast.db").stat().st_size, 1 << 20)
            with Client(named) as late:
                late.subscribe(event_types=["record_created"])
                told = late.request("resume", {"since": first})
                self.assertFalse(told["data"]["recovered"])
                wait_until(late.gaps, "the gap")
                self.assertEqual(["retention"], [gap["reason"] for gap in late.gaps()])


if __name__ == "__main__":
    unittest.main(verbosity=2)
