"""Events about queries: every field, every way a query can end, each exactly once."""

import unittest

import dns.exception
import dns.flags
import dns.rcode

from client import Client, watching
from harness import UPDATE_KEY, UPDATE_SECRET, Named, Zone
from traffic import Forwarder, Load

ZONES = {"example.com": Zone("www A 192.0.2.1\nwww A 192.0.2.2\nalias CNAME www\nmixed TXT \"x\"")}


def settle(named, client, mark: str):
    """Everything asked before has become events: two questions more have made the whole way."""
    for i in range(2):
        name = f"settled{i}.{mark}.example.com"
        named.query(name)
        client.wait_event("dns_query_log", qname=name)


class FieldsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.named = cls.enterClassContext(Named(ZONES, options="allow-query { !127.0.0.9; any; };"))
        cls.client = cls.enterClassContext(Client(cls.named))
        cls.client.subscribe(event_types=["dns_query_log", "dns_query_failed"])

    def ask(self, name, *args, **options):
        self.named.query(name, *args, **options)
        return self.client.wait_event("dns_query_log", qname=name)

    def test_an_answer(self):
        event = self.ask("www.example.com")
        data = event["data"]
        self.assertEqual("127.0.0.1", data["client"])
        self.assertTrue(1024 <= data["client_port"] <= 65535)
        expected = {"transport": "udp", "qtype": "A", "qclass": "IN", "rcode": "NOERROR", "answers": 2,
                    "view": "_default", "authoritative": True, "recursive": False, "cached": False}
        self.assertEqual(expected, {key: data[key] for key in expected})
        self.assertEqual({"qr", "aa", "rd", "ra"}, set(data["flags"]))
        self.assertTrue(0 <= data["latency_us"] < 5_000_000)
        self.assertNotIn("edns", data)
        self.assertNotIn("tsig_key", data)
        self.assertNotIn("rpz", data)

    def test_the_envelope(self):
        event = self.ask("alias.example.com")
        self.assertEqual(("dns", "low", "info"), (event["category"], event["priority"], event["severity"]))
        self.assertRegex(event["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertRegex(event["id"], r"^\w+-\d+$")
        self.assertEqual("named", event["metadata"]["source_service"])
        self.assertEqual("_default", event["metadata"]["view"])

    def test_no_such_name(self):
        data = self.ask("nothere.example.com")["data"]
        self.assertEqual(("NXDOMAIN", 0, 1), (data["rcode"], data["answers"], data["authority"]))

    def test_tcp(self):
        self.assertEqual("tcp", self.ask("tcp.example.com", tcp=True)["data"]["transport"])

    def test_edns_and_do(self):
        data = self.ask("edns.example.com", "AAAA", edns=0, dnssec=True, payload=700)["data"]
        self.assertEqual({"version": 0, "udp_size": 700, "do": True}, data["edns"])
        self.assertEqual("AAAA", data["qtype"])

    def test_edns_without_do(self):
        self.assertEqual({"version": 0, "udp_size": 1232, "do": False},
                         self.ask("nodo.example.com", edns=0)["data"]["edns"])

    def test_a_signed_query(self):
        data = self.ask("signed.example.com", key=(UPDATE_KEY, UPDATE_SECRET))["data"]
        self.assertEqual(UPDATE_KEY, data["tsig_key"])

    def test_no_recursion_wanted(self):
        self.assertNotIn("rd", self.ask("nord.example.com", flags=0)["data"]["flags"])

    def test_an_unusual_type_and_name(self):
        self.named.query(r"a\032b\"\\\200.example.com", "TYPE65280")
        event = self.client.wait_event("dns_query_log", qtype="TYPE65280")
        self.assertRegex(event["data"]["qname"], r"^a\\032b.*\\200\.example\.com$")

    def test_refused(self):
        answer = self.named.query("refused.example.com", source="127.0.0.9")
        self.assertEqual(dns.rcode.REFUSED, answer.rcode())
        event = self.client.wait_event("dns_query_log", qname="refused.example.com")
        self.assertEqual(("REFUSED", "127.0.0.9"), (event["data"]["rcode"], event["data"]["client"]))
        self.assertEqual([], self.client.of("dns_query_failed", qname="refused.example.com"))

    def test_servfail_is_a_query_and_a_failure(self):
        answer = self.named.query("unreachable.test")  # nothing listens where named forwards to
        self.assertEqual(dns.rcode.SERVFAIL, answer.rcode())
        log = self.client.wait_event("dns_query_log", qname="unreachable.test")
        failed = self.client.wait_event("dns_query_failed", qname="unreachable.test")
        self.assertEqual("SERVFAIL", log["data"]["rcode"])
        self.assertEqual(("SERVFAIL", "A"), (failed["data"]["rcode"], failed["data"]["qtype"]))
        self.assertEqual(("normal", "warning"), (failed["priority"], failed["severity"]))
        settle(self.named, self.client, "servfail")
        self.assertEqual(1, len(self.client.of("dns_query_failed", qname="unreachable.test")))


class CountsTest(unittest.TestCase):
    def test_every_query_exactly_once(self):
        with Named(ZONES) as named, Client(named) as client:
            client.subscribe(event_types=["dns_query_log"])
            names = [f"n{i}.example.com" for i in range(300)] + ["www.example.com"] * 50
            for i, name in enumerate(names):
                named.query(name, tcp=i % 7 == 0)
            named.query("alias.example.com")  # restarts at the CNAME's target, and is one query all the same
            settle(named, client, "once")
            asked = [e["data"]["qname"] for e in client.of("dns_query_log") if "settled" not in e["data"]["qname"]]
            self.assertEqual(sorted(names + ["alias.example.com"]), sorted(asked))
            self.assertEqual([], client.gaps())
            ids = [event["id"] for event in client.events]
            self.assertEqual(len(ids), len(set(ids)))
            offsets = [int(event_id.split("-")[1]) for event_id in ids]
            self.assertEqual(sorted(offsets), offsets)

    def test_nobody_listens_and_then_somebody(self):
        with Named(ZONES) as named, Client(named) as client:
            named.query("before.example.com")
            client.subscribe(event_types=["dns_query_log"])
            settle(named, client, "after")
            self.assertEqual([], client.of("dns_query_log", qname="before.example.com"))

    def test_sampling_and_ignored_names_are_configured(self):
        yaml = {"events": {"queries": {"ignore": ["quiet.example.com"], "latency": False}}}
        with Named(ZONES, yaml=yaml) as named, Client(named) as client:
            client.subscribe(event_types=["dns_query_log"])
            for name in ("quiet.example.com", "a.quiet.example.com", "loud.example.com"):
                named.query(name)
            settle(named, client, "ignore")
            names = [event["data"]["qname"] for event in client.of("dns_query_log")]
            self.assertIn("loud.example.com", names)
            self.assertFalse([name for name in names if name.endswith("quiet.example.com")])
            self.assertNotIn("latency_us", client.events[0]["data"])

    def test_queries_can_be_switched_off(self):
        with Named(ZONES, yaml={"events": {"queries": {"enabled": False}}}) as named, watching(named) as client:
            client.subscribe()
            named.query("www.example.com")
            named.rndc("addzone", "later.example", '{ type primary; file "example.com.db"; };')
            client.wait_event("zone_created", zone="later.example")
            self.assertEqual([], client.of("dns_query_log"))


class RecursionTest(unittest.TestCase):
    def test_a_slow_forwarder_shows_in_the_latency_and_the_cache_does_not(self):
        with Forwarder(delay_s=0.3) as forwarder, Named(forwarder_port=forwarder.port) as named:
            with Client(named) as client:
                client.subscribe(event_types=["dns_query_log"])
                named.query("slow.test")
                first = client.wait_event("dns_query_log", qname="slow.test")["data"]
                self.assertGreaterEqual(first["latency_us"], 300_000)
                self.assertLess(first["latency_us"], 10_000_000)
                self.assertTrue(first["recursive"])
                self.assertFalse(first["cached"])
                named.query("slow.test")
                second = client.wait_events(2, "dns_query_log", qname="slow.test")[1]["data"]
                self.assertLess(second["latency_us"], 300_000)
                self.assertTrue(second["cached"])
                self.assertFalse(second["recursive"])

    def test_queries_that_wait_together_are_each_told_once(self):
        with Forwarder(delay_s=0.3) as forwarder, Named(forwarder_port=forwarder.port) as named:
            with Client(named) as client:
                client.subscribe(event_types=["dns_query_log"])
                for _ in range(3):
                    with self.assertRaises(dns.exception.Timeout):
                        named.query("impatient.test", timeout=0.01)
                events = client.wait_events(3, "dns_query_log", qname="impatient.test")
                self.assertEqual(3, len(events))
                self.assertEqual(3, len({event["data"]["client_port"] for event in events}))

    def test_an_upstream_servfail(self):
        with Forwarder() as forwarder, Named(forwarder_port=forwarder.port) as named, Client(named) as client:
            client.subscribe(event_types=["dns_query_failed"])
            named.query("fail.test")
            event = client.wait_event("dns_query_failed", qname="fail.test")
            self.assertEqual("SERVFAIL", event["data"]["rcode"])
            self.assertTrue(event["data"]["recursive"])


class OwnCostTest(unittest.TestCase):
    def test_the_hooks_time_is_measured_for_one_query_in_1024(self):
        # Its queue never fills: what it is full for would not be recorded.
        yaml = {"server": {"listen": "127.0.0.1:0"}, "queues": {"max_events": 10_000}}
        with Named(ZONES, workers=1, yaml=yaml) as named, Client(named) as client:
            client.subscribe(event_types=["dns_query_log"])
            with Load(named, ["www.example.com"], count=5000, rate=5000) as load:
                asked = load.finish()["completed"]
            client.wait_events(asked, "dns_query_log")
            hook_ns = client.request("get_statistics")["data"]["server"]["hook_ns"]
            self.assertEqual(asked // 1024, hook_ns["count"])
            self.assertTrue(20 < hook_ns["p50"] <= hook_ns["max"], hook_ns)
            self.assertLess(hook_ns["p50"], 1_000_000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
