"""named's own log: who changed a record, what was refused, what did not load, through rotation."""

import os
import unittest

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update

from client import watching
from harness import UPDATE_KEY, UPDATE_SECRET, Named, View, Zone, wait_until

LINES = """
  channel bindcast {{ file "bindcast.log" versions 2 size {size}; severity info; {prints}; }};
  category default {{ bindcast; harness; }};
"""
PRINTS = "print-category yes; print-severity yes; print-time iso8601-utc"
RECORDS = ["record_created", "record_updated", "record_deleted", "record_bulk_operation", "zone_updated"]
SECOND_KEY, SECOND_SECRET = "second-key", "dGhlIHNlY29uZCBrZXkgb2YgdGhlIHRlc3RzLi4uLi4="
TWO_KEYS = "allow-update { key update-key; key second-key; };"


def logged(zones=None, size="20m", prints=PRINTS, **options) -> Named:
    extra = f'key "{SECOND_KEY}" {{ algorithm hmac-sha256; secret "{SECOND_SECRET}"; }};'
    return Named(zones, channels=LINES.format(size=size, prints=prints), extra=extra, **options)


def update(named, build, key=(UPDATE_KEY, UPDATE_SECRET), source="127.0.0.1", zone="example.com") -> int:
    message = dns.update.UpdateMessage(zone)
    build(message)
    if key:
        message.use_tsig({dns.name.from_text(key[0]): dns.tsig.Key(key[0], key[1], dns.tsig.HMAC_SHA256)})
    return dns.query.tcp(message, "127.0.0.1", port=named.port, source=source, timeout=10).rcode()


class ActorTest(unittest.TestCase):
    def test_each_record_has_the_client_and_the_key_that_changed_it(self):
        with logged({"example.com": Zone("www A 192.0.2.1", options=TWO_KEYS)}) as named, watching(named) as client:
            client.subscribe(event_types=RECORDS)
            second = (SECOND_KEY, SECOND_SECRET)
            # So quickly one after the other that one look at the zone finds several.
            for i in range(10):
                update(named, lambda u, i=i: u.add(f"a{i}", 300, "A", "192.0.2.10"))
                update(named, lambda u, i=i: u.add(f"b{i}", 300, "TXT", '"it\'s" "two; words"'), second, "127.0.0.3")
                update(named, lambda u, i=i: u.replace(f"a{i}", 300, "A", "192.0.2.11"), second, "127.0.0.4")
                update(named, lambda u, i=i: u.delete(f"a{i}", "A", "192.0.2.11"))
                update(named, lambda u, i=i: u.delete(f"b{i}"), source="127.0.0.5")
            first_key = lambda address: {"client": address, "key": UPDATE_KEY}
            second_key = lambda address: {"client": address, "key": SECOND_KEY}
            for i in range(10):
                for kind, name, actor in (("record_created", f"a{i}", first_key("127.0.0.1")),
                                          ("record_created", f"b{i}", second_key("127.0.0.3")),
                                          ("record_updated", f"a{i}", second_key("127.0.0.4")),
                                          ("record_deleted", f"a{i}", first_key("127.0.0.1")),
                                          ("record_deleted", f"b{i}", first_key("127.0.0.5"))):
                    data = client.wait_event(kind, name=f"{name}.example.com")["data"]
                    self.assertEqual(actor, data.get("actor"), data)
            zone_events = client.wait_events(50, "zone_updated")
            self.assertEqual([True] * 50, ["actor" in event["data"] for event in zone_events])

            # A folded change as well.
            update(named, lambda u: [u.add(f"h{i}", 300, "A", f"10.0.{i // 250}.{i % 250}") for i in range(1500)])
            data = client.wait_event("record_bulk_operation")["data"]
            self.assertEqual(first_key("127.0.0.1"), data["actor"])

    def test_views_are_told_apart_and_privacy_holds(self):
        views = {view: View(match, {"example.com": Zone("www A 192.0.2.1", options=TWO_KEYS)})
                 for view, match in (("inside", "127.0.0.1"), ("outside", "any"))}
        yaml = {"privacy": {"client_address": "prefix"}}
        with logged(views=views, prints="print-time local", yaml=yaml) as named, watching(named) as client:
            client.subscribe(event_types=RECORDS + ["update_denied"])
            update(named, lambda u: u.add("new", 300, "A", "192.0.2.10"))
            update(named, lambda u: u.add("new", 300, "A", "192.0.2.10"), source="127.0.0.2")
            for view in views:
                data = client.wait_event("record_created", view=view)["data"]
                self.assertEqual("127.0.0.0/24", data["actor"]["client"])
                self.assertTrue(data["actor"]["key"].startswith("hash:"), data)
            update(named, lambda u: u.add("no", 300, "A", "192.0.2.10"), key=None, source="127.0.0.2")
            data = client.wait_event("update_denied", view="outside")["data"]
            self.assertEqual(("127.0.0.0/24", "example.com"), (data["client"], data["zone"]))
            self.assertNotIn("127.0.0.2", client.received())
            self.assertNotIn(SECOND_KEY, client.received())


class EventTest(unittest.TestCase):
    def test_what_was_refused_and_what_did_not_load(self):
        zones = {"example.com": Zone("www A 192.0.2.1", options=TWO_KEYS + "allow-transfer { key update-key; };"),
                 "bad.example": Zone("www A 192.0.2.1")}
        with logged(zones) as named, watching(named) as client:
            client.subscribe(categories=["dns", "security", "error", "health"])
            self.assertEqual(dns.rcode.REFUSED, update(named, lambda u: u.add("no", 300, "A", "192.0.2.10"), key=None))
            data = client.wait_event("update_denied", zone="example.com")["data"]
            self.assertEqual(("127.0.0.1", "_default", "allow-update"), (data["client"], data["view"], data["reason"]))

            request = dns.message.make_query("example.com", "AXFR")
            dns.query.tcp(request, "127.0.0.1", port=named.port, timeout=10)
            data = client.wait_event("transfer_denied", zone="example.com")["data"]
            self.assertEqual(("127.0.0.1", "allow-transfer"), (data["client"], data["reason"]))

            wrong = (UPDATE_KEY, "d3JvbmcgICAgICAgICAgICAgICAgICAgICAgICAgICA=")
            with self.assertRaises(dns.tsig.PeerBadSignature):
                update(named, lambda u: u.add("no", 300, "A", "192.0.2.10"), key=wrong)
            data = client.wait_event("tsig_failure")["data"]
            self.assertEqual((UPDATE_KEY, "BADSIG"), (data["tsig_key"], data["error"]))

            self.assertEqual([], client.of("error_occurred"))
            named.zone_file("bad.example").write_text("$TTL 300\n@ SOA ns1 h 2 1 1 1 1\n@ NS ns1\nx A 1.2.3.400\n")
            named.rndc("reload", "bad.example", check=False)
            data = client.wait_event("zone_load_failed", zone="bad.example")["data"]
            self.assertEqual(("bad.example.db", 4), (data["file"], data["line"]))
            self.assertIn("bad dotted quad", data["reason"])

            named.extra = "nonsense;"
            named.write_configuration()
            named.rndc("reload", check=False)
            data = client.wait_event("error_occurred", log_category="config")["data"]
            self.assertIn("unknown option 'nonsense'", data["log_message"])
            # What the plugin itself says there is no news.
            self.assertNotIn("bindcast:", client.received())
            self.assertEqual([], client.of("health_alert", component="named_log"))

    def test_nothing_is_lost_when_the_file_is_rotated(self):
        with logged({"example.com": Zone()}, size="2k") as named, watching(named) as client:
            client.subscribe(event_types=["update_denied"])
            log = named.folder / "bindcast.log"
            inode = log.stat().st_ino
            count = 0

            def refused(number):
                nonlocal count
                for _ in range(number):
                    count += 1
                    update(named, lambda u: u.add("no", 300, "A", "192.0.2.10"), key=None, zone="example.com")

            refused(40)  # named rotates by itself, several times
            wait_until(lambda: log.stat().st_ino != inode, "named to rotate its log")
            client.wait_events(count, "update_denied")
            log.rename(named.folder / "taken.log")  # and somebody else, without a word to named
            refused(5)
            named.rndc("reconfig")  # now it opens the file anew
            refused(5)
            client.wait_events(count, "update_denied")
            os.truncate(log, 0)
            refused(5)
            client.wait_events(count, "update_denied")
            self.assertEqual(count, len(client.of("update_denied")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
