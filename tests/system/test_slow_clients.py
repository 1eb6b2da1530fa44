"""Clients that read slowly, not at all, or vanish: the others lose nothing and wait for nobody, DNS is not slowed,
memory stays bounded, and what the slow ones missed is counted to the event.
"""

import json
import os
import random
import select
import socket
import struct
import time
import unittest

from client import Client, RawSocket, admitted, watching
from harness import TIME_FACTOR, HarnessError, Named, Zone, wait_until
from traffic import Asker, Background, Load

ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(200)))}
NAMES = [f"n{i}.example.com" for i in range(200)]
SANITIZED = "BINDCAST_PRELOAD" in os.environ  # a sanitizer keeps freed memory for a while


def queries_of(client: Client, asked: int) -> int:
    """Waits until a client has got so many queries, or was told of a loss, which fails the test."""
    wait_until(lambda: client.gaps() or len(client.of("dns_query_log")) >= asked, f"{asked} queries", 20)
    if client.gaps():
        raise HarnessError(f"a client that reads has lost events: {client.gaps()}")
    return len(client.of("dns_query_log"))


class Trickle(Background):
    """Reads one byte a second."""

    def __init__(self, raw: RawSocket):
        super().__init__()
        self.bytes = 0
        self._raw = raw

    def _run(self):
        while not self._ended.wait(1):
            if select.select([self._raw.socket], [], [], 0)[0]:
                byte = self._raw.socket.recv(1)
                self._raw.buffer += byte
                self.bytes += len(byte)


class SlowTest(unittest.TestCase):
    SECONDS = 12

    def test_one_byte_a_second_beside_a_fast_one(self):
        yaml = {"queues": {"max_events": 4000}}
        with Named(ZONES, yaml=yaml) as named, watching(named) as fast, admitted(named, receive_buffer=4096) as slow:
            subscription = {"event_types": ["dns_query_log", "zone_created", "zone_deleted"]}
            fast.subscribe(**subscription)
            slow.send_json({"type": "subscribe", "data": subscription})
            with Trickle(slow) as trickle, Asker(named, "n1.example.com", pause_s=0.02) as asker:
                with Load(named, NAMES, seconds=self.SECONDS, rate=2000) as load:
                    waits = self.changes(named, fast)
                    done = load.finish()
            self.assertEqual(0, done["lost"])
            asker.check()
            self.assertLess(max(waits), 2 * TIME_FACTOR, waits)

            asked = done["completed"] + asker.asked
            self.assertEqual(asked, queries_of(fast, asked))
            self.assertGreater(trickle.bytes, 0)
            slow.socket.settimeout(20 * TIME_FACTOR)
            account, _ = slow.drain()
            self.assertGreater(account.told["queue_overflow"], 0, "the slow client's queue was never full")
            # The changes are events of each client too, but not all of them need to reach the slow one.
            self.assertEqual(len(fast.events), account.events + account.folded + account.told["queue_overflow"])

    def changes(self, named, fast) -> list[float]:
        """Zones come and go during the load; how long the fast client waited for each event."""
        waits = []
        ends = time.monotonic() + self.SECONDS - 3
        while time.monotonic() < ends:
            zone = f"z{len(waits)}.example"
            for command, kind in ((["addzone", zone, '{ type primary; file "example.com.db"; };'], "zone_created"),
                                  (["delzone", zone], "zone_deleted")):
                named.rndc(*command)
                start = time.monotonic()
                fast.wait_event(kind, zone=zone)
                waits.append(time.monotonic() - start)
        return waits


class UrgentTest(unittest.TestCase):
    """A client that stopped reading in the middle of a batch finds the urgent event right behind it."""

    QUERIES = 8000

    def test_an_urgent_event_overtakes_the_batches_of_a_client_that_stopped_reading(self):
        yaml = {"queues": {"max_events": 20_000, "max_bytes": "64MiB"}, "retry": {"acknowledge": []},
                "events": {"types": {"zone_created": {"priority": "critical"}}}}
        with Named(ZONES, yaml=yaml) as named, watching(named) as witness:
            stopped = RawSocket(named, receive_buffer=4096)
            self.assertEqual(101, stopped.upgrade(headers={"Authorization": f"Bearer {named.token}",
                                                           "Sec-WebSocket-Protocol": "bindcast.v1.json"}))
            subscription = {"event_types": ["dns_query_log", "zone_created"]}
            stopped.send_json({"type": "subscribe", "id": "s", "data": subscription})
            while stopped.read_json().get("reply_to") != "s":
                pass
            witness.subscribe(event_types=["zone_created"])
            with Load(named, NAMES, count=self.QUERIES, rate=4000) as load:
                self.assertEqual(0, load.finish()["lost"])
            for zone in ("first.example", "second.example"):
                named.rndc("addzone", zone, '{ type primary; file "example.com.db"; };')
                witness.wait_event("zone_created", zone=zone)
            stopped.widen()
            stopped.socket.settimeout(20 * TIME_FACTOR)
            queries = 0
            zones = []
            queries_before = None
            while queries < self.QUERIES:
                message = stopped.read_json()
                if message["type"] == "zone_created":
                    zones.append(message["data"]["zone"])
                    queries_before = queries if queries_before is None else queries_before
                elif message["type"] == "batched_events":
                    queries += message["batch_size"]
            stopped.socket.close()
            self.assertEqual(["first.example", "second.example"], zones)
            # What is on its way or unsent in the kernel goes first: some hundred KiB of some five MiB.
            self.assertLess(queries_before, self.QUERIES / 4)


class ComeAndGoTest(unittest.TestCase):
    """1,000 connections that end in every way there is, at most 200 open at a time."""

    AT_ONCE, WAVES = 200, 5

    def test_nothing_of_them_is_kept(self):
        yaml = {"server": {"max_connections_per_user": 300}}
        with Named(ZONES, yaml=yaml) as named, Client(named) as witness:
            witness.subscribe(event_types=["dns_query_log"])
            self.wave(named)  # what is allocated once is allocated now
            self.settle(named)
            descriptors, memory = named.descriptors(), named.memory_kib()
            for _ in range(self.WAVES):
                self.wave(named)
                named.query("n1.example.com")
            self.settle(named)
            wait_until(lambda: named.descriptors() <= descriptors + 2,
                       f"named to come back to {descriptors} descriptors")
            if not SANITIZED:
                self.assertLess(named.memory_kib() - memory, 4 * 1024)
            self.assertEqual(self.WAVES, len(witness.wait_events(self.WAVES, "dns_query_log")))
            with Client(named) as client:
                client.subscribe(event_types=["dns_query_log"])
                named.query("after.example.com")
                client.wait_event("dns_query_log", qname="after.example.com")

    def settle(self, named):
        """Waits until the server knows that only the witness is left."""
        def connections():
            with RawSocket(named) as raw:
                _, body = raw.http("/api/v1/status", {"Authorization": f"Bearer {named.token}"})
            status = json.loads(body)
            return status.get("data", status)["connections"]

        wait_until(lambda: connections() == 1, "the connections to be gone", 20)

    def wave(self, named):
        ways = (self.half_a_request, self.no_token, self.closed_in_order, self.cut_off, self.reset,
                self.reset_in_the_handshake, self.reset_with_a_frame_under_way)
        opened = [ways[i % len(ways)](named) for i in range(self.AT_ONCE)]
        random.Random(2).shuffle(opened)
        for raw in opened:
            raw.socket.close()

    @staticmethod
    def resetting(raw: RawSocket) -> RawSocket:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return raw

    def half_a_request(self, named):
        raw = RawSocket(named)
        raw.send(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: webso")
        return raw

    def no_token(self, named):
        raw = RawSocket(named)
        self.assertEqual(101, raw.upgrade())
        return raw

    def closed_in_order(self, named):
        raw = self.cut_off(named)
        raw.send_frame(struct.pack(">H", 1000), opcode=8)
        self.assertEqual(1000, raw.close_code())
        return raw

    def cut_off(self, named):
        raw = admitted(named)
        raw.send_json({"type": "subscribe", "id": "s", "data": {"event_types": ["dns_query_log"]}})
        while raw.read_json().get("reply_to") != "s":
            pass
        return raw

    def reset(self, named):
        return self.resetting(self.cut_off(named))

    def reset_in_the_handshake(self, named):
        return self.resetting(self.half_a_request(named))

    def reset_with_a_frame_under_way(self, named):
        raw = self.resetting(admitted(named))
        raw.send(b"\x81\xfe\x10\x00half a message")
        return raw


class ManyStalledTest(unittest.TestCase):
    """100 that never read, each with a subscription of its own."""

    # A queue takes what dnsperf sends at once after a pause of two seconds, so that a client that reads loses nothing
    # on a busy machine either.
    STALLED, QUERIES, RATE, QUEUE = 20 if SANITIZED else 100, 20_000, 2000, 5000
    # Full queues refer to the same events: 4,000 of each are shared, and their places of 40 bytes take 20 MB. The last
    # fifth of each is its own: queries folded for it, 1,000 of about 900 bytes, 90 MB for all. 105 MiB, measured.
    # queues.max_total_bytes would bound it further. Copies of each client's own would take more than 300 MiB.
    BOUND_KIB = 160 * 1024

    def test_memory_is_bounded_and_nobody_else_notices(self):
        yaml = {"server": {"max_connections_per_user": 300}, "queues": {"max_events": self.QUEUE}}
        stalled = []
        try:
            with Named(ZONES, yaml=yaml) as named, watching(named, subprotocol="bindcast.v1.json") as other:
                other.subscribe(event_types=["dns_query_log"])
                for i in range(self.STALLED):
                    raw = admitted(named, receive_buffer=4096)
                    stalled.append(raw)
                    raw.send_json({"type": "subscribe", "id": "s", "data": {
                        "event_types": ["dns_query_log"], "filter": f'qname != "n{i}.example.com"'}})
                    while raw.read_json().get("reply_to") != "s":
                        pass
                before = named.memory_kib()
                with Asker(named, "n1.example.com", pause_s=0.02) as asker:
                    with Load(named, NAMES, count=self.QUERIES, rate=self.RATE) as load:
                        done = load.finish()
                self.assertEqual(0, done["lost"])
                asker.check()
                asked = done["completed"] + asker.asked
                self.assertEqual(asked, queries_of(other, asked))
                if not SANITIZED:
                    self.assertLess(named.memory_kib() - before, self.BOUND_KIB)
        finally:
            for raw in stalled:
                raw.socket.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
