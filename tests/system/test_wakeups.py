"""Zones whose files named touches are looked at at once, however seldom all zones are.

The interval of the full sweep is an hour here: what comes at once was woken.
"""

import contextlib
import time
import unittest

import dns.exception

from client import Client, watching
from harness import TIME_FACTOR, HarnessError, Named, Zone, wait_until, zone_text
from traffic import Background

UPDATABLE = "allow-update { key update-key; };"
SELDOM = {"events": {"zones": {"sweep": "1h"}}}
RECORDS = ["record_created", "record_updated", "record_deleted", "zone_updated", "zone_loaded"]
MANY = 1500  # all zone_loaded of the start are within what the server remembers
# On the average. Just after the start what is not woken is looked at once a second.
PROMPT_S = 0.5


@contextlib.contextmanager
def prompt(test, changes: int):
    """So many changes, each waited for before the next, were woken."""
    began = time.monotonic()
    yield
    test.assertLess((time.monotonic() - began) / changes, PROMPT_S * TIME_FACTOR)


def many_zones(named) -> str:
    """Zone statements beside those the harness knows: they share a file."""
    (named.folder / "many.db").write_text(zone_text())
    return "".join(f'zone "m{i}.example" {{ type primary; file "many.db"; }};\n' for i in range(MANY))


def add(named, zone, name):
    named.update(zone, lambda u: u.add(name, 60, "A", "192.0.2.7"))


class WakeUpTest(unittest.TestCase):
    def test_an_update_in_one_of_many_zones(self):
        zones = {f"u{i}.example": Zone(options=UPDATABLE) for i in range(3)}
        with Named(zones, yaml=SELDOM, start="no") as named:
            named.extra = many_zones(named)
            named._start_as = "answering"
            named.start()
            with watching(named) as client:
                client.subscribe(event_types=RECORDS)
                with prompt(self, 20):
                    for i in range(20):
                        zone = f"u{i % 3}.example"
                        add(named, zone, f"a{i}")
                        client.wait_event("record_created", name=f"a{i}.{zone}")
                updated = client.wait_events(20, "zone_updated")
                self.assertEqual([(i // 3 + 1, i // 3 + 2) for i in range(20)],
                                 [(e["data"]["serial"]["from"], e["data"]["serial"]["to"]) for e in updated])

    def test_wherever_the_journal_is(self):
        zones = {"here.example": Zone(options=UPDATABLE),
                 "there.example": Zone(options=UPDATABLE + ' journal "journals/there";')}
        with Named(zones, yaml=SELDOM, start="no") as named:
            (named.folder / "journals").mkdir()
            named._start_as = "answering"
            named.start()
            with watching(named) as client:
                client.subscribe(event_types=RECORDS)
                for zone in zones:
                    with self.subTest(zone), prompt(self, 10):
                        for i in range(10):
                            add(named, zone, f"a{i}")
                            client.wait_event("record_created", name=f"a{i}.{zone}")

    def test_a_zone_s_file_read_again(self):
        with Named({"a.example": Zone(), "b.example": Zone()}, yaml=SELDOM) as named, watching(named) as client:
            client.subscribe(event_types=RECORDS)
            with prompt(self, 10):
                for serial in range(2, 12):
                    named.write_zone("a.example", f"n{serial} A 192.0.2.1", serial)
                    named.rndc("reload", "a.example")
                    event = client.wait_event("record_created", name=f"n{serial}.a.example")
                    self.assertEqual("reload", event["data"]["cause"])
            self.assertEqual([], [e for e in client.events if e["data"]["zone"] != "a.example"])

    def test_transfers(self):
        for how, options in (("incremental", ""), ("full", "request-ixfr no;")):
            with self.subTest(how), Named({"t.example": Zone(options=UPDATABLE + "allow-transfer { any; };")},
                                          plugin=False) as primary:
                primaries = f"primaries {{ 127.0.0.1 port {primary.port}; }}; {options}"
                zone = Zone(type="secondary", options=primaries)
                with Named({"t.example": zone}, yaml=SELDOM) as named, watching(named) as client:
                    client.subscribe(event_types=RECORDS)
                    with prompt(self, 10):
                        for i in range(10):
                            add(primary, "t.example", f"a{i}")
                            named.rndc("refresh", "t.example")
                            event = client.wait_event("record_created", name=f"a{i}.t.example", timeout=20)
                            self.assertEqual("transfer", event["data"]["cause"])


class Updater(Background):
    """Updates of some zones without a pause. Refused ones do not count: a zone may just be gone."""

    def __init__(self, named, zones):
        super().__init__()
        self.written = 0
        self._named, self._zones = named, zones

    def _run(self):
        i = 0
        while not self._ended.is_set():
            i += 1
            try:
                add(self._named, self._zones[i % len(self._zones)], f"s{i}")
                self.written += 1
            except (HarnessError, OSError, dns.exception.DNSException, EOFError):
                pass


class ComeAndGoTest(unittest.TestCase):
    def test_zones_come_and_go_while_they_are_written(self):
        names = [f"s{i}.example" for i in range(6)]
        often = {"events": {"zones": {"sweep": "50ms"}}}
        with Named({name: Zone(options=UPDATABLE) for name in names}, yaml=often) as named:
            with watching(named) as client, Updater(named, names) as updater:
                client.subscribe(event_types=["zone_deleted", "zone_created", "record_created"])
                for _ in range(3):
                    before = updater.written
                    wait_until(lambda: updater.written > before + 20, "some updates", 30)
                    gone = names[0]
                    named.rndc("delzone", "-clean", gone)
                    client.wait_event("zone_deleted", zone=gone)
                    named.rndc("reload")
                    named.write_zone(gone, "")
                    named.rndc("reconfig")
                    client.wait_event("zone_created", zone=gone)
                    named.rndc("reload")
                    client.take_events()
                client.wait_event("record_created", zone=gone, timeout=30)

    def test_the_plugin_goes_and_comes_back(self):
        with Named({"a.example": Zone(options=UPDATABLE)}, yaml=SELDOM) as named:
            with Updater(named, ["a.example"]) as updater:
                for _ in range(3):
                    with Client(named, account=False) as client:
                        client.subscribe(event_types=["record_created"])
                        client.wait_event("record_created", timeout=30)
                    named.plugin = False
                    named.write_configuration()
                    named.rndc("reconfig")
                    wait_until(lambda: "bindcast-zones" not in named.threads(), "the zone thread to end", 30)
                    before = updater.written
                    wait_until(lambda: updater.written > before + 20, "some updates", 30)
                    listened = len(named.addresses())
                    named.plugin = True
                    named.write_configuration()
                    named.rndc("reconfig")
                    wait_until(lambda: len(named.addresses()) > listened, "the plugin to listen again")
            named.query("a.example", "SOA")


if __name__ == "__main__":
    unittest.main(verbosity=2)
