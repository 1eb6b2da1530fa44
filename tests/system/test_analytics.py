"""dns_analytics_update of the real named: exact numbers where they are small, per view, masked, and nothing at all while
nobody looks.
"""

import re
import socket
import unittest

import dns.message

from client import Client, RawSocket, reconfigured
from harness import Named, View, Zone, wait_until
from test_roles import token

KIND = "dns_analytics_update"
EVERY_SECOND = {"sources": {"analytics": {"interval": "1s"}}}
POLICY = 'response-policy { zone "rpz.test"; } qname-wait-recurse no;'
ZONES = {"example.com": Zone("www A 192.0.2.1\nmail A 192.0.2.2\n*.shop A 192.0.2.3"),
         "rpz.test": Zone("bad.example.com CNAME .\nfine.example.com CNAME rpz-passthru.\ngone.example.com CNAME rpz-drop.")}


class Totals:
    """Adds up what all updates so far say, so that it does not matter where an interval ends."""

    def __init__(self, client: Client, view: str | None = None):
        self.numbers: dict[str, int] = {}
        self.lists: dict[str, dict[str, int]] = {}
        for event in client.of(KIND):
            data = event["data"]
            parts = [data] if view is None else [part for part in data["views"] if part["view"] == view]
            for part in parts:
                self._add(part)

    def _add(self, part: dict):
        for key in ("queries", "blocked", "dropped", "missed"):
            self.numbers[key] = self.numbers.get(key, 0) + part.get(key, 0)
        for key, what in (("names", "qname"), ("domains", "domain"), ("clients", "client"), ("types", "qtype"),
                          ("rcodes", "rcode")):
            counts = self.lists.setdefault(key, {})
            for entry in part.get(key, []):
                assert entry["error"] == 0, entry
                counts[entry.get(what, "")] = counts.get(entry.get(what, ""), 0) + entry["count"]


def told(client: Client, queries: int, view: str | None = None) -> Totals:
    """Once the updates have told of so many queries."""
    totals = lambda: Totals(client, view)
    return wait_until(lambda: (now := totals()).numbers.get("queries", 0) >= queries and now, f"{queries} queries")


class AnalyticsTest(unittest.TestCase):
    def test_what_was_asked_is_told_exactly_in_each_view(self):
        views = {"inside": View("127.0.0.2; 127.0.0.3", {"example.com": ZONES["example.com"]}),
                 "outside": View("any", ZONES, options=POLICY)}
        with Named(views=views, yaml=EVERY_SECOND) as named, Client(named) as client:
            client.subscribe(event_types=[KIND])
            client.wait_event(KIND)  # of nothing
            for _ in range(3):
                named.query("WWW.example.com", source="127.0.0.2")
            named.query("mail.example.com", "MX", source="127.0.0.3")
            named.query("a.shop.example.com", source="127.0.0.4")
            named.query("none.example.com", source="127.0.0.4")
            named.query("bad.example.com", source="127.0.0.5")
            named.query("fine.example.com", source="127.0.0.5")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:  # gets no answer
                asker.bind(("127.0.0.6", 0))
                asker.sendto(dns.message.make_query("gone.example.com", "TXT").to_wire(), ("127.0.0.1", named.port))
                all_of_it = told(client, 9)
            self.assertEqual({"queries": 9, "blocked": 2, "dropped": 1, "missed": 0}, all_of_it.numbers)
            self.assertEqual({"127.0.0.2": 3, "127.0.0.3": 1, "127.0.0.4": 2, "127.0.0.5": 2, "127.0.0.6": 1},
                             all_of_it.lists["clients"])
            self.assertEqual({"www.example.com": 3, "mail.example.com": 1, "a.shop.example.com": 1,
                              "none.example.com": 1, "bad.example.com": 1, "fine.example.com": 1,
                              "gone.example.com": 1},
                             all_of_it.lists["names"])
            self.assertEqual({"example.com": 9}, all_of_it.lists["domains"])
            self.assertEqual({"A": 7, "MX": 1, "TXT": 1}, all_of_it.lists["types"])
            self.assertEqual({"NOERROR": 5, "NXDOMAIN": 3}, all_of_it.lists["rcodes"])
            inside, outside = told(client, 4, "inside"), told(client, 5, "outside")
            self.assertEqual({"127.0.0.2": 3, "127.0.0.3": 1}, inside.lists["clients"])
            self.assertEqual({"127.0.0.4": 2, "127.0.0.5": 2, "127.0.0.6": 1}, outside.lists["clients"])
            self.assertEqual((0, 2), (inside.numbers["blocked"], outside.numbers["blocked"]))
            for event in client.of(KIND, where=lambda event: event["data"]["queries"]):
                data = event["data"]
                self.assertEqual((len(data["clients"]), len(data["names"])),
                                 (data["distinct_clients"], data["distinct_names"]))
                self.assertEqual(round(data["blocked"] / data["queries"], 6), data["blocked_share"])
                self.assertAlmostEqual(data["queries"] * 1000 / data["interval_ms"], data["qps"], delta=0.05 * data["qps"])
                latency = data["latency_us"]
                self.assertLess(0, latency["p50"])
                self.assertLessEqual(latency["p50"], latency["p99"])
                self.assertLessEqual(latency["p99"], latency["max"])


class NobodyLooksTest(unittest.TestCase):
    def test_nothing_is_captured_until_somebody_looks_or_after(self):
        with Named({"example.com": ZONES["example.com"]}, yaml=EVERY_SECOND) as named:
            def metrics() -> str:
                with RawSocket(named) as raw:
                    return raw.http("/metrics", {"Authorization": f"Bearer {named.token}"})[1].decode()

            def captured() -> int:
                """Of the queries so far, those that went through the rings to the loop."""
                return int(re.search("^bindcast_capture_records_total ([0-9]+)$", metrics(), re.MULTILINE).group(1))

            with Client(named) as witness:
                # Alerts, other types and whole categories of others are no reason.
                witness.subscribe(categories=["security"])
                for _ in range(20):
                    named.query("www.example.com")
                self.assertEqual(0, captured())
                self.assertNotIn("bindcast_analytics_", metrics())
                with Client(named) as client:
                    client.subscribe(event_types=[KIND])
                    for _ in range(20):
                        named.query("www.example.com")
                    told(client, 20)
                    self.assertEqual(20, captured())
                    self.assertIn("bindcast_analytics_queries_total 20\n", metrics())
                wait_until(lambda: "bindcast_analytics_" not in metrics(), "the analytics to rest")
                for _ in range(20):
                    named.query("www.example.com")
                self.assertEqual(20, captured())


class MaskedTest(unittest.TestCase):
    def test_what_is_masked_is_masked_in_every_list(self):
        roles = {"helpdesk": {"privacy": {"client_address": "prefix", "query_name": "hash"}}}
        yaml = {**EVERY_SECOND, "roles": roles, "auth": {"tokens": [token("hal", "helpdesk")]}}
        with (Named({"example.com": ZONES["example.com"]}, yaml=yaml) as named, Client(named) as admin,
              Client(named, token="hal") as helpdesk):
            def ask():
                for host in (2, 3):
                    named.query(f"secret{host}.shop.example.com", source=f"127.77.66.{host}")

            for client in (admin, helpdesk):
                client.subscribe(event_types=[KIND, "config_change"])
            ask()
            self.assertEqual({"127.77.66.2": 1, "127.77.66.3": 1}, told(admin, 2).lists["clients"])
            self.assertEqual({"127.77.66.0/24": 2}, told(helpdesk, 2).lists["clients"])
            self.assertNotIn("127.77.66.2", helpdesk.received())
            self.assertNotIn("secret", helpdesk.received())
            # And for all, then: masked before it is counted.
            reconfigured(named, admin, privacy={"client_address": "prefix", "query_name": "domain"})
            admin.take_events()
            ask()
            told(admin, 2)
            for event in admin.of(KIND, where=lambda event: event["data"]["queries"]):
                for part in [event["data"], *event["data"]["views"]]:
                    self.assertEqual([["127.77.66.0/24"], ["example.com"], ["example.com"]],
                                     [[entry[what] for entry in part[key]] for key, what in
                                      (("clients", "client"), ("names", "qname"), ("domains", "domain"))])


if __name__ == "__main__":
    unittest.main()
