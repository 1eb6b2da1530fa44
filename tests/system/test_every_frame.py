"""Every form of frame, decoded by a browser and by python3-wsproto, which share no code with the server or with Client.

All of them watch the same things at the same time; each must have understood exactly what Client understood.
"""

import json
import random
import socket
import threading
import unittest
import zlib
from pathlib import Path

import dns.name
import wsproto
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, RejectConnection, Request, TextMessage

from browser import Browser, PageHandler, Pages
from client import Client, watching
from harness import TIME_FACTOR, Named, Zone, wait_until
from traffic import Load

ZONES = {"example.com": Zone("www A 192.0.2.1")}
PAGE = Path(__file__).with_name("every_frame.html")

# By name: the subprotocol, 1 in how many queries, and whether events come in batches.
FORMS = {
    "plain": (None, 1, False),
    "json": ("bindcast.v1.json", 1, True),
    "deflate": ("bindcast.v1.deflate", 1, True),
    "cloudevents": ("cloudevents.json", 1, False),
    "sampled": (None, 3, False),
    "sampled_batches": ("bindcast.v1.json", 3, True),
    "sampled_cloudevents": ("cloudevents.json", 3, False),
}

# Batches that fill after everything has happened, so that one is longer than 64 KiB, compressed or not.
YAML = {"server": {"max_connections_per_user": 50},
        "batching": {"max_batch_size": 10000, "max_batch_bytes": "8MiB", "batch_timeout": "2s",
                     "max_batch_timeout": "2s", "adaptive_sizing": False},
        "queues": {"max_events": 20000, "max_bytes": "64MiB"}}
LONG_FORM = 65536  # a payload from here on has its length in 64 bits

NAME = 'Zäune ☃ 𝄞 "\\ \u0001\u2028</script>'
END = {"type": "zone_deleted", "text": "end.example"}
LABELS = (r"\"\"", r"\010\013\000", r"\255\254\128", "</script>", r"\092\092n", r"\195\188", "MiXeD", r"a\.b",
          r"\;\@\$")
ANSWERS = {"queries": "subscription_updated", "changes": "subscription_updated", "coffee": "UNKNOWN_TYPE",
           "bad": "SUBSCRIPTION_FAILED", "ping": "pong", "list": "subscription_info", "status": "status",
           "statistics": "statistics"}


def subscriptions(form: str) -> dict[str, dict]:
    """By the request's id. Of all subscriptions that are made only the driver's is an event to them."""
    return {"queries": {"name": "queries", "event_types": ["dns_query_log"], "sample": FORMS[form][1]},
            "changes": {"name": NAME, "event_types": ["zone_created", "zone_deleted", "subscription_created"],
                        "filter": 'type != "subscription_created" or name ~ "driver*"'}}


def requests(form: str, token: str) -> list[dict]:
    made = [{"type": "authenticate", "data": {"token": token}}]
    made += [{"type": "subscribe", "id": key, "data": data} for key, data in subscriptions(form).items()]
    made += [{"type": "make_coffee", "id": "coffee"},
             {"type": "subscribe", "id": "bad", "data": {"name": "bad", "filter": 'qname = "☃'}}]
    return made + [{"type": kind, "id": key} for key, kind in (
        ("ping", "ping"), ("list", "get_subscriptions"), ("status", "get_status"), ("statistics", "get_statistics"))]


class Understood:
    """What one of them understood of its connection; the page keeps the same."""

    def __init__(self):
        self.faults: list[str] = []
        self.answers: dict[str, str] = {}  # by the request's id: the answer's type, or the error's code
        self.listed: list[str] = []
        self.events: list[list[str]] = []  # id, type, and the text that tells it from others
        self.told: dict[str, int] = {}
        self.text = self.binary = self.batches = self.longest = 0

    def frame(self, kind: str, length: int, text: str):
        setattr(self, kind, getattr(self, kind) + 1)
        self.longest = max(self.longest, length)
        self.message(json.loads(text))

    def message(self, message: dict):
        data = message.get("data") or {}
        if message["type"] == "batched_events":
            self.batches += 1
            if message["batch_size"] != len(message["events"]):
                self.faults.append(f"batch_size {message['batch_size']}")
            for event in message["events"]:
                self.message(event)
        elif "category" in message or "specversion" in message:
            text = data.get("qname", data.get("zone", data.get("name")))
            self.events.append([message["id"], message["type"].removeprefix("bindcast."), text])
        elif message["type"] == "gap":
            for name, count in data["by_type"].items():
                self.told[name] = self.told.get(name, 0) + count
        elif message["type"] == "connection_established":
            self.answers["welcome"] = data["user"]
        else:
            self.answers[message["reply_to"]] = data.get("code", message["type"])
            if message["type"] == "subscription_info":
                self.listed = [entry["name"] for entry in data["subscriptions"]]

    def answered(self) -> bool:
        return bool(self.faults) or ANSWERS.keys() <= self.answers.keys()

    def complete(self, end: dict) -> bool:
        events = list(self.events)
        queries = sum(event[1] == "dns_query_log" for event in events)
        return bool(self.faults) or (queries + self.told.get("dns_query_log", 0) >= end["queries"]
                                     and any(event[1:] == [end["type"], end["text"]] for event in events))


class Wsproto(threading.Thread):
    """One connection by python3-wsproto over a plain socket."""

    def __init__(self, named, form: str):
        super().__init__(daemon=True)
        self.understood = Understood()
        self._subprotocol = FORMS[form][0]
        self._requests = requests(form, named.token)
        self._host = "{}:{}".format(*named.address)
        self._socket = socket.create_connection(named.address, timeout=60 * TIME_FACTOR)
        self._protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self._text, self._bytes = "", b""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self._socket.close()

    def run(self):
        try:
            self._send(Request(host=self._host, target="/ws",
                               subprotocols=[self._subprotocol] if self._subprotocol else []))
            while data := self._socket.recv(65536):
                self._protocol.receive_data(data)
                for event in self._protocol.events():
                    self._take(event)
        except Exception as fault:  # told by the test's thread
            self.understood.faults.append(repr(fault))

    def _send(self, event):
        self._socket.sendall(self._protocol.send(event))

    def _take(self, event):
        if isinstance(event, AcceptConnection):
            if event.subprotocol != self._subprotocol:
                self.understood.faults.append(f"subprotocol {event.subprotocol}")
            for request in self._requests:
                self._send(TextMessage(json.dumps(request)))
        elif isinstance(event, Ping):
            self._send(event.response())
        elif isinstance(event, (RejectConnection, CloseConnection)):
            self.understood.faults.append(repr(event))
        elif isinstance(event, TextMessage):
            self._text += event.data
            if event.message_finished:
                text, self._text = self._text, ""
                self.understood.frame("text", len(text.encode()), text)
        elif isinstance(event, BytesMessage):
            self._bytes += event.data
            if event.message_finished:
                packed, self._bytes = self._bytes, b""
                stream = zlib.decompressobj()
                text = stream.decompress(packed).decode()
                if not stream.eof or stream.unused_data:
                    self.understood.faults.append("a binary frame is not one whole zlib stream")
                self.understood.frame("binary", len(packed), text)


class PageServer(Pages):
    """Serves the page and its plan, holds it back until everything has happened, and takes its result."""

    def __init__(self):
        self.plan: dict = {}
        self.end: dict | None = None
        self.ready, self.happened = threading.Event(), threading.Event()
        super().__init__(Handler)


class Handler(PageHandler):
    def do_GET(self):
        if self.path == "/":
            self.answer("text/html; charset=utf-8", PAGE.read_bytes())
        elif self.path == "/plan":
            self.answer("application/json", json.dumps(self.server.plan).encode())
        else:
            self.send_error(404)

    def do_POST(self):
        data = json.loads(self.body())
        if self.path == "/ready":
            self.server.ready.set()
            self.server.happened.wait(120 * TIME_FACTOR)
            self.answer("application/json", json.dumps(self.server.end).encode())
        else:
            self.server.result = data
            self.answer("application/json", b"{}")


class EveryFrameTest(unittest.TestCase):
    def test_a_browser_and_wsproto_understand_what_client_understands(self):
        page = self.enterContext(PageServer())
        yaml = {**YAML, "server": {**YAML["server"], "allowed_origins": [page.origin]}}
        named = self.enterContext(Named(ZONES, yaml=yaml))
        driver = self.enterContext(watching(named))
        references = {form: self.enterContext(Client(named, subprotocol=FORMS[form][0])) for form in FORMS}
        for form, client in references.items():
            for data in subscriptions(form).values():
                client.subscribe(**data)
        others = {form: self.enterContext(Wsproto(named, form)) for form in FORMS}
        host, port = named.address
        page.plan = {"url": f"ws://{host}:{port}/ws", "patience_ms": 30_000 * TIME_FACTOR, "answers": list(ANSWERS),
                     "forms": [{"name": form, "subprotocol": FORMS[form][0]} for form in FORMS],
                     "requests": {form: requests(form, named.token) for form in FORMS}}
        browser = self.enterContext(Browser(f"{page.origin}/"))
        wait_until(lambda: all(other.understood.answered() for other in others.values()), "wsproto's answers", 30)
        browser.wait(lambda: page.ready.is_set() or page.result, "the page to be ready")

        page.end = {**END, "queries": self.happen(named, driver)}
        page.happened.set()
        for form, client in references.items():
            wait_until(lambda: self.of_client(client).complete(page.end), f"Client to get all of {form}", 30)
        for form, other in others.items():
            wait_until(lambda: other.understood.complete(page.end), f"wsproto to get all of {form}", 30)
        browser.wait(lambda: page.result, "the page's result")
        self.assertEqual(FORMS.keys(), page.result.keys(), page.result)
        for form, client in references.items():
            expected = self.of_client(client)
            for who, result in (("chromium", page.result[form]), ("wsproto", vars(others[form].understood))):
                with self.subTest(form=form, who=who):
                    self.check(form, result, expected, page.end)

    def happen(self, named, driver) -> int:
        """Lets every kind of event happen; returns the number of queries."""
        random_names = random.Random(1)
        label = lambda: "".join(random_names.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=60))
        names = [f"{label()}.{label()}.{label()}.example.com" for _ in range(900)]
        driver.subscribe(name=f"driver {NAME}", event_types=["zone_created", "zone_deleted"])
        with Load(named, names, count=len(names)) as load:
            done = load.finish()
        self.assertEqual(len(names), done["completed"], done)
        for odd in LABELS:
            named.query(f"{odd}.example.com")
        for zone in ("first.example", END["text"]):
            named.rndc("addzone", zone, '{ type primary; file "example.com.db"; };')
            driver.wait_event("zone_created", zone=zone)
            named.rndc("delzone", zone)
            driver.wait_event("zone_deleted", zone=zone)
        return len(names) + len(LABELS)

    @staticmethod
    def of_client(client: Client) -> Understood:
        understood = Understood()
        for message in client.events + client.messages:
            understood.message(message)
        return understood

    def check(self, form: str, result: dict, expected: Understood, end: dict):
        subprotocol, sample, batches = FORMS[form]
        self.assertEqual([], result["faults"])
        self.assertEqual(expected.events, result["events"])
        self.assertEqual(expected.told, result["told"])
        self.assertEqual({**ANSWERS, "welcome": result["answers"].get("welcome")}, result["answers"])
        self.assertTrue(result["answers"]["welcome"])
        self.assertEqual({"queries", NAME}, set(result["listed"]))

        events = result["events"]
        queries = [event for event in events if event[1] == "dns_query_log"]
        lost = result["told"].get("dns_query_log", 0)
        self.assertEqual(end["queries"], len(queries) + lost)
        self.assertEqual(end["queries"] - -(-end["queries"] // sample), lost)
        self.assertEqual(["first.example", "first.example", "end.example", "end.example"],
                         [event[2] for event in events if event[1].startswith("zone_")])
        self.assertEqual([f"driver {NAME}"], [event[2] for event in events if event[1] == "subscription_created"])
        self.assertEqual(batches, result["batches"] > 0)
        self.assertEqual(subprotocol == "bindcast.v1.deflate", result["binary"] > 0)
        if sample == 1:
            odd_names = {dns.name.from_text(f"{odd}.example.com").to_text(omit_final_dot=True) for odd in LABELS}
            self.assertEqual(set(), odd_names - {event[2] for event in queries})
            if batches:
                self.assertGreaterEqual(result["longest"], LONG_FORM, "no frame was long enough for a 64-bit length")


if __name__ == "__main__":
    unittest.main(verbosity=2)
