"""A thousand reloads under query load: nobody is disconnected, nothing leaks, no zone seems to come or go.

BINDCAST_RELOADS=n does n of them instead.
"""

import os
import unittest

from client import Client, watching
from harness import Named, Zone
from traffic import Asker, Load

RELOADS = int(os.environ.get("BINDCAST_RELOADS", "1000"))
SETTLED = RELOADS // 10  # reloads after which memory, descriptors and threads should stay
ZONES = {f"z{i}.example": Zone("www A 192.0.2.1") for i in range(20)}
NAMES = [f"www.z{i}.example" for i in range(20)] + [f"no{i}.z1.example" for i in range(50)]
MARGIN_KIB = 16 * 1024


class ReloadStormTest(unittest.TestCase):
    def test_reloads_under_load(self):
        with Named(ZONES) as named, watching(named) as zones, \
                Client(named, subprotocol="bindcast.v1.json") as queries, \
                Client(named, subprotocol="bindcast.v1.deflate") as packed:
            for client in (queries, packed):
                client.subscribe(event_types=["dns_query_log"])
            zones.subscribe(event_types=["zone_created", "zone_deleted", "zone_loaded", "zone_updated", "bind_reload"])
            received = {queries: 0, packed: 0}
            with Load(named, NAMES, seconds=600, rate=1000) as load, \
                    Asker(named, "www.z1.example", pause_s=0.02) as asker:
                for i in range(RELOADS):
                    named.rndc("reload" if i % 2 else "reconfig")
                    if i == SETTLED:
                        memory, descriptors, threads = named.memory_kib(), named.descriptors(), len(named.threads())
                    if i % 50 == 0:  # what came is counted, not kept
                        for client in received:
                            received[client] += sum(event["type"] == "dns_query_log" for event in client.take_events())
                load.interrupt()
                done = load.finish()
            self.assertLess(done["lost"], done["sent"] / 1000 + 20)
            asker.check()

            zones.wait_for(lambda _: len(zones.of("bind_reload", outcome="succeeded")) >= RELOADS, "every reload", 30)
            named.query("last.z1.example")
            for client in received:
                client.wait_event("dns_query_log", qname="last.z1.example", timeout=30)
                received[client] += len(client.of("dns_query_log"))
                self.assertEqual([], client.gaps())
                # named has answered those that dnsperf gave up at its end, or no longer waited for.
                self.assertGreaterEqual(received[client], done["completed"] + asker.asked)
                self.assertLessEqual(received[client], done["sent"] + asker.asked + 10)
            self.assertEqual({"bind_reload"}, {event["type"] for event in zones.events})
            # One has begun and one has ended for each, and no more than that.
            for outcome, count in (("started", RELOADS), ("succeeded", RELOADS), ("failed", 0)):
                self.assertEqual(count, len(zones.of("bind_reload", outcome=outcome)), outcome)
            self.assertLessEqual(named.descriptors(), descriptors + 4)
            self.assertLessEqual(len(named.threads()), threads + 1)
            self.assertLess(named.memory_kib(), memory + MARGIN_KIB)
            self.assertEqual([], zones.gaps())
            self.assertEqual(1, len(named.addresses()))
            for client in (queries, packed, zones):
                self.assertFalse(client.closed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
