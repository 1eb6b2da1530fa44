"""A client that stops reading: bounded memory, nobody else waits, and when it reads again it is told what it missed."""

import os
import time
import unittest

from client import Account, RawSocket, watching
from harness import Named, Zone
from traffic import Load

QUERIES = 60_000
ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(200)))}
NAMES = [f"n{i}.example.com" for i in range(200)]


class StalledTest(unittest.TestCase):
    def test_every_query_is_delivered_or_counted_as_lost(self):
        with Named(ZONES) as named, RawSocket(named, receive_buffer=4096, timeout=30) as stalled:
            self.assertEqual(101, stalled.upgrade(headers={"Authorization": f"Bearer {named.token}"}))
            self.assertEqual("connection_established", stalled.read_json()["type"])
            stalled.send_json({"type": "subscribe", "id": "s", "data": {"event_types": ["dns_query_log"]}})
            self.assertEqual("subscription_updated", stalled.read_json()["type"])
            before = named.memory_kib()
            with watching(named) as other:
                other.subscribe(event_types=["zone_created"])
                with Load(named, NAMES, count=QUERIES) as load:
                    named.rndc("addzone", "meanwhile.example", '{ type primary; file "example.com.db"; };')
                    start = time.monotonic()
                    other.wait_event("zone_created", zone="meanwhile.example")
                    self.assertLess(time.monotonic() - start, 5)
                    done = load.finish()
                self.assertEqual("pong", other.request("ping")["type"])
            self.assertEqual(0, done["lost"])
            if "BINDCAST_PRELOAD" not in os.environ:  # a sanitizer keeps freed memory for a while
                self.assertLess(named.memory_kib() - before, 64 * 1024, "a stalled client costs more than its queue")

            # It reads again. A gap is told no later than with the next event, so a query more may be needed.
            asked = done["completed"]
            account = Account()
            accounted = lambda: account.events + account.folded + account.told.total()
            last = time.monotonic()
            stalled.widen()
            stalled.socket.settimeout(1)
            while accounted() < asked and time.monotonic() - last < 20:
                try:
                    account.take(stalled.read_json())
                except TimeoutError:
                    named.query("n0.example.com")
                    asked += 1
                    continue
                last = time.monotonic()
            self.assertEqual(asked, accounted(), vars(account))
            self.assertGreater(account.told["queue_overflow"], 0, "the queue was never full: the test asks too little")
            self.assertGreater(account.events, 0)
            self.assertGreater(account.folded, 0)

    def test_important_events_survive_the_flood(self):
        """drop_lowest: the queries go, the deleted zone stays."""
        with Named(ZONES) as named, RawSocket(named, receive_buffer=4096, timeout=30) as stalled:
            self.assertEqual(101, stalled.upgrade(headers={"Authorization": f"Bearer {named.token}"}))
            stalled.read_json()
            stalled.send_json({"type": "subscribe", "data": {"event_types": ["dns_query_log", "zone_deleted"]}})
            self.assertEqual("subscription_updated", stalled.read_json()["type"])
            with watching(named) as witness:
                witness.subscribe(event_types=["zone_created", "zone_deleted"])
                named.rndc("addzone", "short.example", '{ type primary; file "example.com.db"; };')
                witness.wait_event("zone_created", zone="short.example")
                with Load(named, NAMES, count=QUERIES) as load:
                    named.rndc("delzone", "short.example")
                    witness.wait_event("zone_deleted", zone="short.example")
                    load.finish()
            stalled.widen()
            stalled.socket.settimeout(5)
            found = False
            while not found:
                message = stalled.read_json()
                found = message["type"] == "zone_deleted" and message["data"]["zone"] == "short.example"


class DisconnectTest(unittest.TestCase):
    def test_the_policy_disconnect_closes_a_stalled_client(self):
        yaml = {"queues": {"overflow": "disconnect", "max_events": 100}}
        with Named(ZONES, yaml=yaml) as named, RawSocket(named, receive_buffer=4096, timeout=30) as stalled:
            self.assertEqual(101, stalled.upgrade(headers={"Authorization": f"Bearer {named.token}"}))
            stalled.read_json()
            stalled.send_json({"type": "subscribe", "data": {"event_types": ["dns_query_log"]}})
            self.assertEqual("subscription_updated", stalled.read_json()["type"])
            with Load(named, NAMES, count=QUERIES) as load:
                load.finish()
            self.assertTrue(stalled.ended())


if __name__ == "__main__":
    unittest.main(verbosity=2)
