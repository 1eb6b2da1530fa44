"""The dashboard: how its files are served, and what a user of it sees, in Chromium."""

import crypt
import gzip
import hashlib
import http.client
import re
import unittest

from client import Client
from harness import TIME_FACTOR, Named, Zone, free_port
from page import Scenario

UPDATABLE = "allow-update { key update-key; };"
ZONES = {"example.com": Zone("www A 192.0.2.1\n* A 192.0.2.2\n", options=UPDATABLE)}
HASH = crypt.crypt("correct horse", "$y$j8T$identity")
USERS = [{"name": "ann", "password": HASH, "roles": ["admin"]},
         {"name": "vic", "password": HASH, "roles": ["viewer"]}]
POLICY = {"rpz.malware": Zone("bad.test CNAME .\n*.bad.test CNAME .\n")}
POLICY_OPTIONS = 'response-policy { zone "rpz.malware"; } qname-wait-recurse no;'
FEEDS = {"rpz": {"feeds": {"rpz.malware": "malware"}}}


def get(named, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    host, port = named.address
    connection = http.client.HTTPConnection(host, port, timeout=20 * TIME_FACTOR)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


class ServingTest(unittest.TestCase):
    def test_files(self):
        """The page and what it loads, compressed or not, with what keeps a browser safe; not again if it is the same."""
        with Named() as named:
            page, plain = get(named, "/")
            self.assertEqual(200, page.status)
            self.assertIsNone(page.headers["Content-Encoding"])
            self.assertEqual("no-cache", page.headers["Cache-Control"])
            policy = page.headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual("nosniff", page.headers["X-Content-Type-Options"])
            self.assertEqual("no-referrer", page.headers["Referrer-Policy"])
            compressed, body = get(named, "/", Accept_Encoding="br, gzip;q=0.8")
            self.assertEqual("gzip", compressed.headers["Content-Encoding"])
            self.assertEqual(plain, gzip.decompress(body))
            self.assertEqual("gzip" in get(named, "/", Accept_Encoding="br, gzip;q=0")[0].headers, False)

            same, body = get(named, "/", If_None_Match=page.headers["ETag"])
            self.assertEqual((304, b"", None), (same.status, body, same.headers["Content-Length"]))
            total = len(get(named, "/", Accept_Encoding="gzip")[1])
            assets = re.findall(r'"\./(assets/[^"]+)"', plain.decode())
            self.assertEqual(2, len(assets), plain)
            for asset in assets:
                answer, body = get(named, "/" + asset, Accept_Encoding="gzip")
                self.assertEqual(200, answer.status)
                self.assertIn("immutable", answer.headers["Cache-Control"])
                total += len(body)
            self.assertLess(total, 150 * 1024)

    def test_switched_off(self):
        with Named(yaml={"server": {"dashboard": False}}) as named:
            answer, body = get(named, "/")
            self.assertEqual(404, answer.status)
            self.assertIn(b"server.dashboard", body)


class PageTest(unittest.TestCase):
    def test_a_user(self):
        yaml = {"server": {"listen": f"127.0.0.1:{free_port()}"}, "auth": {"users": USERS}}
        with Named(ZONES, yaml=yaml) as named:
            Scenario(named).run("scenario.mjs")

    def test_losses(self):
        """What a connection is refused by its rate limit is told in its place, to the event."""
        limit = {"events_per_second": 50, "burst": 50, "adaptive": False}
        with Named(ZONES, yaml={"rate_limit": limit}) as named:
            Scenario(named).run("losses.mjs")

    def test_the_end_of_a_session(self):
        yaml = {"auth": {"session_ttl": "3s", "users": [*USERS, {"name": "pam", "password": HASH, "roles": ["publisher"]}]},
                "events": FEEDS, "sources": {"analytics": {"interval": "1s"}}}
        with Named({**ZONES, **POLICY}, yaml=yaml, options=POLICY_OPTIONS) as named:
            Scenario(named).run("session.mjs")

    def test_what_a_role_masks(self):
        mask = {"client_address": "prefix", "query_name": "domain"}
        yaml = {"auth": {"users": [*USERS, {"name": "hal", "password": HASH, "roles": ["helpdesk"]}]}, "events": FEEDS,
                "roles": {"helpdesk": {"categories": ["dns", "security"], "privacy": mask}}, "journal": {"queries": True}}
        with Named({**ZONES, **POLICY}, yaml=yaml, options=POLICY_OPTIONS) as named:
            Scenario(named).run("roles.mjs")

    def test_reconnect(self):
        """What happened while the page was away is shown once and in its place; what nobody remembers is said to be."""
        with Named(ZONES, yaml={"server": {"listen": f"127.0.0.1:{free_port()}"}}) as named:
            Scenario(named).run("reconnect.mjs")

    def test_what_each_view_says(self):
        """One condition is one alert, and how far it climbed; who changed what; what a finding stands on; the history."""
        tokens = [{"name": name, "roles": [role], "sha256": hashlib.sha256(f"token of {name}".encode()).hexdigest()}
                  for name, role in (("olga", "operator"), ("vic", "viewer"))]
        yaml = {"auth": {"tokens": tokens},
                "events": {"rpz": {"feeds": {"rpz.malware": "malware"}, "repeat_window": "0s"}},
                "sources": {"detectors": {"enabled": True, "nxdomain_flood": {"window": "1s", "client_names": 60}}},
                "escalation": [{"after": "0s", "to": {"roles": ["operator"]}},
                               {"after": "0s", "webhook": {"url": f"http://127.0.0.1:{free_port()}/"}},
                               {"after": "30m", "repeat": True}]}
        zones = {**ZONES, **POLICY, "example.net": Zone("www A 192.0.2.1", options=UPDATABLE)}
        channels = """channel bindcast { file "bindcast.log"; severity info; print-category yes; print-severity yes;
                      print-time iso8601-utc; }; category default { bindcast; harness; };"""
        with Named(zones, yaml=yaml, options=POLICY_OPTIONS, channels=channels) as named:
            with Client(named, token="token of olga", account=False):
                Views(named).run("views.mjs")


class Views(Scenario):
    def viewer_token(self):
        return {"token": "token of vic"}

    def ask(self, client: str, names: list[str]):
        for name in names:
            self.named.query(name, source=client)

    def update(self, zone: str, name: str, address: str):
        self.named.update(zone, lambda update: update.replace(name, 60, "A", address))


if __name__ == "__main__":
    unittest.main(verbosity=2)
