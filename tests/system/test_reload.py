"""Reload and reconfig: what took, what failed, what changed; the old configuration serves on when the new is faulty."""

import unittest

from client import watching
from harness import RNDC_SECRET, UPDATE_SECRET, HarnessError, Named, View, Zone, free_port, wait_until

ZONES = {"example.com": Zone("www A 192.0.2.1", options="allow-update { key update-key; };")}
TYPES = ["bind_reload", "bind_config_change", "config_change", "zone_created", "zone_deleted", "zone_loaded",
         "zone_updated", "dns_query_log"]


def outcomes(client):
    return [event["data"]["outcome"] for event in client.of("bind_reload")]


def assert_serves(test, named, client, name):
    test.assertEqual("192.0.2.1", named.query("www.example.com").answer[0][0].address)
    named.query(name)
    client.wait_event("dns_query_log", qname=name)


class OutcomeTest(unittest.TestCase):
    def test_a_reload_that_takes(self):
        with Named(ZONES) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            named.rndc("reload")
            named.query("www.example.com")
            done = client.wait_event("bind_reload", outcome="succeeded")
            started = client.wait_event("bind_reload", outcome="started")
            self.assertEqual(["started", "succeeded"], outcomes(client))
            self.assertEqual(started["metadata"]["correlation_id"], done["metadata"]["correlation_id"])
            self.assertGreaterEqual(done["data"]["duration_ms"], 0)
            self.assertEqual("high", done["priority"])
            assert_serves(self, named, client, "after.example.com")

    def test_the_start_is_no_reload(self):
        with Named(ZONES) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            assert_serves(self, named, client, "start.example.com")
            self.assertEqual([], client.of("bind_reload") + client.of("bind_config_change"))

    def test_a_faulty_file_fails_the_reload_and_the_old_one_serves_on(self):
        with Named(ZONES) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            good, named.yaml = named.yaml, "events: {queries: {sampel: 3}}\n"
            named.write_configuration()
            with self.assertRaises(HarnessError):
                named.rndc("reconfig")
            failed = client.wait_event("bind_reload", outcome="failed")
            self.assertTrue(failed["data"]["reason"])
            self.assertRegex(named.log(), r"bindcast\.yaml:1: events\.queries\.sampel: ")
            assert_serves(self, named, client, "still.example.com")
            named.yaml = good
            named.write_configuration()
            named.rndc("reconfig")
            named.query("www.example.com")
            client.wait_event("bind_reload", outcome="succeeded")
            assert_serves(self, named, client, "again.example.com")
            self.assertEqual([], client.of("config_change"))
            self.assertEqual(1, len(named.addresses()))

    def test_another_view_breaks_the_reload(self):
        views = {"inside": View("127.0.0.1", dict(ZONES)), "outside": View("any", {"example.com": Zone()})}
        with Named(views=views) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            for _ in range(3):
                views["outside"].options = 'plugin query "/nonexistent/plugin.so";'
                named.write_configuration()
                with self.assertRaises(HarnessError):
                    named.rndc("reconfig")
                assert_serves(self, named, client, "in.example.com")
            client.wait_events(3, "bind_reload", outcome="failed")
            self.assertEqual([], client.of("bind_reload", outcome="succeeded"))
            views["outside"].options = ""
            named.write_configuration()
            named.rndc("reconfig")
            assert_serves(self, named, client, "last.example.com")
            client.wait_event("bind_reload", outcome="succeeded")
            self.assertEqual([], client.of("zone_created") + client.of("zone_deleted"))

    def test_with_the_dyndb_line_an_unreadable_named_conf_is_noticed(self):
        with Named(ZONES, dyndb=True) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            named.options = 'forwarders { "certainly no address"; };'
            named.extra = 'view "broken" { plugin query "/nonexistent/plugin.so"; };'
            named.write_configuration()
            with self.assertRaises(HarnessError):
                named.rndc("reconfig")
            assert_serves(self, named, client, "still.example.com")
            named.options = named.extra = ""
            named.write_configuration()
            named.rndc("reconfig")
            client.wait_event("bind_reload", outcome="succeeded")

    def test_views_that_name_different_files_are_refused(self):
        views = {"inside": View("127.0.0.1", dict(ZONES)), "outside": View("any", {"example.com": Zone()})}
        with Named(views=views) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            (named.folder / "other.yaml").write_text("server: {listen: '127.0.0.1:0'}\n")
            views["outside"].plugin = False
            views["outside"].options = f'plugin query "{named.so}" {{ config "{named.folder}/other.yaml"; }};'
            named.write_configuration()
            with self.assertRaises(HarnessError):
                named.rndc("reconfig")
            assert_serves(self, named, client, "still.example.com")
            self.assertIn("every view must name the same", named.log())


class ChangesTest(unittest.TestCase):
    def test_named_s_configuration_before_and_after(self):
        with Named(ZONES) as named, watching(named) as client:
            client.subscribe()
            named.options = "minimal-responses yes; max-cache-ttl 4711;"
            named.write_configuration()
            named.rndc("reconfig")
            named.query("www.example.com")
            changes = client.wait_event("bind_config_change")["data"]["changes"]
            text = str(changes)
            self.assertIn("4711", text)
            self.assertTrue(all(change["path"] for change in changes))
            named.options = "minimal-responses yes; max-cache-ttl 4712;"
            named.write_configuration()
            named.rndc("reconfig")
            named.query("www.example.com")
            second = client.wait_events(2, "bind_config_change")[1]["data"]["changes"]
            ttl = [change for change in second if "max-cache-ttl" in change["path"]]
            self.assertEqual([("4711", "4712")], [(change["before"], change["after"]) for change in ttl])
            # Nothing changed: nothing is said.
            named.rndc("reconfig")
            named.query("www.example.com")
            client.wait_for(lambda _: outcomes(client).count("succeeded") == 3, "three reloads")
            self.assertEqual(2, len(client.of("bind_config_change")))

    def test_no_secret_leaves_the_house(self):
        secrets = {"bm90IHRvIGJlIHNlZW4gb25l", "bm90IHRvIGJlIHNlZW4gdHdv", RNDC_SECRET, UPDATE_SECRET}
        hashes = {"a" * 64, "b" * 64}
        tokens = [{"name": "job", "sha256": "a" * 64, "roles": ["viewer"]}]
        with Named(ZONES, yaml={"auth": {"tokens": tokens}}) as named:
            with watching(named) as client:
                client.subscribe()
                for secret, digest in zip(sorted(secrets)[:2], sorted(hashes, reverse=True)):
                    named.extra = f'key "extra-{digest[0]}" {{ algorithm hmac-sha256; secret "{secret}"; }};'
                    named.yaml = {"auth": {"tokens": [{"name": "job", "sha256": digest, "roles": ["viewer"]}]}}
                    named.write_configuration()
                    named.rndc("reconfig")
                    named.query("www.example.com")
                named.extra = 'key "extra-a" { algorithm hmac-sha256; secret "bm90IHRvIGJlIHNlZW4gdHdv"; };'
                named.write_configuration()
                named.rndc("reconfig")
                named.query("www.example.com")
                client.wait_for(lambda _: outcomes(client).count("succeeded") == 3, "three reloads")
                client.wait_event("bind_config_change", where=lambda event: "extra-" in str(event["data"]))
                client.wait_event("config_change")
                client.request("get_status")
                received = client.received() + named.log()
                for word in secrets | hashes | {named.token}:
                    self.assertNotIn(word, received)

    def test_the_plugin_s_own_configuration(self):
        with Named(ZONES) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            named.yaml = {"events": {"zones": {"bulk_threshold": 77}}}
            named.write_configuration()
            named.rndc("reconfig")
            named.query("www.example.com")
            changes = client.wait_event("config_change")["data"]["changes"]
            self.assertEqual([{"path": "events.zones.bulk_threshold", "before": "1000", "after": "77"}], changes)
            self.assertEqual(1, len(named.addresses()))
            assert_serves(self, named, client, "same.example.com")

    def test_options_take_effect_without_a_new_connection(self):
        with Named(ZONES) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            named.yaml = {"events": {"filter": 'not (qname under "hidden.example.com")'}}
            named.write_configuration()
            named.rndc("reconfig")
            named.query("www.example.com")
            client.wait_event("config_change")
            named.query("a.hidden.example.com")
            assert_serves(self, named, client, "shown.example.com")
            self.assertEqual([], client.of("dns_query_log", qname="a.hidden.example.com"))

    def test_the_listener_moves(self):
        with Named(ZONES) as named:
            old = named.address
            port = free_port()
            named.yaml = {"server": {"listen": f"127.0.0.1:{port}"}}
            named.write_configuration()
            named.rndc("reconfig")
            named.query("www.example.com")
            wait_until(lambda: named.address == ("127.0.0.1", port), "the new listener")
            with watching(named) as client:
                client.subscribe(event_types=TYPES)
                assert_serves(self, named, client, "moved.example.com")
            self.assertNotEqual(old, named.address)

    def test_records_changed_by_a_reload_share_its_correlation(self):
        with Named({"example.com": Zone("www A 192.0.2.1")}) as named, watching(named) as client:
            client.subscribe(event_types=TYPES)
            named.write_zone("example.com", "www A 192.0.2.1\nnew A 192.0.2.2", serial=2)
            named.rndc("reload")
            named.query("www.example.com")
            reload = client.wait_event("bind_reload", outcome="succeeded")
            zone = client.wait_event("zone_updated", zone="example.com")
            self.assertEqual("reload", zone["data"]["cause"])
            self.assertEqual(reload["metadata"]["correlation_id"], zone["metadata"]["correlation_id"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
