"""named's own counters as events and metrics: what a test asks is what they grow by, exactly; views are told apart; a reload
neither loses nor doubles; switched off, there is nothing.
"""

import socket
import subprocess
import time
import unittest
from collections import Counter

import dns.message
from prometheus_client.openmetrics import parser as openmetrics

from client import RawSocket, reconfigured, watching
from harness import TIME_FACTOR, Named, View, Zone, wait_until
from traffic import Forwarder

INSIDE, OUTSIDE = "127.0.0.1", "127.0.0.2"
YAML = {"sources": {"named": {"interval": "1s"}}}
TYPES = ["bind_status_update", "dns_query_stats", "bind_reload", "config_change"]
ZONES = {"example.com": Zone("www A 192.0.2.1"),
         "closed.example": Zone("www A 192.0.2.1", options="allow-query { none; };")}


def scrape(named) -> dict[str, list]:
    """The samples of each family about named, of a text that promtool finds no fault with."""
    with RawSocket(named) as raw:
        _, plain = raw.http("/metrics", {"Authorization": f"Bearer {named.token}"})
    told = subprocess.run(["promtool", "check", "metrics"], input=plain, capture_output=True, check=False,
                          timeout=30 * TIME_FACTOR)
    assert (told.returncode, told.stdout + told.stderr) == (0, b""), told
    with RawSocket(named) as raw:
        _, body = raw.http("/metrics", {"Authorization": f"Bearer {named.token}",
                                        "Accept": "application/openmetrics-text; version=1.0.0"})
    return {family.name: family.samples for family in openmetrics.text_string_to_metric_families(body.decode())
            if family.name.startswith("bindcast_named")}


def member(event: dict, *path: str) -> Counter:
    """The object at that path of an event's data; of an array of views, the path has the view's name."""
    data = event["data"]
    for name in path:
        data = next((v for v in data if v["view"] == name), {}) if isinstance(data, list) else data.get(name, {})
    return Counter(data)


class Watch:
    """What named counted since this was made, by both kinds of events."""

    def __init__(self, client):
        self.client = client
        self.base = self.next_status()

    def next_status(self, where=lambda event: True) -> dict:
        """A status that was read after now, and fits."""
        known = len(self.client.of("bind_status_update"))

        def find():
            return next((e for e in self.client.of("bind_status_update")[known:] if where(e)), None)
        return wait_until(find, "a status")

    def until(self, number: int) -> dict:
        """The status that has so many queries more."""
        return self.next_status(lambda event: self.grown(event, "by_type").total() >= number)

    def grown(self, until: dict, *path: str) -> Counter:
        return member(until, *path) - member(self.base, *path)

    def told(self, until: dict, *path: str) -> Counter:
        """The sum of the dns_query_stats, each of the same time as the status of its reading."""
        self.client.wait_event("dns_query_stats", where=lambda e: e["id"] > until["id"])
        stats = [e for e in self.client.of("dns_query_stats")
                 if self.base["timestamp"] < e["timestamp"] <= until["timestamp"]]
        return sum((member(event, *path) for event in stats), Counter())


class NamedStateTest(unittest.TestCase):
    maxDiff = None

    def check(self, expected: dict, watch: Watch, until: dict, *path: str):
        self.assertEqual(expected, dict(watch.grown(until, *path)), path)
        self.assertEqual(expected, dict(watch.told(until, *path)), path)

    def check_same(self, watch: Watch, until: dict, *path: str):
        self.assertEqual(watch.grown(until, *path), watch.told(until, *path), path)

    def test_what_is_asked_is_counted(self):
        with Forwarder() as forwarder, \
                Named(ZONES, yaml=YAML, forwarder_port=forwarder.port, options="recursive-clients 77;") as named, \
                watching(named) as client:
            client.subscribe(event_types=TYPES)
            watch = Watch(client)
            for _ in range(3):
                named.query("www.example.com")
            for _ in range(2):
                named.query("www.example.com", "TXT")
            for i in range(4):
                named.query(f"no{i}.example.com", tcp=i == 0)
            named.query("www.closed.example", flags=0)
            for _ in range(2):
                named.query("one.test")
            named.query("two.test", "AAAA")
            named.query("fail.test")
            until = watch.until(14)

            self.check({"NOERROR": 8, "NXDOMAIN": 4, "REFUSED": 1, "SERVFAIL": 1}, watch, until, "by_rcode")
            self.check({"A": 11, "TXT": 2, "AAAA": 1}, watch, until, "by_type")
            self.check({"udp": 13, "tcp": 1}, watch, until, "by_transport")
            self.check({"QUERY": 14}, watch, until, "by_opcode")
            counters = watch.grown(until, "counters")
            self.assertEqual((3, 4), (counters["recursion"], counters["nxdomain"]))
            self.check_same(watch, until, "counters")
            for path in (("cache",), ("views", "_default", "cache")):
                cache = watch.grown(until, *path)
                self.assertEqual((1, 3), (cache["query_hits"], cache["query_misses"]), path)
                self.check_same(watch, until, *path)
            self.assertEqual(1, watch.grown(until, "views", "_default", "resolver_by_type")["AAAA"])
            self.check_what_it_says(named, client, until["data"])
            self.check_limits(named, forwarder, watch)
            self.check_metrics(named, until["data"])
            self.check_reload(named, client)
            self.check_switched_off(named, client)

    def check_what_it_says(self, named, client, data):
        self.assertEqual(32 * 1024 * 1024, data["cache_memory_bytes"]["limit"])
        self.assertGreater(data["cache_memory_bytes"]["used"], 0)
        self.assertGreater(data["cache_nodes"], 0)
        status = named.rndc("status")
        self.assertIn(f"number of zones: {data['zones']['all']} ", status)
        self.assertIn(data["version"].split("-")[0], status)
        busy = client.of("dns_query_stats", where=lambda e: e["data"]["queries"] > 0)
        for stats in (event["data"] for event in busy):
            self.assertAlmostEqual(stats["queries"] / stats["interval_seconds"], stats["qps"], delta=0.02)
            self.assertEqual(stats["queries"], sum(stats["by_type"].values()))
            status = client.of("bind_status_update", qps=stats["qps"])
            self.assertTrue(status)
        self.assertEqual([], client.of("dns_query_stats", where=lambda e: 0 in e["data"].get("by_rcode", {}).values()))

    def check_limits(self, named, forwarder, watch):
        """A client that waits for recursion and one that is connected are seen against the limits."""
        forwarder.delay_s = 4
        with socket.create_connection(("127.0.0.1", named.port)), \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(dns.message.make_query("slow.test", "A").to_wire(), ("127.0.0.1", named.port))
            until = watch.next_status(lambda e: e["data"]["quotas"]["recursive_clients"]["used"] == 1)
        forwarder.delay_s = 0
        quotas = until["data"]["quotas"]
        self.assertEqual({"used": 1, "limit": 77}, quotas["recursive_clients"])
        self.assertEqual({"used": 1, "limit": 150}, quotas["tcp_clients"])
        self.assertEqual(1, until["data"]["views"][0]["resolver_active"]["fetches"])

    def check_metrics(self, named, data):
        families = scrape(named)

        def of(name, **labels):
            return [s.value for s in families[name] if labels.items() <= s.labels.items()]
        self.assertEqual([data["by_type"]["TXT"]], of("bindcast_named_queries", type="TXT"))
        self.assertEqual([data["by_rcode"]["REFUSED"]], of("bindcast_named_responses", rcode="REFUSED"))
        self.assertEqual([77], of("bindcast_named_quota_limit", quota="recursive_clients"))
        self.assertEqual([1], of("bindcast_named_cache_events", view="_default", event="query_hits"))
        self.assertEqual([1], of("bindcast_named", version=data["version"]))

    def check_reload(self, named, client):
        watch = Watch(client)
        named.query("three.test", "TXT")
        named.rndc("reload")
        client.wait_event("bind_reload", outcome="succeeded")
        named.query("four.test", "MX")
        until = watch.until(2)
        self.check({"TXT": 1, "MX": 1}, watch, until, "by_type")
        self.check({"TXT": 1, "MX": 1}, watch, until, "views", "_default", "resolver_by_type")
        self.check_same(watch, until, "views", "_default", "resolver")
        self.check_same(watch, until, "views", "_default", "cache")

    def check_switched_off(self, named, client):
        reconfigured(named, client, sources={"named": {"enabled": False}})
        client.take_events()
        start = time.monotonic()
        wait_until(lambda: time.monotonic() > start + 1.6, "more than an interval to pass")
        self.assertEqual([], client.of("bind_status_update") + client.of("dns_query_stats"))
        self.assertEqual({}, scrape(named))

    def test_views_are_told_apart_and_come_and_go(self):
        inside, outside = View(INSIDE, dict(ZONES)), View(OUTSIDE, dict(ZONES))
        with Forwarder() as forwarder, \
                Named(views={"inside": inside, "outside": outside}, yaml=YAML, forwarder_port=forwarder.port,
                      dyndb=True) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            watch = Watch(client)
            for i in range(3):
                named.query(f"n{i}.test")
            for _ in range(2):
                named.query("n0.test", source=OUTSIDE)
            until = watch.until(5)
            self.check({"A": 3}, watch, until, "views", "inside", "resolver_by_type")
            self.check({"A": 1}, watch, until, "views", "outside", "resolver_by_type")
            for view, hits, misses in (("inside", 0, 3), ("outside", 1, 1)):
                cache = watch.told(until, "views", view, "cache")
                self.assertEqual((hits, misses), (cache["query_hits"], cache["query_misses"]), view)
            cache = watch.told(until, "cache")
            self.assertEqual((1, 4), (cache["query_hits"], cache["query_misses"]))

            self.reconfigure(named, client, {"inside": inside})
            watch = Watch(client)
            named.query("n5.test")
            until = watch.until(1)
            self.assertEqual(["inside"], [view["view"] for view in until["data"]["views"]])
            self.check({"A": 1}, watch, until, "views", "inside", "resolver_by_type")
            self.reconfigure(named, client, {"inside": inside, "outside": outside})
            watch.base = watch.next_status(lambda e: len(e["data"]["views"]) == 2)
            named.query("n6.test", source=OUTSIDE)
            self.check({"A": 1}, watch, watch.until(1), "views", "outside", "resolver_by_type")

    @staticmethod
    def reconfigure(named, client, views):
        loads = len(client.of("bind_reload", outcome="succeeded"))
        named.views = views
        named.write_configuration()
        named.rndc("reconfig")
        client.wait_events(loads + 1, "bind_reload", outcome="succeeded")


if __name__ == "__main__":
    unittest.main()
