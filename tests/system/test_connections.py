"""Connections that take room and give nothing: senders of a byte a second, silent ones, peers that have vanished, and a
flood of 10,000. Those that behave get in, get every event in time and wait for nobody; DNS is not slowed; the room
comes back.
"""

import contextlib
import ctypes
import json
import os
import resource
import socket
import struct
import time
import unittest

import websockets

from client import Client, RawSocket, admitted, watching
from harness import TIME_FACTOR, Named, Zone, wait_until
from traffic import LONGEST_ANSWER_S, Asker, Background, Load

ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(100)))}
NAMES = [f"n{i}.example.com" for i in range(100)]
LONGEST_ENTRY_S = 1 * TIME_FACTOR  # from the connect to the welcome
HANDSHAKE_S, AUTHENTICATION_S = 10, 5  # what the server gives a client for each
SANITIZED = "BINDCAST_PRELOAD" in os.environ
HEAD = (b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n")


def entry_s(named) -> float:
    """How long a client that behaves needs to get in; one that is cut off in its handshake tries again."""
    start = time.monotonic()
    while True:
        try:
            with Client(named, account=False):
                return time.monotonic() - start
        except (websockets.InvalidMessage, ConnectionError):
            if time.monotonic() - start > LONGEST_ENTRY_S:
                raise


def status_of(named) -> dict:
    with RawSocket(named) as raw:
        _, body = raw.http("/api/v1/status", {"Authorization": f"Bearer {named.token}"})
    return json.loads(body)


class Dribble(Background):
    """Sends each raw connection its bytes, one a second."""

    def __init__(self):
        super().__init__()
        self._tasks: list[tuple[RawSocket, list[int]]] = []

    def add(self, raw: RawSocket, data: bytes):
        self._tasks.append((raw, list(data)))

    def _run(self):
        while not self._ended.wait(1):
            for raw, data in list(self._tasks):
                with contextlib.suppress(OSError):
                    if data:
                        raw.send(bytes([data.pop(0)]))


class SlowSendersTest(unittest.TestCase):
    """Each part of a connection's beginning, a byte a second. More of them than any pool of a library's has places."""

    HANDSHAKES = 100
    PING = b'{"type":"ping","id":"slow"}'

    def test_only_they_wait(self):
        yaml = {"server": {"max_connections_per_user": 20}}
        with Named(ZONES, yaml=yaml) as named, watching(named) as witness, contextlib.ExitStack() as stack:
            witness.subscribe(event_types=["dns_query_log"])
            descriptors = named.settled_descriptors()
            dribble = stack.enter_context(Dribble())

            def begin(send_before: bytes, data: bytes, raw=None) -> RawSocket:
                raw = stack.enter_context(raw or RawSocket(named))
                raw.send(send_before)
                dribble.add(raw, data)
                return raw

            handshakes = [begin(b"", HEAD) for _ in range(self.HANDSHAKES // 2)]
            headers = [begin(HEAD, b"X-Endless: " + b"x" * 1000) for _ in range(self.HANDSHAKES // 2)]
            token = b'{"type":"authenticate","data":{"token":"' + named.token.encode() + b'"}}'
            authentication = RawSocket(named)
            self.assertEqual(101, authentication.upgrade())
            begin(b"", bytes([0x81, 0x80 | len(token)]) + bytes(4) + token, authentication)
            frame = bytes([0x81, 0x80 | len(self.PING)]) + bytes(4) + self.PING
            message = begin(frame[:-10], frame[-10:], admitted(named))

            begun = time.monotonic()
            with Asker(named, "n1.example.com", pause_s=0.02) as asker:
                entries = []
                wait_until(lambda: entries.append(entry_s(named)) or named.descriptors() <= descriptors + 1,
                           "the handshakes that do not get on to be ended", HANDSHAKE_S + 10)
                self.assertGreaterEqual(time.monotonic() - begun, HANDSHAKE_S - 1, "they had their time")
                for raw in (*handshakes, *headers):
                    self.assertTrue(raw.ended(), "a handshake that does not get on is not ended")
                self.assertEqual(4408, authentication.close_code())
                while (answer := message.read_json())["type"] != "pong":
                    self.assertNotEqual("error", answer["type"], answer)
                self.assertEqual("slow", answer["reply_to"])
            asker.check()
            self.assertLess(max(entries), LONGEST_ENTRY_S)
            self.assertEqual(asker.asked, len(witness.wait_events(asker.asked, "dns_query_log")))
            message.socket.close()
            wait_until(lambda: named.descriptors() <= descriptors, f"named to come back to {descriptors} descriptors")


def vanish(raw: RawSocket):
    """From here on the peer's kernel drops all that comes: no acknowledgement, no pong, no reset; as if unplugged."""
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0 bytes
    program = struct.pack("HL", 1, ctypes.addressof(drop_all))
    raw.socket.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER


class VanishedTest(unittest.TestCase):
    """Peers that are gone without a word, at each stage of a connection."""

    HEARTBEAT_S = 2
    EACH = 5

    def test_each_is_given_up_and_nothing_of_it_kept(self):
        yaml = {"server": {"heartbeat": f"{self.HEARTBEAT_S}s", "max_connections_per_user": 20}}
        with Named(ZONES, yaml=yaml) as named, watching(named, subprotocol="bindcast.v1.json") as witness:
            witness.subscribe(event_types=["dns_query_log", "connection_closed"])
            descriptors = named.settled_descriptors()
            with contextlib.ExitStack() as stack:
                peers = [stack.enter_context(RawSocket(named)) for _ in range(4 * self.EACH)]
                silent, half, strangers, viewers = (peers[i::4] for i in range(4))
                for raw in half:
                    raw.send(HEAD)
                for raw in strangers:
                    self.assertEqual(101, raw.upgrade())
                for raw in viewers:
                    self.assertEqual(101, raw.upgrade(headers={"Authorization": f"Bearer {named.token}"}))
                    raw.send_json({"type": "subscribe", "id": "s", "data": {"event_types": ["dns_query_log"]}})
                    while raw.read_json().get("reply_to") != "s":
                        pass
                for raw in peers:
                    vanish(raw)
                began = time.monotonic()
                with Asker(named, "n1.example.com", pause_s=0.02) as asker:
                    with Load(named, NAMES, seconds=5, rate=2000) as load:
                        done = load.finish()
                    closed = witness.wait_events(self.EACH, "connection_closed", 4 * self.HEARTBEAT_S)
                    self.assertEqual({1006}, {event["data"]["code"] for event in closed})
                    self.assertTrue(all(event["data"]["undelivered"] > 0 for event in closed), closed)
                    # The sockets of those that never got as far as a WebSocket have the time that a handshake has.
                    wait_until(lambda: named.descriptors() <= descriptors,
                               f"named to come back to {descriptors} descriptors", 3 * HANDSHAKE_S)
                self.assertLess(time.monotonic() - began, (HANDSHAKE_S + 10) * TIME_FACTOR)
            self.assertEqual(0, done["lost"])
            asker.check()
            asked = done["completed"] + asker.asked
            self.assertEqual(asked, len(witness.wait_events(asked, "dns_query_log", 20)))
            self.assertEqual(1, status_of(named)["connections"])
            self.assertFalse(witness.closed)


class Flood(Background):
    """Attempts in bursts, each held until the next burst is there, the last one until the end."""

    def __init__(self, address, attempts: int, burst: int):
        super().__init__()
        self.over = False
        self.made = 0
        self.failed = 0
        self._address, self._attempts, self._burst = address, attempts, burst

    def _run(self):
        before: list[socket.socket] = []
        for first in range(0, self._attempts, self._burst):
            held = [self._attempt(i) for i in range(first, first + self._burst)]
            for one in before:
                one.close()
            before = held
        self.over = True
        self._ended.wait()
        for one in before:
            one.close()

    def _attempt(self, i: int) -> socket.socket:
        ways = (b"", HEAD, HEAD + b"\r\n", HEAD + b"Authorization: Bearer wrong\r\n\r\n", os.urandom(50),
                b"GET /healthz")
        one = socket.socket()
        one.settimeout(5 * TIME_FACTOR)
        self.made += 1
        try:
            one.connect(self._address)
            one.sendall(ways[i % len(ways)])
        except OSError:
            self.failed += 1
        return one


class FloodTest(unittest.TestCase):
    """server.max_connections bounds the WebSockets. Beside them there is room for some handshakes; who comes then takes
    the place of the one that has taken longest over his, or has not authenticated."""

    ATTEMPTS, BURST = 10_000, 1000
    MOST = 500
    SPARE = 2 * 64  # for handshakes, and for what is being closed
    BOUND_KIB = 16 * 1024

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * self.BURST + 500
        if hard != resource.RLIM_INFINITY and hard < wanted:
            self.skipTest(f"wants {wanted} descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))

    def test_who_behaves_gets_in_and_misses_nothing(self):
        yaml = {"server": {"max_connections": self.MOST, "max_connections_per_user": 20}}
        with Named(ZONES, yaml=yaml) as named, watching(named) as witness:
            witness.subscribe(event_types=["dns_query_log"])
            entry_s(named)
            status_of(named)
            descriptors, memory = named.settled_descriptors(), named.memory_kib()
            entries, waits, counts = [], [], []
            with Asker(named, "n1.example.com", pause_s=0.02) as asker:
                with Flood(named.address, self.ATTEMPTS, self.BURST) as flood:
                    over = False
                    while not over:
                        over = flood.over  # once more with the last burst there
                        entries.append(entry_s(named))
                        counts.append(named.descriptors())
                        begun = time.monotonic()
                        named.query(f"x{len(waits)}.example.com")
                        witness.wait_event("dns_query_log", qname=f"x{len(waits)}.example.com")
                        waits.append(time.monotonic() - begun)
            self.assertEqual(self.ATTEMPTS, flood.made)
            self.assertEqual(0, flood.failed, "attempts that the kernel did not even take")
            asker.check()
            self.assertLess(max(waits), LONGEST_ANSWER_S)
            self.assertLess(max(entries), LONGEST_ENTRY_S)
            self.assertGreater(len(entries), 10)
            self.assertLessEqual(max(counts), descriptors + self.MOST + self.SPARE)
            self.assertGreater(max(counts), descriptors + self.MOST, "there was no flood")

            wait_until(lambda: named.descriptors() <= descriptors, f"named to come back to {descriptors} descriptors",
                       20)
            if not SANITIZED:
                self.assertLess(named.memory_kib() - memory, self.BOUND_KIB)
            status = status_of(named)
            self.assertEqual(1, status["connections"])
            self.assertGreater(status["connections_turned_away"], 0)
            self.assertEqual(1, named.log().count("connections were turned away"))
            asked = asker.asked + len(waits)
            self.assertEqual(asked, len(witness.wait_events(asked, "dns_query_log")))
            self.assertEqual([], witness.gaps())

    def test_those_that_are_in_stay_in(self):
        yaml = {"server": {"max_connections": 5, "max_connections_per_user": 20}}
        with Named(ZONES, yaml=yaml) as named, contextlib.ExitStack() as stack:
            insiders = [stack.enter_context(Client(named)) for _ in range(4)]
            stranger = stack.enter_context(RawSocket(named))
            self.assertEqual(101, stranger.upgrade())
            insiders.append(stack.enter_context(Client(named)))
            self.assertTrue(stranger.ended(), "the one that has not authenticated makes room")
            late = stack.enter_context(RawSocket(named))
            self.assertEqual(101, late.upgrade(headers={"Authorization": f"Bearer {named.token}"}))
            self.assertEqual(1013, late.close_code())
            for client in insiders:
                self.assertEqual("pong", client.request("ping")["type"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
