"""No memory: allocations of the plugin fail, one after the other, some at once, or one in so many, while clients use
what there is. named answers on, whoever is cut off or has lost something is told, and afterwards all is well.
"""

import json
import mmap
import os
import random
import socket
import struct
import tempfile
import unittest
import zlib
from pathlib import Path

from client import Client, RawSocket
from harness import Named, Zone, wait_until
from traffic import Asker, Load

SHIM = os.environ.get("BINDCAST_FAILING_MALLOC_SO",
                      str(Path(__file__).resolve().parents[2] / "build/tests/system/failing_malloc.so"))
RECORDS = "\n".join(f"n{i} A 192.0.2.1" for i in range(50))
ZONES = {"example.com": Zone(RECORDS, options="allow-update { key update-key; };"), "plain.example": Zone()}
NAMES = [f"n{i}.example.com" for i in range(50)]
FORMATS = [None, "bindcast.v1.json", "bindcast.v1.deflate", "cloudevents.json"]


class FailingMalloc:
    """What failing_malloc.c is told, and tells."""

    NUMBERS = "calls from before one_in failed libwebsockets".split()

    def __init__(self):
        self._file = tempfile.NamedTemporaryFile(prefix="bindcast-malloc-")
        self._file.truncate(8 * len(self.NUMBERS))
        self._map = mmap.mmap(self._file.fileno(), 8 * len(self.NUMBERS))
        self.environment = {"LD_PRELOAD": SHIM, "BINDCAST_FAILING_MALLOC": self._file.name}

    def __getitem__(self, name: str) -> int:
        return struct.unpack_from("Q", self._map, 8 * self.NUMBERS.index(name))[0]

    def __setitem__(self, name: str, value: int):
        struct.pack_into("Q", self._map, 8 * self.NUMBERS.index(name), value)

    def fail(self, after: int, count: int):
        """The next `count` allocations after so many more."""
        at = self["calls"] + after
        self["from"] = at
        self["before"] = at + count

    def relent(self):
        self["before"] = self["from"] = self["one_in"] = 0


def visit(named, subprotocol, number: int) -> str:
    """Comes in, subscribes, gets an event, asks for statistics and goes. What came of it."""
    name = f"v{number}.example.com"
    stage = "connecting"
    try:
        with RawSocket(named, timeout=2) as raw:
            def read():
                opcode, payload = raw.read_frame()
                if opcode == 8:
                    raise ConnectionError("closed")
                return json.loads(payload if opcode == 1 else zlib.decompress(payload))

            headers = {"Authorization": f"Bearer {named.token}"}
            if subprotocol:
                headers["Sec-WebSocket-Protocol"] = subprotocol
            if raw.upgrade(headers=headers) != 101:
                return "cut off"
            stage = "subscribing"
            raw.send_json({"type": "subscribe", "id": "s", "data": {
                "event_types": ["dns_query_log"], "filter": f'qname = "{name}"'}})
            while read().get("reply_to") != "s":
                pass
            stage = "for an event"
            named.query(name)
            told = read()["type"]
            stage = "for statistics"
            raw.send_json({"type": "get_statistics", "id": "t"})
            while read().get("reply_to") != "t":
                pass
            raw.send_frame(struct.pack(">H", 1000), opcode=8)
            stage = "for the close"
            if raw.close_code() != 1000:
                return "cut off"
            return "told" if told == "gap" else "served"
    except socket.timeout:
        return f"left waiting {stage}"
    except (ConnectionError, OSError):
        return "cut off"


class MemoryTest(unittest.TestCase):
    def setUp(self):
        self.malloc = FailingMalloc()
        self.addCleanup(self.malloc.relent)

    def check_all_is_well(self, named):
        """As if nothing had been: a client gets everything, and its account settles."""
        self.malloc.relent()
        wait_until(lambda: visit(named, None, 0) == "served", "named to serve as before")
        with Client(named, subprotocol="bindcast.v1.json") as client:
            client.subscribe(event_types=["dns_query_log", "record_created"])
            for i in range(20):
                named.query(f"n{i}.example.com")
            named.update("example.com", lambda u: u.add(f"new{random.random()}", 60, "A", "192.0.2.9"))
            client.wait_events(20, "dns_query_log")
            client.wait_event("record_created", zone="example.com")
            status = client.request("get_status")["data"]
            self.assertGreater(status["faults"], 0)
        named.wait_log("pieces of work failed")
        self.assertLess(named.log().count("pieces of work failed"), 4, "said again and again")

    def sweep(self, named, count: int, step: int = 1) -> dict[str, int]:
        """Lets every allocation of a visit fail in turn, and so many that follow it."""
        outcomes: dict[str, int] = {}
        for subprotocol in FORMATS:
            before = self.malloc["calls"]
            self.assertEqual("served", visit(named, subprotocol, 0))
            for after in range(0, self.malloc["calls"] - before + 20, step):
                self.malloc.fail(after, count)
                outcome = visit(named, subprotocol, after)
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
                self.malloc.relent()
        return outcomes

    def check_nobody_waits(self, outcomes: dict[str, int]):
        self.assertEqual([], [outcome for outcome in outcomes if outcome.startswith("left waiting")], outcomes)

    def test_each_in_turn(self):
        with Named(ZONES, environment=self.malloc.environment) as named, Asker(named, "n1.example.com") as asker:
            outcomes = self.sweep(named, 1)
            self.check_nobody_waits(outcomes)
            self.assertGreater(outcomes["cut off"], 0)
            self.assertGreater(outcomes["served"], 0)
            asker.check()
            self.check_all_is_well(named)

    def test_many_at_once(self):
        with Named(ZONES, environment=self.malloc.environment) as named, Asker(named, "n1.example.com") as asker:
            for count in (3, 40):
                self.check_nobody_waits(self.sweep(named, count, step=5))
                asker.check()
            self.check_all_is_well(named)

    def test_in_libwebsockets_too(self):
        # It may leave one waiting that it accepted without memory; its bound of 10 s for requests ends that.
        with Named(ZONES, environment=self.malloc.environment) as named, Asker(named, "n1.example.com") as asker:
            self.malloc["libwebsockets"] = 1
            self.sweep(named, 1, step=3)
            asker.check()
            self.check_all_is_well(named)

    def test_one_in_so_many_under_load(self):
        yaml = {"escalation": [{"after": "0s", "to": {"roles": ["admin"]}, "webhook": {"url": "http://127.0.0.1:9/"}}],
                "events": {"zones": {"sweep": "50ms"},
                           "types": {"zone_created": {"priority": "critical"}}}}
        with Named(ZONES, yaml=yaml, environment=self.malloc.environment) as named:
            with Load(named, NAMES, seconds=60, rate=1000) as load, Asker(named, "n1.example.com") as asker:
                for i, one_in in enumerate((1000, 100, 10, 2, 1, 100)):
                    self.malloc["one_in"] = one_in
                    for j in range(15):
                        visit(named, FORMATS[j % len(FORMATS)], j)
                        if j % 5 == 0:
                            named.rndc("addzone", f"z{i}-{j}.example", '{ type primary; file "plain.example.db"; };')
                            named.update("example.com", lambda u, n=j: u.add(f"u{i}-{n}", 60, "A", "192.0.2.9"))
                    named.rndc("reconfig")
                self.malloc.relent()
                asker.check()
                load.interrupt()
                self.assertEqual(0, load.finish()["lost"])
            self.check_all_is_well(named)

    def test_at_the_stop(self):
        for after in (0, 5, 20, 60):
            self.malloc.relent()
            with Named(ZONES, environment=self.malloc.environment) as named, \
                    Client(named, account=False) as client:
                client.subscribe()
                named.query("n1.example.com")
                client.wait_event("dns_query_log")
                self.malloc.fail(after, 1_000_000)
                named.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
