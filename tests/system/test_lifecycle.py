"""named starts, stops, is killed and starts again: what is announced, and that it always ends in order."""

import signal
import unittest

from client import Client
from harness import TIME_FACTOR, Named, Zone
from traffic import Load

ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(100)))}
NAMES = [f"n{i}.example.com" for i in range(100)]


class StopTest(unittest.TestCase):
    def test_clients_hear_of_an_orderly_stop(self):
        with Named(ZONES) as named, Client(named) as client:
            client.subscribe(event_types=["service_stopped", "dns_query_log"])
            named.query("last.example.com")
            client.wait_event("dns_query_log", qname="last.example.com")
            named.stop()
            self.assertEqual(1001, client.wait_closed())
            event = client.of("service_stopped")[0]
            self.assertEqual(("system", "critical", "warning"),
                             (event["category"], event["priority"], event["severity"]))

    def test_halt_and_sigterm_are_orderly_too(self):
        with Named(ZONES) as named, Client(named) as client:
            client.subscribe(event_types=["service_stopped"])
            named.stop("halt")
            client.wait_closed()
            self.assertEqual(1, len(client.of("service_stopped")))
        with Named(ZONES) as named, Client(named) as client:
            client.subscribe(event_types=["service_stopped"])
            named.process.send_signal(signal.SIGTERM)
            named.wait_for_end()
            named.check_end()
            client.wait_closed()
            self.assertEqual(1, len(client.of("service_stopped")))

    def test_stop_under_load(self):
        for _ in range(3):
            with Named(ZONES) as named, Client(named, subprotocol="bindcast.v1.json") as client:
                client.subscribe()
                with Load(named, NAMES, seconds=60, rate=int(20_000 / TIME_FACTOR)):
                    client.wait_events(1000, "dns_query_log")
                    named.stop()

    def test_stop_at_once_after_the_start(self):
        for _ in range(5):
            with Named(ZONES, start="running") as named:
                named.wait_log(" running\n")  # earlier, named itself calls it a failed start
                named.process.send_signal(signal.SIGTERM)
                named.wait_for_end()
                named.check_end()

    def test_stop_beside_changing_zones(self):
        zones = {"example.com": Zone(options="allow-update { key update-key; };"),
                 **{f"z{i}.example": Zone() for i in range(200)}}
        with Named(zones, yaml={"events": {"zones": {"sweep": "50ms"}}}) as named, Client(named) as client:
            client.subscribe()
            for i in range(20):
                named.update("example.com",
                             lambda u, i=i: [u.add(f"h{i}-{j}", 60, "A", "192.0.2.1") for j in range(200)])
            named.rndc("reload")
            named.stop()


class RestartTest(unittest.TestCase):
    """A start is announced before any client can be there; `since` asks for what came before."""

    def announced(self, named, kind: str) -> list[dict]:
        """The service events since the runtime started; a query's event marks the end of what was remembered."""
        with Client(named) as client:
            client.subscribe_from_start(categories=["system"], event_types=["dns_query_log"])
            named.query("mark.example.com")
            client.wait_event("dns_query_log", qname="mark.example.com")
            return client.of(kind)

    def test_the_first_start(self):
        with Named(ZONES) as named:
            (started,) = self.announced(named, "service_started")
            self.assertEqual(named.process.pid, started["data"]["pid"])
            self.assertTrue(started["data"]["host_version"].startswith("9."))
            self.assertEqual(("high", "info"), (started["priority"], started["severity"]))
            self.assertEqual([], self.announced(named, "service_restarted"))

    def test_an_orderly_stop_and_a_crash_are_told_apart(self):
        with Named(ZONES) as named:
            named.stop()
            named.start()
            self.assertEqual([], self.announced(named, "service_restarted"))
            named.kill()
            named.start()
            (restarted,) = self.announced(named, "service_restarted")
            self.assertEqual(("high", "warning"), (restarted["priority"], restarted["severity"]))
            named.stop()
            named.start()
            self.assertEqual([], self.announced(named, "service_restarted"))

    def test_a_reload_is_no_start(self):
        with Named(ZONES) as named:
            named.rndc("reload")
            named.query("n1.example.com")
            self.assertEqual(1, len(self.announced(named, "service_started")))

    def test_the_token_stays_over_restarts(self):
        with Named(ZONES) as named:
            token = named.token
            named.kill()
            named.start()
            with Client(named, token=token) as client:
                client.wait_message("connection_established")
            self.assertEqual(token, named.token)


if __name__ == "__main__":
    unittest.main(verbosity=2)
