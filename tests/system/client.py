"""A WebSocket client that collects what the server sends, and a raw one for what no library would send.

Client is built on python3-websockets, an implementation that shares nothing with the server's. One thread runs all of
them; the test's thread only looks at what has come in:

    client = Client(named)
    client.subscribe(event_types=["dns_query_log"])
    named.query("www.example.com")
    event = client.wait_event("dns_query_log", qname="www.example.com")

Closing a client that is still connected settles its account: what it got, and what it was told it missed, must be what
the server counted for it. So every test is a test of that, too.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import itertools
import json
import os
import socket
import struct
import threading
import time
import typing
import zlib

import websockets

from harness import TIME_FACTOR, HarnessError, wait_until

_loop = asyncio.new_event_loop()
threading.Thread(target=_loop.run_forever, daemon=True, name="clients").start()


def _run(coroutine, timeout: float = 15):
    return asyncio.run_coroutine_threadsafe(coroutine, _loop).result(timeout * TIME_FACTOR)


class Account:
    """What one connection has got: events, those told folded into the count of another, and by reason what gaps have
    told it that it missed."""

    def __init__(self):
        self.events = 0
        self.folded = 0
        self.told: collections.Counter[str] = collections.Counter()

    def take(self, message: dict):
        """Counts a message of the server, of whatever kind."""
        kind = message["type"]
        if kind == "batched_events":
            for event in message["events"]:
                self._take_event(event)
        elif kind == "gap":
            self.told[message["data"]["reason"]] += message["data"]["count"]
        elif is_event(message):
            self._take_event(message)

    def _take_event(self, event: dict):
        if event["type"].endswith("dns_query_batch"):
            self.folded += event["data"]["count"]
        else:
            self.events += 1

    def copy(self) -> Account:
        other = Account()
        other.events, other.folded, other.told = self.events, self.folded, self.told.copy()
        return other

    def check(self, statistics: dict):
        """Holds the account, as it was when `statistics` came, against the server's: every event that was meant for
        this client came, came folded, waits, or is counted as lost; and every loss was told, or is known to be untold.
        """
        server = statistics["data"]["connection"]
        dropped, untold = server["events_dropped"], server["events_untold"]
        faults = []
        if server["events_delivered"] != self.events:
            faults.append("delivered is not what came")
        if server["events_folded"] != self.folded:
            faults.append("folded is not what the counts of dns_query_batch add up to")
        if server["events_accepted"] != (server["events_delivered"] + server["events_folded"] + server["events_queued"]
                                         + dropped["queue_overflow"]):
            faults.append("accepted is not delivered + folded + queued + dropped by overflow")
        if server["events_emitted"] != (server["events_filtered"] + server["events_pending"]
                                        + server["events_accepted"] - server["events_repeated"]
                                        + dropped["sampled"] + dropped["rate_limit"]):
            faults.append("emitted is not filtered + pending + meant for this client")
        for reason, lost in dropped.items():
            if self.told[reason] + untold[reason] != lost:
                faults.append(f"{reason}: dropped is not what gaps told")
        if faults:
            raise HarnessError(f"the account is wrong: {'; '.join(faults)}\nthe client: {self.events} events, "
                               f"{self.folded} folded, told {dict(self.told)}\nthe server: {server}")


class Frame(typing.NamedTuple):
    """One message as it came: its type, its size on the wire and as text, and how many events it held."""

    kind: str
    wire_bytes: int
    plain_bytes: int
    compressed: bool
    events: int


def is_event(message: dict) -> bool:
    """An event by itself, in our own form or as a CloudEvent."""
    return "category" in message or "specversion" in message


class Client:
    """One connection. `events` holds every event in order, batches taken apart; `messages` everything else.

    token: None sends no Authorization header; by default it is the one in named's token file.
    account: False for a client that close() shall not ask for its account.
    tls: an ssl.SSLContext.
    source: the address that it connects from.
    """

    def __init__(self, named, *, token="file", path="/ws", subprotocol=None, headers=None, account=True, tls=None,
                 source=None):
        host, port = named.address
        self.events: list[dict] = []
        self.messages: list[dict] = []
        self.text: list[str] = []  # every frame as it came, or unpacked
        self.batches: list[dict] = []
        self.frames: list[Frame] = []
        self.closed = False
        self.close_code = None
        self._news = threading.Condition()
        self._ids = itertools.count(1)
        self._named = named
        self._wants_account = account
        self._admitted = False
        self._account = Account()
        self._account_at: dict[str, Account] = {}  # by the request for statistics
        headers = dict(headers or {})
        if token == "file":
            token = named.token
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        url = f"ws{'s' if tls else ''}://{host}:{port}{path}"
        self._socket = _run(self._connect(url, headers, subprotocol, tls, source))
        self._reader = asyncio.run_coroutine_threadsafe(self._read(), _loop)
        if token is not None and "Authorization" in headers:
            self.wait_message("connection_established", "error", or_closed=True)

    @staticmethod
    async def _connect(url, headers, subprotocol, tls, source):
        options = {"local_addr": (source, 0)} if source else {}
        return await websockets.connect(
            url, extra_headers=headers, subprotocols=[subprotocol] if subprotocol else None, compression=None,
            max_size=None, ping_interval=None, open_timeout=10 * TIME_FACTOR, ssl=tls, **options)

    async def _read(self):
        try:
            async for frame in self._socket:
                self._take(frame)
        except websockets.ConnectionClosed:
            pass
        finally:
            with self._news:
                self.close_code = self._socket.close_code
                self.closed = True
                self._news.notify_all()

    def _take(self, frame):
        text = zlib.decompress(frame).decode() if isinstance(frame, bytes) else frame
        message = json.loads(text)
        events = len(message["events"]) if message["type"] == "batched_events" else int(is_event(message))
        plain_bytes = len(text.encode())
        compressed = isinstance(frame, bytes)
        with self._news:
            self.text.append(text)
            self.frames.append(Frame(message["type"], len(frame) if compressed else plain_bytes, plain_bytes,
                                     compressed, events))
            self._account.take(message)
            if message["type"] == "batched_events":
                self.batches.append(message)
                self.events += message["events"]
            elif is_event(message):
                self.events.append(message)
            else:
                self.messages.append(message)
                self._admitted |= message["type"] == "connection_established"
                if message["type"] == "statistics" and "reply_to" in message:
                    self._account_at[message["reply_to"]] = self._account.copy()
            self._news.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(account=kind is None)  # a test that has failed already says why better

    def close(self, account: bool = True):
        try:
            if account and self._wants_account and self._admitted and not self.closed:
                self.check_account()
        finally:
            _run(self._socket.close())
            self._reader.result(15 * TIME_FACTOR)

    def check_account(self):
        """What the server says it delivered to this connection is what has come, and what it lost has been said.

        Says nothing when the server has no answer to give: it has had too many messages in this minute, or is closing.
        """
        limited = lambda: sum(m["type"] == "error" and m["data"]["code"] == "RATE_LIMITED" for m in list(self.messages))
        limited_before = limited()
        request_id = f"r{next(self._ids)}"
        try:
            self.send(json.dumps({"type": "get_statistics", "id": request_id}))
        except websockets.ConnectionClosed:
            return
        answer = lambda: next((m for m in self.messages if m.get("reply_to") == request_id), None)
        wait_until(lambda: answer() or self.closed or limited() > limited_before, "the answer to get_statistics", 15)
        statistics = answer()
        if statistics is None:
            ended = self._named.process is None or self._named.process.poll() is not None
            if self.closed and self.close_code == 1006 and not ended:
                raise HarnessError("the server dropped the connection when it was asked for statistics")
            return
        if statistics["type"] != "statistics":
            raise HarnessError(f"get_statistics: {statistics}")
        self._account_at[request_id].check(statistics)

    # ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, frame):
        """A text (str) or binary (bytes) frame as it is."""
        _run(self._socket.send(frame))

    def request(self, kind: str, data=None, timeout: float = 10) -> dict:
        """Sends a request and returns its answer, an error too."""
        request_id = f"r{next(self._ids)}"
        message = {"type": kind, "id": request_id}
        if data is not None:
            message["data"] = data
        self.send(json.dumps(message))
        return self._wait(lambda: next((m for m in self.messages if m.get("reply_to") == request_id), None),
                          f"the answer to {kind}", timeout)

    def subscribe(self, **data) -> dict:
        """subscribe(event_types=[…], categories=[…], filter="…"); nothing: every event."""
        answer = self.request("subscribe", data)
        if answer["type"] != "subscription_updated":
            raise HarnessError(f"subscribe {data}: {answer}")
        return answer

    def subscribe_from_start(self, **data) -> dict:
        """As subscribe(), and with it the events since the runtime started, as far as it remembers them."""
        epoch = self.wait_message("connection_established")["data"]["epoch"]
        return self.subscribe(since=f"{epoch}-0", **data)

    # ── Waiting ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _wait(self, find, what: str, timeout: float):
        end = time.monotonic() + timeout * TIME_FACTOR
        with self._news:
            while True:
                found = find()
                if found:
                    return found
                left = end - time.monotonic()
                if left <= 0 or self.closed:
                    state = f"closed with {self.close_code}" if self.closed else f"{timeout * TIME_FACTOR:g} s passed"
                    raise HarnessError(f"{state} while waiting for {what}; last events: {self.events[-5:]}; "
                                       f"last messages: {self.messages[-5:]}")
                self._news.wait(left)

    def wait_for(self, predicate, what: str = "an event", timeout: float = 10) -> dict:
        """The first event, past ones too, for which predicate(event) holds."""
        seen = 0  # each event is looked at once, however many come: a busy waiter would keep _read from reading

        def find():
            nonlocal seen
            while seen < len(self.events):
                event = self.events[seen]
                seen += 1
                if predicate(event):
                    return event
            return None

        return self._wait(find, what, timeout)

    def wait_event(self, kind: str, timeout: float = 10, where=None, **data) -> dict:
        """The first event of a type whose data has the given values (and for which where(event) holds)."""
        return self.wait_for(lambda event: matches(event, kind, data, where), f"{kind} {data}", timeout)

    def wait_events(self, count: int, kind: str, timeout: float = 10, where=None, **data) -> list[dict]:
        """Waits until there are at least so many; returns all there are."""
        return self._wait(lambda: len(found := self.of(kind, where, **data)) >= count and found,
                          f"{count} times {kind} {data}", timeout)

    def of(self, kind: str, where=None, **data) -> list[dict]:
        """The events of a type, so far."""
        return [event for event in list(self.events) if matches(event, kind, data, where)]

    def wait_message(self, *kinds: str, timeout: float = 10, or_closed: bool = False, where=None) -> dict | None:
        """The first message that is no event, of one of these types."""
        found = lambda: next((m for m in self.messages if m["type"] in kinds and (not where or where(m))), None)
        if or_closed:
            return self._wait(lambda: found() or (self.closed and {"type": "closed"}), " or ".join(kinds), timeout)
        return self._wait(found, " or ".join(kinds), timeout)

    def wait_closed(self, timeout: float = 10) -> int:
        """The close code."""
        wait_until(lambda: self.closed, "the connection to be closed", timeout)
        return self.close_code

    def take_events(self) -> list[dict]:
        """The events since the last call; forgets them, for programs that run long."""
        with self._news:
            taken = self.events
            self.events, self.text, self.batches, self.frames = [], [], [], []
            return taken

    def gaps(self) -> list[dict]:
        return [m["data"] for m in list(self.messages) if m["type"] == "gap"]

    def received(self) -> str:
        """Every byte that came."""
        return "\n".join(self.text)


def watching(named, ignored=(), **options) -> Client:
    """A client of a named whose zones the plugin has looked over once: from here on every change is an event.

    Waits for the zone_loaded of every zone but the ignored ones, past events too, and forgets them.
    """
    client = Client(named, **options)
    views = {"_default": named.zones} if named.views is None else {
        name: view.zones for name, view in named.views.items() if view.plugin}
    client.subscribe_from_start(name="start", event_types=["zone_loaded"])
    for view, zones in views.items():
        for name, zone in zones.items():
            if zone.type in ("primary", "secondary") and name not in ignored:
                client.wait_event("zone_loaded", zone=name, view=view)
    client.request("unsubscribe", {"name": "start"})
    client.take_events()
    return client


def reconfigured(named, witness: Client, **yaml):
    """Changes the plugin's configuration, top level keys at a time, and waits until it is in force. The witness
    subscribes to config_change."""
    before = len(witness.of("config_change"))
    named.yaml = {**named.yaml, **yaml}
    named.write_configuration()
    named.rndc("reconfig")
    witness.wait_events(before + 1, "config_change")


def matches(event: dict, kind: str, data: dict, where=None) -> bool:
    if event["type"] != kind or any(event["data"].get(key) != value for key, value in data.items()):
        return False
    return where is None or bool(where(event))


def admitted(named, **options) -> RawSocket:
    """A raw connection with the token of named's token file; its welcome is not read yet."""
    raw = RawSocket(named, **options)
    if raw.upgrade(headers={"Authorization": f"Bearer {named.token}"}) != 101:
        raise HarnessError("no upgrade")
    return raw


class RawSocket:
    """A TCP connection to the server that does only what the test says."""

    def __init__(self, named, receive_buffer: int | None = None, timeout: float = 10):
        self.host, self.port = named.address
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout * TIME_FACTOR)
        self.socket.connect((self.host, self.port))
        self.buffer = b""
        self._account = Account()
        self._ids = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def widen(self):
        """Gives a connection that was made with a small receive buffer a window of the usual size.

        Through a window that is smaller than the loopback's segments (64 KiB) the kernel sends by its persist timer
        alone, a few KiB every 200 ms, once it has come to that.
        """
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 65535)

    def send(self, data: bytes):
        self.socket.sendall(data)

    def http(self, path: str, headers: dict | None = None, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
        """One HTTP request; the status and the body."""
        lines = {"Host": f"{self.host}:{self.port}", **(headers or {})}
        if body:
            lines["Content-Length"] = str(len(body))
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
        self.send(head.encode() + body)
        status, answer_headers = self._head()
        length = int(answer_headers.get("content-length", "0"))
        return status, self._take(length)

    def upgrade(self, path: str = "/ws", headers: dict | None = None) -> int:
        """The WebSocket handshake; the status (101 when it worked)."""
        lines = {"Host": f"{self.host}:{self.port}", "Upgrade": "websocket", "Connection": "Upgrade",
                 "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Sec-WebSocket-Version": "13",
                 **(headers or {})}
        head = f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
        self.send(head.encode())
        return self._head()[0]

    def _head(self) -> tuple[int, dict]:
        while b"\r\n\r\n" not in self.buffer:
            self._receive()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        return int(lines[0].split()[1]), headers

    def _receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed by the server")
        self.buffer += data

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._receive()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def send_frame(self, payload: bytes, opcode: int = 1, fin: bool = True, masked: bool = True):
        """One WebSocket frame; 1 text, 2 binary, 8 close, 9 ping, 10 pong."""
        head = bytes([(0x80 if fin else 0) | opcode])
        mask_bit = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([mask_bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([mask_bit | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([mask_bit | 127]) + struct.pack(">Q", len(payload))
        self.send(head + (bytes(4) + payload if masked else payload))  # a mask of zeroes changes nothing

    def send_json(self, message: dict):
        self.send_frame(json.dumps(message).encode())

    def read_frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        return first & 0x0F, self._take(length)

    def read_json(self) -> dict:
        """The next text frame, past pings."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == 1:
                return json.loads(payload)
            if opcode == 8:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None
                raise ConnectionError(f"closed with {code}")

    def drain(self, see=None, most_rounds: int = 50) -> tuple[Account, dict]:
        """Reads what there is, until the server has nothing more to say, and shows each message to see(). The account
        of all that drain() has ever read, checked on the way, and the server's last statistics."""
        account = self._account
        self.widen()
        for _ in range(most_rounds):
            request_id = f"drain{next(self._ids)}"
            self.send_json({"type": "get_statistics", "id": request_id})
            while (message := self.read_json()).get("reply_to") != request_id:
                account.take(message)
                if see:
                    see(message)
            account.check(message)
            server = message["data"]["connection"]
            waiting = server["events_queued"] + server["events_pending"]
            if waiting == 0 and account.told.total() == sum(server["events_dropped"].values()):
                return account, message["data"]
        raise HarnessError(f"the server never came to an end: {message}, told {account.told}")

    def close_code(self) -> int | None:
        """Reads to the close frame, past everything else. None: the connection ended without one."""
        try:
            while True:
                opcode, payload = self.read_frame()
                if opcode == 8:
                    return struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None
        except (ConnectionError, OSError):
            return None

    def ended(self) -> bool:
        """Waits for the server to end the connection, reading all that was sent before."""
        self.widen()
        try:
            while True:
                self._receive()
                self.buffer = b""
        except socket.timeout:
            return False
        except (ConnectionError, OSError):
            return True


class Counter:
    """A client of every query, in large batches, that only counts: events, those folded, and those it is told it missed. A
    thread of its own reads; close() ends it."""

    BATCHES = {"batch": True, "max_batch_size": 1000, "batch_timeout_ms": 100}

    def __init__(self, named, compressed=False, fold=False):
        self.events = self.folded = self.missed = 0
        self._client = RawSocket(named, timeout=30)
        headers = {"Authorization": f"Bearer {named.token}"}
        if compressed:
            headers["Sec-WebSocket-Protocol"] = "bindcast.v1.deflate"
        self._client.upgrade(headers=headers)
        self._client.send_json({"type": "set_preferences", "data": {**self.BATCHES, "fold": fold}})
        self._client.send_json({"type": "subscribe", "id": "s", "data": {"event_types": ["dns_query_log"]}})
        while b'"reply_to":"s"' not in self._payload():
            pass
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _payload(self) -> bytes:
        opcode, payload = self._client.read_frame()
        return zlib.decompress(payload) if opcode == 2 else payload

    def _read(self):
        while not self._ended.is_set():
            try:
                payload = self._payload()
            except (OSError, EOFError):
                return
            if payload.startswith(b'{"type":"gap"'):
                self.missed += json.loads(payload)["data"]["count"]
                continue
            self.events += payload.count(b'"type":"dns_query_log"')
            if b'"type":"dns_query_batch"' in payload:
                message = json.loads(payload)
                events = message["events"] if message["type"] == "batched_events" else [message]
                self.folded += sum(e["data"]["count"] for e in events if e["type"] == "dns_query_batch")

    @property
    def told(self) -> int:
        return self.events + self.folded + self.missed

    def close(self):
        self._ended.set()
        self._client.__exit__(None, None, None)
        self._thread.join(5)
