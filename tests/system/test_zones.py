"""Zones and records of a primary: what comes, changes and goes, and nothing that did not."""

import unittest

from client import Client, watching
from harness import Named, View, Zone

UPDATABLE = "allow-update { key update-key; };"
ZONE_TYPES = ["zone_created", "zone_deleted", "zone_loaded", "zone_updated"]
DNSSEC = {"RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY", "TYPE65534"}


def zones():
    return {"example.com": Zone("www A 192.0.2.1", options=UPDATABLE), "quiet.example": Zone("www A 192.0.2.2")}


def created_or_deleted(client):
    return [(e["type"], e["data"]["zone"]) for e in client.events if e["type"] in ("zone_created", "zone_deleted")]


class StartTest(unittest.TestCase):
    def test_zones_of_the_start_are_loaded_not_created(self):
        # Nobody asks anything: the plugin has to find the view by itself.
        many = {f"z{i}.example": Zone("www A 192.0.2.1") for i in range(20)}
        with Named(many, start="running") as named, Client(named) as client:
            client.subscribe_from_start(event_types=ZONE_TYPES)
            loaded = client.wait_events(20, "zone_loaded", timeout=20)
            self.assertEqual(set(many), {event["data"]["zone"] for event in loaded})
            data = client.wait_event("zone_loaded", zone="z7.example")["data"]
            self.assertEqual(("primary", "_default"), (data["zone_type"], data["view"]))
            self.assertEqual(20, len(client.of("zone_loaded")))
            self.assertEqual([], created_or_deleted(client))
            named.wait_log("all zones loaded")


class ZoneTableTest(unittest.TestCase):
    def test_a_zone_comes_changes_and_goes(self):
        with Named(zones()) as named, watching(named) as client:
            client.subscribe(categories=["dns"], filter='category = "dns" and not (type = "dns_query_log")')
            named.rndc("addzone", "new.example", '{ type primary; file "quiet.example.db"; };')
            data = client.wait_event("zone_created", zone="new.example")["data"]
            self.assertEqual(("primary", "_default"), (data["zone_type"], data["view"]))

            named.rndc("modzone", "new.example", '{ type primary; file "quiet.example.db"; allow-query { any; }; };')
            named.rndc("delzone", "new.example")
            event = client.wait_event("zone_deleted", zone="new.example")
            self.assertEqual(("high", "warning"), (event["priority"], event["severity"]))
            self.assertEqual([("zone_created", "new.example"), ("zone_deleted", "new.example")],
                             created_or_deleted(client))

    def test_zones_that_the_configuration_adds_and_removes(self):
        with Named(zones()) as named, watching(named) as client:
            client.subscribe(event_types=ZONE_TYPES)
            named.zones["third.example"] = Zone("www A 192.0.2.3")
            del named.zones["quiet.example"]
            named.write_configuration()
            named.rndc("reconfig")
            client.wait_event("zone_created", zone="third.example")
            client.wait_event("zone_deleted", zone="quiet.example")
            self.assertEqual({("zone_created", "third.example"), ("zone_deleted", "quiet.example")},
                             set(created_or_deleted(client)))

    def test_many_reloads_make_no_zone_come_or_go(self):
        with Named(zones()) as named, watching(named) as client:
            client.subscribe(event_types=ZONE_TYPES + ["bind_reload"])
            for _ in range(10):
                named.rndc("reload")
                named.rndc("reconfig")
            named.update("example.com", lambda u: u.add("mark", 300, "A", "192.0.2.9"))
            client.wait_event("zone_updated", zone="example.com")
            self.assertEqual([], created_or_deleted(client))
            self.assertEqual([], client.of("zone_loaded"))
            self.assertEqual(1, len(client.of("zone_updated")))

    def test_built_in_zones_are_no_events(self):
        with Named(zones(), options="empty-zones-enable yes;", start="running") as named, Client(named) as client:
            client.subscribe_from_start(event_types=ZONE_TYPES)
            client.wait_event("zone_loaded", zone="example.com", timeout=20)
            client.wait_event("zone_loaded", zone="quiet.example")
            self.assertEqual({"example.com", "quiet.example"}, {event["data"]["zone"] for event in client.events})

    def test_zones_to_be_ignored_are(self):
        yaml = {"events": {"zones": {"ignore": ["*.example"]}}}
        with Named(zones(), yaml=yaml) as named, watching(named, ignored=["quiet.example"]) as client:
            client.subscribe(event_types=ZONE_TYPES)
            named.rndc("addzone", "new.example", '{ type primary; file "quiet.example.db"; };')
            named.rndc("addzone", "new.test", '{ type primary; file "quiet.example.db"; };')
            client.wait_event("zone_created", zone="new.test")
            self.assertEqual([("zone_created", "new.test")], created_or_deleted(client))


class RecordsTest(unittest.TestCase):
    def test_records_come_change_and_go_by_dynamic_update(self):
        with Named(zones()) as named, watching(named) as client:
            client.subscribe(event_types=["record_created", "record_updated", "record_deleted", "zone_updated"])
            named.update("example.com", lambda u: u.add("new", 120, "A", "192.0.2.10"))
            created = client.wait_event("record_created", name="new.example.com")
            self.assertEqual({"ttl": 120, "rdata": ["192.0.2.10"]}, created["data"]["after"])
            self.assertNotIn("before", created["data"])
            self.assertEqual(("example.com", "_default", "A", {"from": 1, "to": 2}),
                             tuple(created["data"][key] for key in ("zone", "view", "rtype", "serial")))
            updated = client.wait_event("zone_updated", zone="example.com", serial={"from": 1, "to": 2})
            self.assertEqual(created["metadata"]["correlation_id"], updated["metadata"]["correlation_id"])

            named.update("example.com", lambda u: u.replace("new", 60, "A", "192.0.2.11"))
            data = client.wait_event("record_updated", name="new.example.com")["data"]
            self.assertEqual(({"ttl": 120, "rdata": ["192.0.2.10"]}, {"ttl": 60, "rdata": ["192.0.2.11"]}),
                             (data["before"], data["after"]))

            named.update("example.com", lambda u: u.add("new", 60, "A", "192.0.2.12"))
            data = client.wait_event("record_updated", name="new.example.com", serial={"from": 3, "to": 4})["data"]
            self.assertEqual({"192.0.2.11", "192.0.2.12"}, set(data["after"]["rdata"]))

            named.update("example.com", lambda u: u.delete("new"))
            data = client.wait_event("record_deleted", name="new.example.com")["data"]
            self.assertEqual({"192.0.2.11", "192.0.2.12"}, set(data["before"]["rdata"]))
            self.assertNotIn("after", data)

    def test_odd_records_are_valid_text(self):
        with Named(zones()) as named, watching(named) as client:
            client.subscribe(event_types=["record_created"])
            named.update("example.com", lambda u: (
                u.add(r"sp\032ace", 300, "TXT", r'"quote \" backslash \\ control \007 high \200" "two"'),
                u.add("_sip._tcp", 300, "SRV", "0 5 5060 www"),
                u.add("unknown", 300, "TYPE65280", r"\# 4 0a000001")))
            self.assertIn("two", client.wait_event("record_created", rtype="TXT")["data"]["after"]["rdata"][0])
            self.assertIn("5060", client.wait_event("record_created", rtype="SRV")["data"]["after"]["rdata"][0])
            client.wait_event("record_created", rtype="TYPE65280")

    def test_thousands_of_records_become_one_event(self):
        with Named(zones()) as named, watching(named) as client:
            client.subscribe(event_types=["record_bulk_operation", "record_created", "zone_updated"])
            for part in range(2):
                def build(update, part=part):
                    for i in range(2500):
                        update.add(f"h{part}-{i}", 300, "A", f"10.{part}.{i // 250}.{i % 250}")
                named.update("example.com", build)

            def created():
                return sum(e["data"]["by_operation"]["created"] for e in client.of("record_bulk_operation"))

            client.wait_for(lambda _: created() >= 5000, "5,000 records", timeout=20)
            self.assertEqual(5000, created())
            for event in client.of("record_bulk_operation"):
                self.assertGreater(event["data"]["by_rtype"]["A"]["created"], 0)
                self.assertTrue(0 < len(event["data"]["sample"]) <= 100)
            self.assertEqual([], client.of("record_created"))

            def added():
                return sum(e["data"]["records"]["added"] for e in client.of("zone_updated", zone="example.com"))

            client.wait_for(lambda _: added() >= 5000, "the zone's own events")
            self.assertTrue(5000 <= added() <= 5002, added())  # the SOA may count

    def test_the_threshold_is_configured(self):
        with Named(zones(), yaml={"events": {"zones": {"bulk_threshold": 3}}}) as named, watching(named) as client:
            client.subscribe(event_types=["record_bulk_operation", "record_created"])
            named.update("example.com", lambda u: [u.add(f"b{i}", 300, "A", "192.0.2.1") for i in range(8)])
            data = client.wait_event("record_bulk_operation", zone="example.com")["data"]
            self.assertEqual(8, data["by_operation"]["created"])
            self.assertEqual([], client.of("record_created"))

    def test_an_edited_file(self):
        with Named(zones()) as named, watching(named) as client:
            client.subscribe(event_types=["record_created", "record_updated", "record_deleted", "zone_updated"])
            named.write_zone("quiet.example", "www A 192.0.2.20\nmail A 192.0.2.21", serial=2)
            named.rndc("reload", "quiet.example")
            data = client.wait_event("record_updated", name="www.quiet.example")["data"]
            self.assertEqual((["192.0.2.2"], ["192.0.2.20"]), (data["before"]["rdata"], data["after"]["rdata"]))
            client.wait_event("record_created", name="mail.quiet.example")
            client.wait_event("zone_updated", zone="quiet.example", serial={"from": 1, "to": 2})

            named.write_zone("quiet.example", "www A 192.0.2.20", serial=3)
            named.rndc("reload")
            client.wait_event("record_deleted", name="mail.quiet.example")
            self.assertEqual({"quiet.example"}, {event["data"]["zone"] for event in client.events})

    def test_the_zone_of_each_view(self):
        views = {
            "inside": View("127.0.0.1", {"example.com": Zone("www A 192.0.2.1", options=UPDATABLE)}),
            "outside": View("any", {"example.com": Zone("www A 198.51.100.1")}),
        }
        with Named(views=views) as named, watching(named) as client:
            client.subscribe(event_types=["record_created"])
            named.update("example.com", lambda u: u.add("new", 300, "A", "192.0.2.10"))
            data = client.wait_event("record_created", name="new.example.com")["data"]
            self.assertEqual("inside", data["view"])
            named.write_zone("example.com", "www A 198.51.100.1\nfar A 198.51.100.2", serial=2, view="outside")
            named.rndc("reload", "example.com", "IN", "outside")
            data = client.wait_event("record_created", name="far.example.com")["data"]
            self.assertEqual("outside", data["view"])


class SignedZoneTest(unittest.TestCase):
    def test_signing_makes_no_noise(self):
        signed = Zone("www A 192.0.2.1", options="dnssec-policy default; inline-signing yes;")
        both = {"signed.example": signed, "example.com": Zone(options=UPDATABLE)}
        with Named(both) as named, watching(named) as client:
            client.subscribe(categories=["dns"], filter='not (type = "dns_query_log")')
            named.rndc("sign", "signed.example")
            named.write_zone("signed.example", "www A 192.0.2.1\nnew A 192.0.2.2", serial=2)
            named.rndc("reload", "signed.example")
            client.wait_event("record_created", name="new.signed.example", timeout=20)
            named.rndc("sign", "signed.example")
            named.update("example.com", lambda u: u.add("mark", 300, "A", "192.0.2.9"))
            client.wait_event("record_created", name="mark.example.com")
            noise = [event["data"] for event in client.events if event["data"].get("rtype") in DNSSEC]
            self.assertEqual([], noise)
            self.assertEqual(1, len(client.of("record_created", name="new.signed.example")))
            self.assertEqual([], created_or_deleted(client))

    def test_the_signatures_are_there_when_wanted(self):
        signed = Zone("www A 192.0.2.1", options="dnssec-policy default; inline-signing yes;")
        yaml = {"events": {"zones": {"dnssec_records": True}}}
        with Named({"signed.example": signed}, yaml=yaml) as named, watching(named) as client:
            client.subscribe(categories=["dns"], filter='not (type = "dns_query_log")')
            named.write_zone("signed.example", "www A 192.0.2.1\nnew A 192.0.2.2", serial=2)
            named.rndc("reload", "signed.example")
            client.wait_event("record_created", name="new.signed.example", rtype="RRSIG", timeout=20)


if __name__ == "__main__":
    unittest.main(verbosity=2)
