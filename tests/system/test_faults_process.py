"""What befalls the process: killed and started again, out of descriptors, its port taken, stopped in the middle of
everything. DNS is answered as if nothing were, and clients are told what they missed.
"""

import contextlib
import random
import resource
import signal
import socket
import threading
import time
import unittest
from pathlib import Path

from client import Client, RawSocket, admitted, reconfigured, watching
from harness import TIME_FACTOR, HarnessError, Named, Zone, free_port, wait_until
from traffic import Asker, Load

RECORDS = "\n".join(f"n{i} A 192.0.2.1" for i in range(50))
ZONES = {"example.com": Zone(RECORDS)}
NAMES = [f"n{i}.example.com" for i in range(50)]
FORMATS = [None, "bindcast.v1.json", "bindcast.v1.deflate", "cloudevents.json"]


def offset_of(event_id: str) -> int:
    return int(event_id.rsplit("-", 1)[1])


class KilledTest(unittest.TestCase):
    """Clients that come back with the id of the last event that they had."""

    def noted_offset(self, named) -> int:
        return int((named.folder / "bindcast.state").read_text().split()[2])

    def come_back(self, named, since: str) -> Client:
        client = Client(named)
        client.subscribe(since=since, categories=["system"], event_types=["dns_query_log"])
        client.wait_event("service_started")
        return client

    def test_what_was_missed_is_told(self):
        with Named(ZONES) as named:
            with Client(named, account=False) as client:
                client.subscribe(event_types=["dns_query_log"])
                for name in NAMES[:10]:
                    named.query(name)
                events = client.wait_events(10, "dns_query_log")
                last = offset_of(events[-1]["id"])
                wait_until(lambda: self.noted_offset(named) >= last, "the stream's offset to be noted")
                noted = self.noted_offset(named)
                named.kill()
                self.assertEqual(1006, client.wait_closed())
            named.start()
            for event, missed in ((events[3], noted - offset_of(events[3]["id"])), (events[-1], noted - last)):
                with self.come_back(named, event["id"]) as client:
                    (gap,) = client.gaps()
                    # Of the last second of a process that was killed nothing may be known: it is never none.
                    self.assertEqual(("restart", max(missed, 1)), (gap["reason"], gap["count"]))
                    client.wait_event("service_restarted")
                    self.assertEqual(1, len(client.of("service_restarted")))
                    named.query("n1.example.com")
                    client.wait_event("dns_query_log", qname="n1.example.com")
            # And of a process before the last one.
            named.kill()
            named.start()
            with self.come_back(named, events[-1]["id"]) as client:
                self.assertEqual(["restart"], [gap["reason"] for gap in client.gaps()])

    def test_after_an_orderly_stop_it_is_exact(self):
        with Named(ZONES, yaml={"journal": {"enabled": False}}) as named:
            with Client(named) as client:
                client.subscribe(event_types=["dns_query_log", "service_stopped"])
                named.query("n1.example.com")
                named.query("n2.example.com")
                first = client.wait_events(2, "dns_query_log")[0]["id"]
                named.stop()
                client.wait_closed()
                stopped = client.of("service_stopped")[0]["id"]
            named.start()
            with self.come_back(named, stopped) as client:
                self.assertEqual([], client.gaps())
                self.assertEqual([], client.of("service_restarted"))
            with self.come_back(named, first) as client:
                (gap,) = client.gaps()
                self.assertEqual(("restart", offset_of(stopped) - offset_of(first)), (gap["reason"], gap["count"]))

    def test_an_id_that_never_was(self):
        with Named(ZONES) as named, Client(named) as client:
            for since in ("ffffffffffffff-1", "nonsense-1", "1-", "-1", "1", "1-x"):
                self.assertEqual("error", client.request("subscribe", {"since": since})["type"], since)


@contextlib.contextmanager
def descriptors_limited(named, most: int):
    """named may have descriptors below that number only."""
    before = resource.prlimit(named.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(named.process.pid, resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(named.process.pid, resource.RLIMIT_NOFILE, before)


def cpu_seconds(named) -> float:
    """What the plugin's loop has used."""
    for task in Path(f"/proc/{named.process.pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "bindcast-loop":
            fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / 100
    raise HarnessError("no loop")


class DescriptorsTest(unittest.TestCase):
    YAML = {"server": {"max_connections": 1000, "max_connections_per_user": 1000}}

    def test_clients_do_not_take_what_named_needs(self):
        with Named(ZONES, yaml=self.YAML) as named, watching(named) as witness:
            witness.subscribe(event_types=["dns_query_log"])
            limit = 2 * named.descriptors()
            with descriptors_limited(named, limit), Asker(named, "n1.example.com", pause_s=0.02) as asker, \
                    contextlib.ExitStack() as stack:
                for _ in range(limit):
                    stack.enter_context(RawSocket(named))
                refused = lambda: witness.request("get_status")["data"]["connections_turned_away"]
                wait_until(lambda: refused() > 0, "connections to be refused")
                wait_until(lambda: named.descriptors() <= limit * 3 // 4 + 1, "no more than their share to be taken")
                for i in range(20):
                    named.query(f"n{i}.example.com", tcp=True)
                witness.wait_event("dns_query_log", qname="n19.example.com")
                named.wait_log("connections were turned away")
                self.assertEqual(1, named.log().count("connections were turned away"), named.log())
                asker.check()
            wait_until(lambda: witness.request("get_status")["data"]["connections"] == 1, "the clients to be gone")
            with Client(named) as client:
                client.request("ping")

    def test_none_left(self):
        with Named(ZONES, yaml=self.YAML) as named, watching(named) as witness:
            witness.subscribe(event_types=["dns_query_log"])
            with descriptors_limited(named, 5), Asker(named, "n1.example.com", pause_s=0.02) as asker:
                waiting = RawSocket(named)
                named.wait_log("there are no descriptors for new connections")
                used = cpu_seconds(named)
                ends = time.monotonic() + 3
                wait_until(lambda: time.monotonic() > ends, "some seconds to pass")
                self.assertLess(cpu_seconds(named) - used, 0.5 * TIME_FACTOR)
                self.assertEqual(1, named.log().count("there are no descriptors"), named.log())
                seen = len(witness.of("dns_query_log"))
                witness.wait_events(seen + 10, "dns_query_log")
                asker.check()
            with waiting:  # in the backlog until now
                self.assertEqual(200, waiting.http("/healthz", {})[0])
            with Client(named) as client:
                client.request("ping")


class ListenerTest(unittest.TestCase):
    def test_a_port_that_is_taken_at_a_reload(self):
        with Named(ZONES, yaml={"server": {"listen": f"127.0.0.1:{free_port()}"}}) as named, Client(named) as witness, \
                socket.socket() as taken:
            witness.subscribe(event_types=["config_change", "dns_query_log"])
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with Asker(named, "n1.example.com", pause_s=0.02) as asker:
                reconfigured(named, witness, server={"listen": f"127.0.0.1:{port}"})
                failing = lambda: witness.request("get_status")["data"]["listeners_failing"]
                self.assertEqual([{"address": f"127.0.0.1:{port}", "fault": "address in use"}],
                                 wait_until(failing, "the listener to fail"))
                ends = time.monotonic() + 6  # it is tried again once
                wait_until(lambda: time.monotonic() > ends, "some seconds to pass")
                self.assertEqual(1, named.log().count("cannot listen on"), named.log())
                witness.wait_event("dns_query_log", qname="n1.example.com")
                taken.close()
                wait_until(lambda: named.addresses()[-1] == f"127.0.0.1:{port}", "it to listen")
                asker.check()
            self.assertEqual([], failing())
            with Client(named) as client:
                client.request("ping")


class Silent:
    """A receiver of webhooks that never answers."""

    def __enter__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        return self

    def __exit__(self, *_):
        self.socket.close()


def aborted_by_itself(named) -> bool:
    """BIND 9.18.49 counts a reference too many when a stop makes a reload under way fail, with no plugin too: it aborted
    in 3 of 40 such stops, with the plugin in 3 of 40."""
    log = named.run_log()
    return (named.process.returncode == -signal.SIGABRT and "configuration failed: shutting down" in log
            and log.rstrip().endswith("INSIST(_refs == 1) failed"))


class StopTest(unittest.TestCase):
    """SIGTERM at a moment of chance, in the middle of everything."""

    BOUND_S = 5 * TIME_FACTOR
    MOST_TRIES = 4  # of one moment; what is ours would happen each time

    def big_zone(self, named, serial: int):
        named.write_zone("big.example", "\n".join(f"r{i} A 192.0.2.{serial}" for i in range(20_000)), serial)

    def changes(self, named, updates: bool, ended: threading.Event):
        """Not both updates and load: named by itself may spin at its end then."""
        serial = 2
        with contextlib.suppress(Exception):  # until it is gone
            while not ended.is_set():
                if updates:
                    named.update("updated.example", lambda u, s=serial: [u.add(f"u{s}-{i}", 60, "A", "192.0.2.9")
                                                                         for i in range(100)])
                else:
                    self.big_zone(named, serial % 250)
                    named.rndc("reload", "big.example", check=False)
                    named.rndc("addzone", f"z{serial}.example", '{ type primary; file "example.com.db"; };',
                               check=False)
                    named.rndc("reconfig", check=False)
                serial += 1

    def stop_at(self, moment_s: float, updates: bool) -> bool:
        """False when named aborted by itself."""
        zones = {**ZONES, "big.example": Zone(), "updated.example": Zone(options="allow-update { key update-key; };")}
        with Silent() as hook, contextlib.ExitStack() as stack:
            yaml = {"escalation": [{"after": "0s", "webhook": {"url": hook.url}}],
                    "events": {"zones": {"sweep": "50ms"},
                               "types": {"zone_created": {"priority": "critical"}}}}
            named = stack.enter_context(Named(zones, yaml=yaml))
            clients = [stack.enter_context(Client(named, subprotocol=form, account=False)) for form in FORMATS]
            for client in clients:
                client.subscribe()
            stalled = stack.enter_context(admitted(named, receive_buffer=4096))
            stalled.send_json({"type": "subscribe"})
            half = stack.enter_context(RawSocket(named))
            half.send(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgr")
            if not updates:
                stack.enter_context(Load(named, NAMES, seconds=60, rate=int(3000 / TIME_FACTOR)))
            ended = threading.Event()
            worker = threading.Thread(target=self.changes, args=(named, updates, ended), daemon=True)
            worker.start()
            stops_at = time.monotonic() + moment_s
            wait_until(lambda: time.monotonic() > stops_at, "the moment")
            before = time.monotonic()
            named.process.send_signal(signal.SIGTERM)
            named.wait_for_end()
            took = time.monotonic() - before
            ended.set()
            worker.join(30 * TIME_FACTOR)
            self.assertLess(took, self.BOUND_S)
            if aborted_by_itself(named):
                named.process = None  # there is no end to be looked at
                return False
            named.check_end()
            self.assertEqual([1001] * len(clients), [client.wait_closed() for client in clients])
            return True

    def test_in_the_middle_of_everything(self):
        chance = random.Random(11)
        for i in range(6):
            with self.subTest(i=i):
                moment_s = chance.uniform(0.05, 1.2)
                self.assertTrue(any(self.stop_at(moment_s, updates=i % 2 == 1) for _ in range(self.MOST_TRIES)))

    def test_rndc_too(self):
        for command in ("stop", "halt"):
            with Named(ZONES) as named, contextlib.ExitStack() as stack:
                clients = [stack.enter_context(Client(named, subprotocol=form)) for form in FORMATS]
                for client in clients:
                    client.subscribe()
                stack.enter_context(Load(named, NAMES, seconds=60, rate=int(3000 / TIME_FACTOR)))
                clients[0].wait_events(100, "dns_query_log")
                before = time.monotonic()
                named.stop(command)
                self.assertLess(time.monotonic() - before, self.BOUND_S)
                self.assertEqual([1001] * len(clients), [client.wait_closed() for client in clients])


if __name__ == "__main__":
    unittest.main(verbosity=2)
