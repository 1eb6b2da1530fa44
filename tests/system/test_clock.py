"""The wall clock jumps while named runs, forwards by days and backwards by hours: times of day follow, and nothing else
does. named gets a clock that the test sets (shifted_clock.c).
"""

import contextlib
import os
import struct
import subprocess
import threading
import time
import unittest
from datetime import datetime
from pathlib import Path
from unittest import mock

from client import Client, RawSocket, admitted, watching
from harness import TIME_FACTOR, Named, Zone, wait_until
from traffic import Asker

ZONES = {"example.com": Zone("www A 192.0.2.1")}
HOUR_S = 3600
JUMPS_S = [3 * 24 * HOUR_S, -5 * HOUR_S, 400 * 24 * HOUR_S, 0]  # each from the true time, so from the one before too
LATE_S = 1.5 * TIME_FACTOR
HEARTBEAT_S, REPEAT_S = 2, 1
ADD = '{ type primary; file "example.com.db"; };'


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class Clock:
    """The library, compiled, and the file with the offset."""

    def __init__(self, folder: Path):
        self.offset_s = 0
        self._file = folder / "clock"
        self._file.write_bytes(bytes(8))
        library = folder / "shifted_clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library,
                        Path(__file__).with_name("shifted_clock.c"), "-ldl"], check=True, timeout=60 * TIME_FACTOR)
        preload = ":".join(filter(None, [os.environ.get("BINDCAST_PRELOAD"), str(library)]))
        self.environment = {"SHIFTED_CLOCK": str(self._file), "LD_PRELOAD": preload}

    def jump_to(self, offset_s: int):
        self.offset_s = offset_s
        with open(self._file, "r+b", buffering=0) as file:
            file.write(struct.pack("q", offset_s * 10**9))

    def now(self) -> float:
        return time.time() + self.offset_s

    def rndc(self, named, *command: str) -> str:
        """rndc by the same clock: named takes no commands from another time."""
        with mock.patch.dict(os.environ, self.environment):
            return named.rndc(*command)


class Pings(threading.Thread):
    """A viewer that only counts, and answers, the server's pings."""

    def __init__(self, named):
        super().__init__(daemon=True)
        self.at: list[float] = []
        self.closed = False
        self._raw = admitted(named)
        self._raw.socket.settimeout(60 * TIME_FACTOR)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._raw.socket.shutdown(2)
        self.join()
        self._raw.socket.close()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                opcode, payload = self._raw.read_frame()
                if opcode == 9:
                    self.at.append(time.monotonic())
                    self._raw.send_frame(payload, opcode=10)
        self.closed = True


class ClockTest(unittest.TestCase):
    YAML = {"server": {"heartbeat": f"{HEARTBEAT_S}s", "max_connections_per_user": 20},
            "events": {"types": {"zone_created": {"priority": "critical"}}},
            "retry": {"initial": f"{REPEAT_S}s", "factor": 1, "max": f"{REPEAT_S}s", "attempts": 100},
            "rate_limit": {"messages_per_minute": 10_000}}

    def setUp(self):
        # The folder of named holds the clock: start() reads the environment only then.
        self.named = Named(ZONES, yaml=self.YAML)
        self.clock = Clock(self.named.folder)
        self.named.environment = self.clock.environment
        self.enterContext(self.named)
        self.addCleanup(self.clock.jump_to, 0)  # rndc stop goes by the true time

    def test_only_times_of_day_follow(self):
        named, clock = self.named, self.clock
        with watching(named) as client, watching(named, subprotocol="bindcast.v1.json") as batches, \
                Pings(named) as pings, Asker(named, "www.example.com", pause_s=0.01) as asker:
            client.subscribe(event_types=["dns_query_log", "zone_created", "zone_deleted"])
            batches.subscribe(event_types=["dns_query_log"])
            client.wait_event("dns_query_log")
            begun = time.monotonic()
            for jump, offset_s in enumerate(JUMPS_S):
                with self.subTest(offset_s=offset_s):
                    clock.jump_to(offset_s)
                    self.query_is_seen_at_once(client, batches, f"jump{jump}.example.com")
                    self.zone_is_seen_and_said_again(client, f"jump{jump}.example")
                    self.assertFalse(client.closed or batches.closed or pings.closed)
            lasted = time.monotonic() - begun
            # One for each heartbeat of silence; what a jump brought forward or put off would show.
            self.assertLessEqual(len(pings.at), lasted / (HEARTBEAT_S - 1) + 1)
            gaps = [b - a for a, b in zip([begun, *pings.at], [*pings.at, time.monotonic()])]
            self.assertLess(max(gaps), HEARTBEAT_S + 1 + LATE_S, "the pings stalled")
            self.check_order(client)
        asker.check()
        self.assertEqual([], client.gaps() + batches.gaps())

    def query_is_seen_at_once(self, client, batches, name: str):
        begun, by_the_clock = time.monotonic(), self.clock.now()
        self.named.query(name)
        events = [one.wait_event("dns_query_log", qname=name) for one in (client, batches)]
        self.assertLess(time.monotonic() - begun, LATE_S)
        for event in events:
            self.assertAlmostEqual(by_the_clock, seconds(event["timestamp"]), delta=LATE_S)
            self.assertTrue(0 <= event["data"]["latency_us"] < LATE_S * 1e6, event)
        batch = next(b for b in batches.batches if events[1] in b["events"])
        self.assertAlmostEqual(by_the_clock, seconds(batch["created_at"]), delta=LATE_S)

    def zone_is_seen_and_said_again(self, client, zone: str):
        begun, by_the_clock = time.monotonic(), self.clock.now()
        self.clock.rndc(self.named, "addzone", zone, ADD)
        first = client.wait_event("zone_created", zone=zone)
        self.assertLess(time.monotonic() - begun, 1 + LATE_S)
        self.assertAlmostEqual(by_the_clock, seconds(first["timestamp"]), delta=1 + LATE_S)
        # The repetitions are due by the second, whatever the jump before or between them was.
        self.clock.jump_to(self.clock.offset_s + 7 * HOUR_S)
        client.wait_event("zone_created", zone=zone, where=lambda event: event["metadata"].get("attempt") == 3)
        took = time.monotonic() - begun
        self.assertGreater(took, REPEAT_S)  # half of each wait is left to chance
        self.assertLess(took, 2 * REPEAT_S + 1 + LATE_S)
        self.assertEqual([], client.request("acknowledge", {"ids": [first["id"]]})["data"]["errors"])
        alerts = client.request("get_statistics")["data"]["server"]["alerts"]
        self.assertLess(alerts["acknowledged_max_ms"], 10_000 * TIME_FACTOR, "by the wall clock it is hours")
        self.assertLessEqual(len(client.of("zone_created", zone=zone)), 2 * took / REPEAT_S + 2)

    def check_order(self, client):
        """Offsets only grow; the critical events overtake others, and are said again."""
        offsets = [int(event["id"].rsplit("-", 1)[1]) for event in client.of("dns_query_log")]
        self.assertEqual(sorted(offsets), offsets)
        self.assertEqual(1, len({event["id"].rsplit("-", 1)[0] for event in client.events}))

    def test_events_from_before_a_jump_can_be_asked_for(self):
        with watching(self.named) as client:
            client.subscribe(event_types=["zone_created"])
            last = ""
            for jump, offset_s in enumerate(JUMPS_S):
                self.clock.jump_to(offset_s)
                self.clock.rndc(self.named, "addzone", f"since{jump}.example", ADD)
                event = client.wait_event("zone_created", zone=f"since{jump}.example")
                last = last or event["id"]
            with Client(self.named) as late:
                late.subscribe(event_types=["zone_created"], since=last)
                late.wait_event("zone_created", zone=f"since{len(JUMPS_S) - 1}.example")
                seen = list(dict.fromkeys(event["data"]["zone"] for event in late.events))
                self.assertEqual([f"since{jump}.example" for jump in range(1, len(JUMPS_S))],
                                 [zone for zone in seen if zone != "since0.example"])

    def test_who_is_to_go_goes_in_time(self):
        """Without a token, without a pong, without a handshake: none goes early by a jump, and none stays longer."""
        ways = {"handshake": (RawSocket(self.named), 10), "token": (RawSocket(self.named), 5),
                "pong": (admitted(self.named), 2 * HEARTBEAT_S)}
        self.assertEqual(101, ways["token"][0].upgrade())
        for raw, _ in ways.values():
            self.enterContext(raw)
            raw.socket.setblocking(False)
        begun = time.monotonic()
        self.clock.jump_to(JUMPS_S[0])
        ended: dict[str, float] = {}

        def look() -> bool:
            if self.clock.offset_s > 0 and time.monotonic() - begun > 1:
                self.clock.jump_to(JUMPS_S[1])
            for way, (raw, _) in ways.items():
                if way not in ended and self.has_ended(raw):
                    ended[way] = time.monotonic() - begun
            return len(ended) == len(ways)

        wait_until(look, "all three to be given up", 20)
        for way, (_, limit_s) in ways.items():
            self.assertGreater(ended[way], limit_s - 1, way)
            self.assertLess(ended[way], limit_s + 2 + LATE_S, way)

    @staticmethod
    def has_ended(raw: RawSocket) -> bool:
        try:
            return raw.socket.recv(65536) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


if __name__ == "__main__":
    unittest.main(verbosity=2)
