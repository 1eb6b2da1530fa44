"""Two hundred reloads under query load: nobody is disconnected, nothing leaks, no zone seems to come or go."""

import unittest

from client import Client, watching
from harness import Named, Zone
from traffic import Load

RELOADS = 200
SETTLED = 50  # reloads after which memory and descriptors should stay
ZONES = {f"z{i}.example": Zone("www A 192.0.2.1") for i in range(20)}
NAMES = [f"www.z{i}.example" for i in range(20)] + [f"no{i}.z1.example" for i in range(50)]
MARGIN_KIB = 16 * 1024


class ReloadStormTest(unittest.TestCase):
    def test_reloads_under_load(self):
        with Named(ZONES) as named, Client(named, subprotocol="bindcast.v1.json") as queries, watching(named) as zones:
            queries.subscribe(event_types=["dns_query_log"])
            zones.subscribe(event_types=["zone_created", "zone_deleted", "zone_loaded", "zone_updated", "bind_reload"])
            with Load(named, NAMES, seconds=600, rate=2000) as load:
                for i in range(RELOADS):
                    named.rndc("reload" if i % 2 else "reconfig")
                    if i == SETTLED:
                        queries.events.clear()
                        memory, descriptors, threads = named.memory_kib(), named.descriptors(), len(named.threads())
                load.interrupt()
                done = load.finish()
            self.assertLess(done["lost"], done["sent"] / 1000 + 20)
            zones.wait_for(lambda _: len(zones.of("bind_reload", outcome="succeeded")) >= RELOADS, "every reload", 30)
            named.query("last.z1.example")
            queries.wait_event("dns_query_log", qname="last.z1.example", timeout=30)
            self.assertEqual({"bind_reload"}, {event["type"] for event in zones.events})
            self.assertEqual([], zones.of("bind_reload", outcome="failed"))
            self.assertLessEqual(named.descriptors(), descriptors + 4)
            self.assertLessEqual(len(named.threads()), threads + 1)
            self.assertLess(named.memory_kib(), memory + MARGIN_KIB)
            self.assertEqual([], zones.gaps())
            self.assertEqual(1, len(named.addresses()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
