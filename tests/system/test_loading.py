"""How the plugin gets into named, what it brings along, and that it leaves without a trace."""

import os
import re
import socket
import subprocess
import unittest
from pathlib import Path

from client import Client
from harness import PLUGIN, Named, View, Zone, wait_until

OTHER_VERSION = os.environ.get("BINDCAST_OTHER_SO", str(PLUGIN.with_name("bindcast-other-version.so")))
ZONES = {"example.com": Zone("www A 192.0.2.1")}
EXPORTS = {"plugin_version", "plugin_check", "plugin_register", "plugin_destroy", "dyndb_version", "dyndb_init",
           "dyndb_destroy"}


def listens(address) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


class ObjectTest(unittest.TestCase):
    """An update of BIND must never keep named from starting because of this file."""

    def test_no_library_of_bind_is_needed(self):
        text = subprocess.run(["readelf", "-d", PLUGIN], capture_output=True, text=True, check=True).stdout
        needed = re.findall(r"\(NEEDED\).*\[(.*?)\]", text)
        self.assertTrue(needed)
        self.assertEqual([], [name for name in needed if re.match(r"lib(dns|ns|isc|isccfg|bind9|irs)[-.]", name)])
        self.assertRegex(text, r"NODELETE")

    def test_exactly_the_entry_points_are_exported(self):
        text = subprocess.run(["nm", "-D", "--defined-only", PLUGIN], capture_output=True, text=True, check=True).stdout
        self.assertEqual(EXPORTS, {line.split()[-1].split("@")[0] for line in text.splitlines()})


class LoadingTest(unittest.TestCase):
    def test_with_a_configuration(self):
        with Named(ZONES) as named, Client(named) as client:
            client.subscribe(event_types=["dns_query_log"])
            named.query("www.example.com")
            client.wait_event("dns_query_log", qname="www.example.com")

    def test_without_a_configuration(self):
        if listens(("127.0.0.1", 8353)):
            self.skipTest("something else listens on port 8353")
        with Named(ZONES, yaml=None) as named, Client(named) as client:
            self.assertEqual(("127.0.0.1", 8353), named.address)
            client.subscribe(event_types=["dns_query_log"])
            named.query("www.example.com")
            client.wait_event("dns_query_log", qname="www.example.com")

    def test_only_on_loopback(self):
        with Named(ZONES) as named:
            port = named.address[1]
            # /proc/net/tcp shows an address as hex in host byte order: 0100007F is 127.0.0.1; state 0A is listening.
            rows = [line.split() for file in ("tcp", "tcp6")
                    for line in Path(f"/proc/{named.process.pid}/net/{file}").read_text().splitlines()[1:]]
            bound = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
            self.assertEqual([f"0100007F:{port:04X}"], bound)

    def test_a_port_that_is_taken_is_no_failure(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with Named(ZONES, yaml={"server": {"listen": f"127.0.0.1:{port}"}}) as named:
                named.query("www.example.com")
                wait_until(lambda: re.search(rf"bindcast: .*{port}.*in use", named.log(), re.IGNORECASE), "a warning")
                taken.close()
                wait_until(named.addresses, "it to try again", 40)
                with Client(named) as client:
                    client.request("ping")

    def test_two_views_share_one_listener(self):
        views = {"inside": View("127.0.0.1", dict(ZONES)), "outside": View("any", dict(ZONES))}
        with Named(views=views) as named, Client(named) as client:
            client.subscribe(event_types=["dns_query_log"])
            named.query("in.example.com")
            named.query("out.example.com", source="127.0.0.2")
            inside = client.wait_event("dns_query_log", qname="in.example.com")
            outside = client.wait_event("dns_query_log", qname="out.example.com")
            self.assertEqual(("inside", "outside"), (inside["data"]["view"], outside["data"]["view"]))
            self.assertEqual("outside", outside["metadata"]["view"])
            self.assertEqual(1, len(named.addresses()))

    def test_a_view_without_the_plugin_stays_private(self):
        views = {"inside": View("127.0.0.1", dict(ZONES)), "outside": View("any", dict(ZONES), plugin=False)}
        with Named(views=views) as named, Client(named) as client:
            client.subscribe(event_types=["dns_query_log"])
            named.query("out.example.com", source="127.0.0.2")
            named.query("in.example.com")
            client.wait_event("dns_query_log", qname="in.example.com")
            self.assertEqual([], client.of("dns_query_log", qname="out.example.com"))

    def test_the_dyndb_line_shows_zones_without_a_query(self):
        with Named(ZONES, dyndb=True, start="running") as named, Client(named) as client:
            client.subscribe(event_types=["zone_loaded", "zone_created"])
            named.wait_log("all zones loaded")
            wait_until(named.rndc_answers, "the control channel")
            named.rndc("addzone", "new.example", '{ type primary; file "example.com.db"; };')
            client.wait_event("zone_created", zone="new.example")

    def test_dyndb_alone_does_nothing(self):
        with Named(ZONES, plugin=False, extra=f'dyndb "bindcast" "{PLUGIN}" {{ }};') as named:
            named.query("www.example.com")
            named.rndc("reload")
            self.assertFalse(named.token_file.exists())
            self.assertEqual([], named.addresses())

    def test_removing_the_plugin_closes_the_listener(self):
        with Named(ZONES) as named:
            address = named.address
            with Client(named) as client:
                named.plugin = False
                named.write_configuration()
                named.rndc("reconfig")
                self.assertEqual(1001, client.wait_closed())
            wait_until(lambda: not listens(address), "the listener to be closed")
            wait_until(lambda: "bindcast-loop" not in named.threads(), "the threads to end")
            named.query("www.example.com")
            # And in again.
            named.plugin = True
            named.write_configuration()
            named.rndc("reconfig")
            wait_until(lambda: len(named.addresses()) == 2, "the listener to be back")
            with Client(named) as client:
                client.subscribe(event_types=["dns_query_log"])
                named.query("again.example.com")
                client.wait_event("dns_query_log", qname="again.example.com")


class OtherVersionTest(unittest.TestCase):
    def test_built_for_another_bind_it_stays_out_of_the_way(self):
        with Named(ZONES, so=OTHER_VERSION) as named:
            self.assertEqual("192.0.2.1", named.query("www.example.com").answer[0][0].address)
            named.rndc("reload")
            lines = [line for line in named.log().splitlines() if "built for BIND" in line]
            self.assertEqual(2, len(lines), lines)  # one for the start, one for the reload
            self.assertIn("9.18.1-other", lines[0])
            self.assertEqual([], named.addresses())
            self.assertFalse(named.token_file.exists())
            self.assertNotIn("bindcast-loop", named.threads())

    def test_checkconf_says_so_and_passes(self):
        with Named(ZONES, so=OTHER_VERSION, start="no") as named:
            done = named.checkconf()
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)


class CheckconfTest(unittest.TestCase):
    def check(self, yaml, good: bool) -> str:
        with Named(ZONES, yaml=yaml, start="no") as named:
            before = set(os.listdir(named.folder))
            done = named.checkconf()
            self.assertEqual(good, done.returncode == 0, done.stdout + done.stderr)
            self.assertEqual(before, set(os.listdir(named.folder)), "checking a configuration makes no files")
            self.assertFalse(listens(("127.0.0.1", 18353)))
            return done.stdout + done.stderr

    def test_a_good_file(self):
        self.check("server:\n  listen: 127.0.0.1:18353\nevents:\n  zones: {sweep: 1s}\n", True)

    def test_no_file(self):
        self.check(None, True)

    def test_an_unknown_key_names_the_nearest(self):
        text = self.check("server:\n  listen: 127.0.0.1:18353\n  max_conections: 5\n", False)
        self.assertRegex(text, r"bindcast\.yaml:3: server\.max_conections: ")
        self.assertIn("max_connections", text)

    def test_every_fault_at_once(self):
        text = self.check("events:\n  queries: {sample: 0}\n  zones: {sweep: soon}\nserver: {listen: 0.0.0.0:18353}\n",
                          False)
        for line, key in ((2, "events.queries.sample"), (3, "events.zones.sweep"), (4, "server.listen")):
            self.assertRegex(text, rf"bindcast\.yaml:{line}: {re.escape(key)}: ")

    def test_no_yaml_at_all(self):
        self.assertIn("bindcast.yaml:1:", self.check("{{{", False))

    def test_a_missing_file(self):
        with Named(ZONES, start="no") as named:
            (named.folder / "bindcast.yaml").unlink()
            done = named.checkconf()
            self.assertNotEqual(0, done.returncode)
            self.assertIn("bindcast.yaml", done.stdout + done.stderr)

    def test_faulty_parameters_in_named_conf(self):
        with Named(ZONES, plugin=False, start="no", extra=f'plugin query "{PLUGIN}" {{ konfig "x"; }};') as named:
            done = named.checkconf()
            self.assertNotEqual(0, done.returncode)
            self.assertIn("config", done.stdout + done.stderr)


class FaultyStartTest(unittest.TestCase):
    def test_named_itself_refuses_a_faulty_file_at_start(self):
        with Named(ZONES, yaml="servr: {}\n", start="running") as named:
            named.wait_for_end()
            self.assertNotEqual(0, named.process.returncode)
            self.assertIn("bindcast.yaml:1: servr: ", named.log())
            named.check_log()
            named.process = None  # it has ended as it should


if __name__ == "__main__":
    unittest.main(verbosity=2)
