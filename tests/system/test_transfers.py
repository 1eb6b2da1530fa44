"""A secondary with a plugin of its own: full and incremental transfers, expiry, removal."""

import unittest

from client import watching
from harness import Named, Zone, wait_until

TYPES = ["zone_created", "zone_deleted", "zone_loaded", "zone_updated", "zone_expired", "record_created",
         "record_updated", "record_deleted", "record_bulk_operation", "rpz_update", "rpz_rule_created",
         "threat_feed_update"]
QUICK = "min-refresh-time 1; max-refresh-time 1; min-retry-time 1; max-retry-time 1;"


def primary(**zones):
    return Named({"example.com": Zone("www A 192.0.2.1", options="allow-update { key update-key; }; "
                                                                 "allow-transfer { any; };"), **zones})


def secondary_zone(of: Named, more: str = "") -> Zone:
    return Zone(type="secondary", options=f"primaries {{ 127.0.0.1 port {of.port}; }}; masterfile-format text; {more}")


class TransferTest(unittest.TestCase):
    def test_a_secondary_follows_its_primary(self):
        with primary() as first, Named({"example.com": secondary_zone(first)}) as second, watching(second) as client:
            wait_until(lambda: second.query("www.example.com").answer, "the first transfer")
            client.subscribe(event_types=TYPES)
            first.update("example.com", lambda u: u.add("new", 300, "A", "192.0.2.10"))
            second.rndc("refresh", "example.com")
            data = client.wait_event("record_created", name="new.example.com")["data"]
            self.assertEqual(("transfer", {"from": 1, "to": 2}), (data["cause"], data["serial"]))
            updated = client.wait_event("zone_updated", zone="example.com", serial={"from": 1, "to": 2})["data"]
            self.assertEqual("secondary", updated["zone_type"])

            # The whole zone again, from a new file: only what differs is told.
            first.update("example.com", lambda u: u.replace("new", 300, "A", "192.0.2.11"))
            second.rndc("retransfer", "example.com")
            data = client.wait_event("record_updated", name="new.example.com")["data"]
            self.assertEqual((["192.0.2.10"], ["192.0.2.11"]), (data["before"]["rdata"], data["after"]["rdata"]))
            self.assertEqual([], client.of("record_created", name="www.example.com"))
            self.assertEqual([], client.of("zone_created") + client.of("zone_deleted"))

    def test_a_zone_that_arrives_later(self):
        with primary() as first, Named({"example.com": Zone()}) as second, watching(second) as client:
            client.subscribe(event_types=TYPES)
            first.rndc("addzone", "late.example",
                       '{ type primary; file "example.com.db"; allow-transfer { any; }; };')
            second.rndc("addzone", "late.example",
                        f'{{ type secondary; file "late.db"; primaries {{ 127.0.0.1 port {first.port}; }}; }};')
            data = client.wait_event("zone_created", zone="late.example")["data"]
            self.assertEqual("secondary", data["zone_type"])
            client.wait_event("zone_loaded", zone="late.example")

            second.rndc("delzone", "late.example")
            client.wait_event("zone_deleted", zone="late.example")
            # A zone that is gone asks its primary for nothing more.
            transfers = first.log().count("late.example/IN': AXFR started") + first.log().count("IXFR started")
            first.rndc("reload")
            self.assertEqual(transfers,
                             first.log().count("late.example/IN': AXFR started") + first.log().count("IXFR started"))

    def test_a_large_transfer_is_one_event(self):
        with primary() as first, Named({"example.com": secondary_zone(first)}) as second, watching(second) as client:
            wait_until(lambda: second.query("www.example.com").answer, "the first transfer")
            client.subscribe(event_types=TYPES)
            first.update("example.com", lambda u: [u.add(f"h{i}", 300, "A", f"10.0.{i // 250}.{i % 250}")
                                                   for i in range(2000)])
            second.rndc("refresh", "example.com")
            data = client.wait_event("record_bulk_operation", zone="example.com")["data"]
            self.assertEqual((2000, "transfer"), (data["by_operation"]["created"], data["cause"]))

    def test_a_zone_expires_and_comes_back(self):
        with primary(**{"short.example": Zone("www A 192.0.2.1", times="1 1 2 60",
                                              options="allow-transfer { any; };")}) as first:
            zone = secondary_zone(first, QUICK)
            with Named({"short.example": zone}) as second, watching(second) as client:
                client.subscribe(event_types=TYPES)
                wait_until(lambda: second.query("www.short.example").answer, "the first transfer")
                first.stop()
                event = client.wait_event("zone_expired", zone="short.example", timeout=60)
                self.assertEqual(("critical", "critical"), (event["priority"], event["severity"]))
                self.assertEqual([], client.of("zone_deleted"))
                self.assertEqual(1, len({expired["id"] for expired in client.of("zone_expired")}))

                first.start()
                second.rndc("retransfer", "short.example")
                back = client.wait_event("zone_loaded", zone="short.example", where=lambda e: e["id"] > event["id"])
                told = client.wait_message("acknowledged")["data"]
                self.assertEqual(([event["id"]], back["id"]), (told["ids"], told["resolved_by"]))

    def test_a_policy_zone_by_transfer(self):
        feed = Zone("bad.test CNAME .", options="allow-update { key update-key; }; allow-transfer { any; };")
        with primary(**{"rpz.feed": feed}) as first:
            with Named({"rpz.feed": secondary_zone(first)}, options='response-policy { zone "rpz.feed"; };') as second:
                with watching(second) as client:
                    wait_until(lambda: "Transfer completed" in second.log() or "transferred serial" in second.log(),
                               "the first transfer")
                    client.subscribe(event_types=TYPES)
                    second.query("www.example.com")
                    first.update("rpz.feed", lambda u: u.add("worse.test", 300, "CNAME", "."))
                    second.rndc("refresh", "rpz.feed")
                    client.wait_event("rpz_rule_created", policy_zone="rpz.feed",
                                      where=lambda event: "worse.test" in event["data"]["rule"])
                    client.wait_event("rpz_update", policy_zone="rpz.feed", serial=2)
                    client.wait_event("threat_feed_update", policy_zone="rpz.feed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
