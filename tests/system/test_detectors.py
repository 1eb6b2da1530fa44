"""Detectors on the real named: what they find arrives with its evidence, once in a cool-down; ordinary queries are
silent; what is masked for somebody stands in none of it. What they find and what not: tests/unit/detectors_test.cpp.
"""

import hashlib
import socket
import time
import unittest
from datetime import datetime

import dns.message

from client import Client
from harness import Named, Zone

FLOODER, TUNNEL, ORDINARY = "127.0.0.2", "127.0.0.3", "127.0.0.1"
TYPES = ["threat_detected", "suspicious_activity", "security_alert"]
COOLDOWN_S = 2
MASKED_TOKEN = "a-token-of-the-masked"
YAML = {
    "sources": {"detectors": {"enabled": True, "cooldown": f"{COOLDOWN_S}s",
                              "nxdomain_flood": {"window": "1s", "client_names": 60, "domain_names": 1000000}}},
    "roles": {"masked": {"privacy": {"client_address": "prefix", "query_name": "domain"}}},
    "auth": {"tokens": [{"name": "m", "roles": ["masked"],
                         "sha256": hashlib.sha256(MASKED_TOKEN.encode()).hexdigest()}]},
    "retry": {"acknowledge": []},  # this test counts
}
ZONES = {"example.com": Zone("www A 192.0.2.1\nmail A 192.0.2.2"), "tunnel.test": Zone("* TXT data")}


def ask(named, source: str, names, rdtype="A"):
    """Questions from one address, each after the answer to the one before."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((source, 0))
        udp.settimeout(10)
        for name in names:
            udp.sendto(dns.message.make_query(name, rdtype).to_wire(), ("127.0.0.1", named.port))
            udp.recv(4096)


class DetectorsTest(unittest.TestCase):
    def test_a_flood_and_a_tunnel_beside_ordinary_queries(self):
        with Named(ZONES, yaml=YAML) as named, Client(named) as client, Client(named, token=MASKED_TOKEN) as masked:
            client.subscribe(event_types=TYPES)
            masked.subscribe(event_types=TYPES)
            ordinary = ["www.example.com", "mail.example.com", "nothing.example.com", "example.com"] * 30
            ask(named, ORDINARY, ordinary)
            ask(named, ORDINARY, ["example.com", "selector1._domainkey.example.com"] * 20, "TXT")

            payload = lambda i: hashlib.sha224(str(i).encode()).hexdigest()
            ask(named, TUNNEL, [f"{payload(i)}.{payload(-i)[:40]}.tunnel.test" for i in range(1, 200)], "TXT")
            found = client.wait_event("threat_detected", detector="tunnelling")
            data = found["data"]
            self.assertEqual(("began", TUNNEL, "tunnel.test", "names", 50),
                             tuple(data[key] for key in ("state", "client", "domain", "measure", "threshold")))
            self.assertGreaterEqual(data["score"], 3)
            self.assertEqual(60, data["window_seconds"])
            evidence = data["evidence"]
            self.assertEqual(5, len(evidence["qnames"]))
            self.assertTrue(all(name.endswith(".tunnel.test") for name in evidence["qnames"]))
            self.assertEqual(96, evidence["mean_bytes"])
            self.assertEqual("TXT", evidence["qtypes"][0]["qtype"])
            self.assertLessEqual(evidence["first_seen"], evidence["last_seen"])
            self.assertEqual("detectors", found["metadata"]["source_component"])

            # The flood goes on: it is told once, again only after the cool-down (or at once, where it has become
            # stronger), then that it has ended.
            floods = lambda: [e for e in list(client.events) if e["data"]["detector"] == "nxdomain_flood"]
            repeated = lambda: [e for e in floods() if e["data"]["cooldown"]["suppressed"] > 0]
            end, number = time.monotonic() + 10 * COOLDOWN_S, 0
            while not repeated() and time.monotonic() < end:
                ask(named, FLOODER, [f"x{number + i}.example.com" for i in range(100)])
                number += 100
            began, again = floods()[0], repeated()[0]
            self.assertEqual((FLOODER, "began"), (began["data"]["client"], began["data"]["state"]))
            self.assertEqual((FLOODER, "continues"), (again["data"]["client"], again["data"]["state"]))
            self.assertEqual(COOLDOWN_S, again["data"]["cooldown"]["seconds"])
            self.assertLessEqual(len(floods()), 3)  # one of them because it was stronger
            time_of = lambda event: datetime.fromisoformat(event["timestamp"])
            before = [e for e in floods() if e is not again][-1]
            self.assertGreaterEqual((time_of(again) - time_of(before)).total_seconds(), COOLDOWN_S - 0.1)
            ended = client.wait_event("suspicious_activity", detector="nxdomain_flood", state="ended")
            self.assertEqual(("normal", "info"), (ended["priority"], ended["severity"]))
            self.assertEqual(1, len({e["metadata"]["correlation_id"] for e in floods()}))

            # Nothing was found of the ordinary client, and the masked viewer was told all, without who and what.
            self.assertEqual({FLOODER, TUNNEL}, {e["data"]["client"] for e in list(client.events)})
            masked.wait_event("suspicious_activity", detector="nxdomain_flood", state="ended")
            self.assertEqual({"127.0.0.0/24"}, {e["data"]["client"] for e in list(masked.events)})
            text = "".join(masked.text)
            for event in list(client.events):
                for clear in (event["data"]["client"], *event["data"]["evidence"]["qnames"]):
                    self.assertNotIn(clear, text)


if __name__ == "__main__":
    unittest.main()
