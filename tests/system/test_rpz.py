"""Response policy zones: every trigger and action as an event, feed categories, and the folding of repetitions."""

import unittest

import dns.exception
import dns.rcode

from client import Client, watching
from harness import Named, Zone
from traffic import Forwarder

MALWARE = """
nx.test CNAME .
nodata.test CNAME *.
*.wild.test CNAME .
"""
PHISH = "bank.test CNAME ."
PLAIN = """
pass.test CNAME rpz-passthru.
drop.test CNAME rpz-drop.
tcp.test CNAME rpz-tcp-only.
walled.test CNAME garden.example.com.
local.test A 192.0.2.53
32.9.0.0.127.rpz-client-ip CNAME .
24.0.66.0.10.rpz-ip CNAME .
"""
ZONES = {
    "example.com": Zone("garden A 192.0.2.80\nbadaddress A 10.0.66.7"),
    "rpz.malware": Zone(MALWARE, options="allow-update { key update-key; };", serial=70),
    "phish.feed": Zone(PHISH),
    "rpz.plain": Zone(PLAIN),
}
POLICY = 'response-policy { zone "rpz.malware"; zone "phish.feed"; zone "rpz.plain"; } qname-wait-recurse no;'
FEEDS = {"rpz.malware": "malware", "phish.*": "phishing"}
TYPES = ["malware_blocked", "phishing_blocked", "dns_query_blocked", "dns_query_allowed", "dns_query_log"]


def rpz_named(**rpz):
    forwarder = Forwarder()
    # These tests count: what nobody acknowledges must not come again meanwhile.
    yaml = {"events": {"rpz": {"feeds": FEEDS, **rpz}}, "retry": {"acknowledge": []}}
    named = Named(ZONES, options=POLICY, yaml=yaml, forwarder_port=forwarder.port)
    return forwarder, named


class ActionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        forwarder, cls.named = rpz_named(repeat_window="0s")
        cls.enterClassContext(forwarder)
        cls.enterClassContext(cls.named)
        cls.client = cls.enterClassContext(Client(cls.named))
        cls.client.subscribe(event_types=TYPES)

    def blocked(self, kind, name, **expected):
        event = self.client.wait_event(kind, qname=name)
        data = event["data"]
        self.assertEqual(expected, {key: data.get(key) for key in expected})
        # The query itself says so too.
        log = self.client.wait_event("dns_query_log", qname=name)
        self.assertEqual({key: data[key] for key in ("policy_zone", "trigger", "action")},
                         {key: log["data"]["rpz"][key] for key in ("policy_zone", "trigger", "action")})
        return event

    def test_nxdomain_of_a_malware_feed(self):
        self.assertEqual(dns.rcode.NXDOMAIN, self.named.query("nx.test").rcode())
        event = self.blocked("malware_blocked", "nx.test", client="127.0.0.1", qtype="A", rcode="NXDOMAIN",
                             policy_zone="rpz.malware", policy_serial=70, trigger="qname", rule="nx.test.rpz.malware",
                             action="nxdomain", feed_category="malware", count=1)
        self.assertEqual(("security", "critical", "critical"),
                         (event["category"], event["priority"], event["severity"]))

    def test_nodata(self):
        self.assertEqual(0, len(self.named.query("nodata.test").answer))
        self.blocked("malware_blocked", "nodata.test", action="nodata", rcode="NOERROR")

    def test_a_wildcard_rule(self):
        self.named.query("any.wild.test")
        # BIND tells the name that it looked up in the policy zone, in its own log too, not the wildcard that matched.
        self.blocked("malware_blocked", "any.wild.test", rule="any.wild.test.rpz.malware", action="nxdomain")

    def test_a_phishing_feed_by_its_pattern(self):
        self.named.query("bank.test")
        self.blocked("phishing_blocked", "bank.test", policy_zone="phish.feed", feed_category="phishing")

    def test_passthru(self):
        self.assertEqual(dns.rcode.NOERROR, self.named.query("pass.test").rcode())
        self.blocked("dns_query_allowed", "pass.test", action="passthru", policy_zone="rpz.plain")

    def test_drop(self):
        with self.assertRaises(dns.exception.Timeout):
            self.named.query("drop.test", timeout=0.3)
        event = self.blocked("dns_query_blocked", "drop.test", action="drop", dropped=True)
        self.assertNotIn("rcode", event["data"])
        self.assertEqual(1, len(self.client.of("dns_query_log", qname="drop.test")))

    def test_tcp_only(self):
        self.named.query("tcp.test")
        self.blocked("dns_query_blocked", "tcp.test", action="tcp-only")

    def test_a_cname_away(self):
        self.named.query("walled.test")
        event = self.blocked("dns_query_blocked", "walled.test", action="cname", rule="walled.test.rpz.plain")
        self.assertNotIn("feed_category", event["data"])

    def test_local_data(self):
        answer = self.named.query("local.test")
        self.assertEqual("192.0.2.53", answer.answer[0][0].address)
        self.blocked("dns_query_blocked", "local.test", action="local-data", rcode="NOERROR")

    def test_the_client_s_address(self):
        self.assertEqual(dns.rcode.NXDOMAIN, self.named.query("harmless.test", source="127.0.0.9").rcode())
        self.blocked("dns_query_blocked", "harmless.test", trigger="client-ip", client="127.0.0.9", action="nxdomain")

    def test_an_address_in_the_answer(self):
        self.assertEqual(dns.rcode.NXDOMAIN, self.named.query("badaddress.example.com").rcode())
        self.blocked("dns_query_blocked", "badaddress.example.com", trigger="ip", action="nxdomain",
                     policy_zone="rpz.plain")

    def test_an_innocent_query_is_not_touched(self):
        self.named.query("innocent.test")
        event = self.client.wait_event("dns_query_log", qname="innocent.test")
        self.assertNotIn("rpz", event["data"])
        for kind in TYPES[:4]:
            self.assertEqual([], self.client.of(kind, qname="innocent.test"))


class FoldingTest(unittest.TestCase):
    def test_repetitions_are_counted_and_told_once_a_window(self):
        forwarder, named = rpz_named(repeat_window="2s")
        with forwarder, named, Client(named) as client:
            client.subscribe(event_types=["malware_blocked"])
            for _ in range(50):
                named.query("nx.test")
            named.query("nodata.test")
            client.wait_event("malware_blocked", qname="nodata.test")
            self.assertEqual([1], [event["data"]["count"] for event in client.of("malware_blocked", qname="nx.test")])
            client.wait_events(2, "malware_blocked", qname="nx.test")
            total = sum(event["data"]["count"] for event in client.of("malware_blocked", qname="nx.test"))
            self.assertEqual(50, total)
            # Another client and another name are no repetition.
            named.query("nx.test", source="127.0.0.2")
            client.wait_event("malware_blocked", qname="nx.test", client="127.0.0.2")

    def test_a_flood_is_counted_to_the_last_query(self):
        forwarder, named = rpz_named(repeat_window="1s")
        with forwarder, named, Client(named) as client:
            client.subscribe(event_types=["malware_blocked"])
            for _ in range(2000):
                named.query("nx.test")
            client.wait_for(lambda _: sum(event["data"]["count"] for event in client.of("malware_blocked")) >= 2000,
                            "all of them to be counted")
            self.assertEqual(2000, sum(event["data"]["count"] for event in client.of("malware_blocked")))
            self.assertLess(len(client.of("malware_blocked")), 20)


class PolicyZoneTest(unittest.TestCase):
    def test_changes_of_a_policy_zone(self):
        forwarder, named = rpz_named()
        with forwarder, named, watching(named) as client:
            client.subscribe()
            named.update("rpz.malware", lambda u: u.add("new.test", 300, "CNAME", "."))
            update = client.wait_event("rpz_update", policy_zone="rpz.malware")["data"]
            self.assertEqual((1, 0, 71), (update["rules"]["added"], update["rules"]["removed"], update["serial"]))
            created = client.wait_event("rpz_rule_created", policy_zone="rpz.malware")["data"]
            self.assertEqual("nxdomain", created["after"]["action"])
            self.assertIn("new.test", created["rule"])

            named.update("rpz.malware", lambda u: u.replace("new.test", 300, "CNAME", "rpz-drop."))
            changed = client.wait_event("rpz_rule_updated", policy_zone="rpz.malware")["data"]
            self.assertEqual(("nxdomain", "drop"), (changed["before"]["action"], changed["after"]["action"]))

            named.update("rpz.malware", lambda u: u.delete("new.test"))
            deleted = client.wait_event("rpz_rule_deleted", policy_zone="rpz.malware")["data"]
            self.assertEqual("drop", deleted["before"]["action"])
            for kind in ("record_created", "record_updated", "record_deleted", "zone_updated"):
                self.assertEqual([], client.of(kind))

    def test_a_feed_that_is_loaded_anew(self):
        forwarder, named = rpz_named()
        with forwarder, named, watching(named) as client:
            client.subscribe(categories=["security"])
            named.write_zone("phish.feed", "bank.test CNAME .\nother.test CNAME .\nthird.test CNAME *.", serial=2)
            named.rndc("reload", "phish.feed")
            update = client.wait_event("rpz_update", policy_zone="phish.feed")["data"]
            self.assertEqual((2, 0), (update["rules"]["added"], update["rules"]["removed"]))
            client.wait_events(2, "rpz_rule_created", policy_zone="phish.feed")
            client.wait_event("threat_feed_update", policy_zone="phish.feed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
