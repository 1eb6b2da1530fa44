"""Views come and go by rndc reconfig under load, with the plugin's line and without it: every query is told of the view
that answered it, zones come and go with their views, and nothing is kept of a view that is gone.
"""

import os
import unittest

from client import Client, watching
from harness import Named, View, Zone, wait_until
from traffic import Asker, Load

ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(50)))}
NAMES = [f"n{i}.example.com" for i in range(50)]
STAYING, COMING, PRIVATE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
MARGIN_KIB = 32 * 1024  # views that come and go make named itself grow by 17 MiB in 50 rounds, without the plugin


def view(address: str, plugin: bool = True) -> View:
    return View(address, dict(ZONES), plugin=plugin)


class ViewsTest(unittest.TestCase):
    ROUNDS, SETTLED = 30, 10

    def test_a_view_comes_and_goes_under_load(self):
        staying, private = view(STAYING), view(PRIVATE, plugin=False)
        with Named(views={"staying": staying, "private": private}) as named, \
                watching(named, subprotocol="bindcast.v1.json") as client:
            client.subscribe(event_types=["dns_query_log", "zone_created", "zone_deleted", "bind_reload"])
            with Load(named, NAMES, seconds=600, rate=1000) as load, \
                    Asker(named, "n1.example.com", pause_s=0.02) as asker:
                for turn in range(self.ROUNDS):
                    self.reconfigure(named, {"staying": staying, "coming": view(COMING), "private": private})
                    client.wait_events(turn + 1, "zone_created", zone="example.com", view="coming")
                    named.query(f"turn{turn}.example.com", source=COMING)
                    client.wait_event("dns_query_log", qname=f"turn{turn}.example.com", view="coming")
                    named.query(f"private{turn}.example.com", source=PRIVATE)
                    self.reconfigure(named, {"staying": staying, "private": private})
                    client.wait_events(turn + 1, "zone_deleted", zone="example.com", view="coming")
                    if turn == self.SETTLED:
                        memory, descriptors, threads = named.memory_kib(), named.descriptors(), len(named.threads())
                load.interrupt()
                done = load.finish()
            asker.check()
            self.assertLess(done["lost"], done["sent"] / 1000 + 20)
            named.query("last.example.com")
            client.wait_event("dns_query_log", qname="last.example.com", timeout=30)
            self.assertEqual([], client.gaps())
            by_view = {name: len(client.of("dns_query_log", view=name)) for name in ("staying", "coming", "private")}
            self.assertEqual((self.ROUNDS, 0), (by_view["coming"], by_view["private"]))
            self.assertGreaterEqual(by_view["staying"], done["completed"] + asker.asked + 1)
            self.assertEqual([], client.of("dns_query_log", where=lambda e: e["data"]["qname"].startswith("private")))
            for kind in ("zone_created", "zone_deleted"):
                self.assertEqual(self.ROUNDS, len(client.of(kind)), kind)
            self.assertEqual(2 * self.ROUNDS, len(client.of("bind_reload", outcome="succeeded")))
            self.assertEqual([], client.of("bind_reload", outcome="failed"))
            self.assertLessEqual(named.descriptors(), descriptors + 2)
            self.assertLessEqual(len(named.threads()), threads)
            if "BINDCAST_PRELOAD" not in os.environ:  # a sanitizer keeps freed memory for a while
                self.assertLess(named.memory_kib(), memory + MARGIN_KIB)
            self.assertEqual(1, len(named.addresses()))

    def test_the_last_view_with_the_plugin_goes_and_comes_back(self):
        with Named(views={"staying": view(STAYING)}) as named:
            descriptors, threads = 0, 0
            with Asker(named, "n1.example.com", pause_s=0.02) as asker:
                for turn in range(3):
                    with Client(named) as client:
                        client.subscribe(event_types=["dns_query_log", "service_stopped"])
                        client.wait_event("dns_query_log", qname="n1.example.com", view="staying")
                        self.reconfigure(named, {"staying": view(STAYING, plugin=False)})
                        self.assertEqual(1001, client.wait_closed())
                        self.assertEqual(1, len(client.of("service_stopped")))
                    wait_until(lambda: "bindcast-loop" not in named.threads(), "its threads to end")
                    if turn == 0:
                        descriptors, threads = named.descriptors(), len(named.threads())
                    wait_until(lambda: named.descriptors() <= descriptors, "the descriptors to come back")
                    self.assertLessEqual(len(named.threads()), threads)
                    listeners = len(named.addresses())
                    self.reconfigure(named, {"staying": view(STAYING)})
                    wait_until(lambda: len(named.addresses()) > listeners, "the plugin to listen again")
                with Client(named) as client:
                    client.subscribe(event_types=["dns_query_log"])
                    client.wait_event("dns_query_log", qname="n1.example.com", view="staying")
            asker.check()

    @staticmethod
    def reconfigure(named, views: dict[str, View]):
        named.views = views
        named.write_configuration()
        named.rndc("reconfig")


if __name__ == "__main__":
    unittest.main(verbosity=2)
