"""Roles and privacy on the real named: who sees which events, how clearly, and that what is masked stands nowhere in
clear.
"""

import base64
import hashlib
import ipaddress
import json
import re
import unittest

import dns.edns
import dns.message
import dns.query

from client import Client, RawSocket, reconfigured
from harness import TIME_FACTOR, UPDATE_KEY, UPDATE_SECRET, Named, Zone, wait_until
from traffic import Receiver

ZONES = {"example.com": Zone("www A 192.0.2.1")}


def token(name: str, *roles: str) -> dict:
    """An API token whose text is its name."""
    return {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "roles": list(roles)}


class RolesTest(unittest.TestCase):
    ROLES = {
        "helpdesk": {"categories": ["dns"], "filter": 'qname under "example.com"',
                     "privacy": {"client_address": "prefix", "query_name": "domain"}},
        "security": {"categories": ["dns", "security"]},
        "screen": {"categories": ["dns"], "subscribe": {"types": ["dns_query_log"],
                                                        "filter": 'qname under "screen.example.com"'}},
    }
    TOKENS = [token("hal", "helpdesk"), token("sue", "security"), token("both", "helpdesk", "security"),
              token("bot", "publisher"), token("wall", "screen")]

    @classmethod
    def setUpClass(cls):
        cls.named = cls.enterClassContext(Named(ZONES, yaml={"roles": cls.ROLES, "auth": {"tokens": cls.TOKENS}}))

    def client(self, name: str, *types: str, **options) -> Client:
        client = self.enterContext(Client(self.named, token=name, **options))
        if types:
            client.subscribe(event_types=list(types))
        return client

    def test_one_event_masked_for_the_help_desk_and_clear_for_security(self):
        for subprotocol in (None, "bindcast.v1.deflate", "cloudevents.json"):
            helpdesk = self.client("hal", "dns_query_log", subprotocol=subprotocol)
            security = self.client("sue", "dns_query_log", subprotocol=subprotocol)
            both = self.client("both", "dns_query_log", subprotocol=subprotocol)
            name = f"secret{str(subprotocol)[:3]}.of.example.com".lower()
            self.named.query("elsewhere.test", source="127.3.2.1")
            self.named.query(name, source="127.3.2.1")
            mine = lambda event: event["data"].get("qname") == name
            clear = security.wait_for(mine)
            self.assertEqual(clear, both.wait_for(mine))
            masked = helpdesk.wait_for(lambda _: True)
            self.assertEqual("127.3.2.1", clear["data"]["client"])
            self.assertEqual(clear["id"], masked["id"])
            expected = dict(clear["data"], client="127.3.2.0/24", qname="example.com")
            del expected["client_port"]
            self.assertEqual(dict(clear, data=expected), masked)
            # Nor of what its filter refuses.
            self.assertEqual(1, len(helpdesk.events))
            self.assertNotIn("127.3.2.1", helpdesk.received())
            for client in (helpdesk, security, both):
                client.close()

    def test_a_filter_asks_for_what_may_be_seen(self):
        exact, network = self.client("hal"), self.client("hal")
        exact.subscribe(event_types=["dns_query_log"], filter='client = "127.3.2.2"')
        network.subscribe(event_types=["dns_query_log"], filter='client in "127.3.2.0/24"')
        self.named.query("oracle.example.com", source="127.3.2.2")
        network.wait_event("dns_query_log", qname="example.com")
        self.assertEqual([], exact.events)

    def test_a_roles_subscription_is_there_from_the_beginning(self):
        screen = self.client("wall")
        welcome = screen.wait_message("connection_established")["data"]
        self.assertEqual(["screen"], [s["name"] for s in welcome["subscriptions"]])
        self.named.query("www.example.com")
        self.named.query("a.screen.example.com")
        screen.wait_event("dns_query_log", qname="a.screen.example.com")
        self.assertEqual(1, len(screen.events))

    def test_who_may_not_is_refused_and_admins_are_told(self):
        admin = self.enterContext(Client(self.named))
        admin.subscribe(event_types=["permission_denied"])
        bot = self.client("bot")
        for _ in range(3):
            answer = bot.request("subscribe", {})
            self.assertEqual("PERMISSION_DENIED", answer["data"]["code"])
        event = admin.wait_event("permission_denied", user="bot", action="subscribe")
        self.assertEqual(("subscribe", 1, "127.0.0.1"),
                         tuple(event["data"][key] for key in ("action", "count", "client")))
        with RawSocket(self.named) as raw:
            self.assertEqual(403, raw.http("/api/v1/status", {"Authorization": "Bearer bot"})[0])
        self.assertEqual("127.0.0.1",
                         admin.wait_event("permission_denied", user="bot", action="/api/v1/status")["data"]["client"])
        event = {"type": "custom.x", "data": {}}
        with RawSocket(self.named) as raw:
            status, _ = raw.http("/api/v1/events", {"Authorization": "Bearer hal", "Content-Type": "application/json"},
                                 "POST", json.dumps(event).encode())
        self.assertEqual(403, status)
        admin.wait_event("permission_denied", user="hal", action="/api/v1/events")
        self.assertEqual("PERMISSION_DENIED", self.client("hal").request("publish", event)["data"]["code"])
        admin.wait_event("permission_denied", user="hal", action="publish")
        answer = self.client("hal").request("subscribe", {"event_types": ["malware_blocked"]})
        self.assertEqual("PERMISSION_DENIED", answer["data"]["code"])
        admin.wait_event("permission_denied", user="hal", action="subscribe", subject="malware_blocked")
        self.assertEqual(1, len(admin.of("permission_denied", user="bot", action="subscribe")))


class ReconfigurationTest(unittest.TestCase):
    def test_a_change_of_roles_is_in_force_for_open_connections(self):
        yaml = {"auth": {"tokens": [token("hal", "helpdesk")]}, "roles": {"helpdesk": {}}}
        with Named(ZONES, yaml=yaml) as named, Client(named) as admin, Client(named, token="hal") as helpdesk:
            admin.subscribe(event_types=["config_change"])
            helpdesk.subscribe(event_types=["dns_query_log"])
            named.query("one.example.com", source="127.3.2.1")
            helpdesk.wait_event("dns_query_log", qname="one.example.com", client="127.3.2.1")
            reconfigured(named, admin, roles={"helpdesk": {"privacy": {"client_address": "none"}}})
            named.query("two.example.com", source="127.3.2.1")
            self.assertNotIn("client", helpdesk.wait_event("dns_query_log", qname="two.example.com")["data"])
            reconfigured(named, admin, roles={"helpdesk": {}}, privacy={"client_address": "prefix"})
            admin.subscribe(event_types=["dns_query_log"])
            named.query("three.example.com", source="127.3.2.1")
            for client in (admin, helpdesk):
                client.wait_event("dns_query_log", qname="three.example.com", client="127.3.2.0/24")


# ── What is masked for all ───────────────────────────────────────────────────────────────────────────────────────────

ASKER, DASHBOARD, RULED = "127.77.66.55", "127.77.66.54", "127.77.65.53"
SUBNET = "10.213.46.97"  # told by an option of the query
LABEL = "zq7x-wunderlich"
POLICY_ZONES = {
    "rpz.malware": Zone(f"*.{LABEL}.bad.test CNAME ."),
    "rpz.clients": Zone(f"32.{'.'.join(reversed(RULED.split('.')))}.rpz-client-ip CNAME ."),
}
POLICY = 'response-policy { zone "rpz.malware"; zone "rpz.clients"; } qname-wait-recurse no;'


def base64_forms(data: bytes) -> list[bytes]:
    """How `data` may look inside of something longer in base64, as far as its neighbours do not matter."""
    forms = []
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + data)
        forms.append(text[(shift * 8 + 5) // 6:(shift + len(data)) * 8 // 6])
    return forms


def forms_of(text: str, *binary: bytes) -> list[bytes]:
    """Every way in which a secret might stand somewhere; in lower case."""
    forms = [text.encode()]
    for data in (text.encode(), *binary):
        forms += [data, data.hex().encode(), *base64_forms(data)]
    return [form.lower() for form in forms]


def forms_of_address(text: str) -> list[bytes]:
    packed = ipaddress.ip_address(text).packed
    reverse = ".".join(reversed(text.split(".")))
    return forms_of(text, packed, packed[::-1]) + forms_of(reverse) + [str(int.from_bytes(packed, "big")).encode()]


SECRETS = {address: forms_of_address(address) for address in (ASKER, DASHBOARD, RULED, SUBNET)}
SECRETS[LABEL] = forms_of(LABEL, bytes([len(LABEL)]) + LABEL.encode())
SECRETS[UPDATE_KEY] = [UPDATE_KEY.encode()]


class AnyHash:
    """Equal to any hash."""

    def __eq__(self, other):
        return isinstance(other, str) and re.fullmatch("hash:[0-9a-f]{16}", other) is not None


ANY_HASH = AnyHash()


class PrivacyTest(unittest.TestCase):
    """What is masked for all stands nowhere: not in what an admin gets, nor a webhook, a log line or a file."""

    def assert_nowhere(self, data: bytes, where: str, secrets=SECRETS):
        lower = data.lower()
        for secret, forms in secrets.items():
            for form in forms:
                at = lower.find(form)
                if at >= 0:
                    self.fail(f"{secret} as {form!r} in {where}: {data[max(0, at - 200):at + 100]!r}")

    def test_the_search_finds_what_is_there(self):
        for secret in (ASKER, LABEL):
            for text in (secret, secret.upper(), secret.encode().hex()):
                with self.assertRaises(AssertionError):
                    self.assert_nowhere(f"x{text}y".encode(), "here")
            for before in (b"", b"a", b"ab"):
                with self.assertRaises(AssertionError):
                    self.assert_nowhere(base64.b64encode(before + secret.encode() + b"more"), "here")
        with self.assertRaises(AssertionError):
            self.assert_nowhere(b"\0" + ipaddress.ip_address(ASKER).packed, "here")

    def files_of_ours(self, named) -> list:
        """Every file in named's folder but those that named, or this test, wrote itself."""
        of_named = {"named.conf", "named.log", "rndc.conf", "named.pid", "session.key", "bindcast.yaml", "named"}
        of_named |= {named.zone_file(name).name for name in named.zones}
        return [file for file in named.folder.rglob("*") if file.is_file() and file.name not in of_named
                and not file.name.startswith("managed-keys")]

    def ask_everything(self, named):
        """Queries by every transport, signed, with a subnet, that meet rules of both kinds; and people at dashboards."""
        ask = lambda name, **options: named.query(name, source=ASKER, **options)
        ask(f"{LABEL}.example.com")
        ask(f"tcp.{LABEL}.example.com", tcp=True)
        ask(f"signed.{LABEL}.example.com", key=(UPDATE_KEY, UPDATE_SECRET))
        ask(f"a.{LABEL}.bad.test")
        for _ in range(2):  # counted, told when the window ends
            ask(f"a.{LABEL}.bad.test")
        named.query(f"b.{LABEL}.example.com", source=RULED)
        message = dns.message.make_query(f"subnet.{LABEL}.example.com", "A", use_edns=0,
                                         options=[dns.edns.ECSOption(SUBNET, 32)])
        dns.query.udp(message, "127.0.0.1", port=named.port, timeout=10 * TIME_FACTOR, source=ASKER)
        with Client(named, token="viewer", source=DASHBOARD) as viewer:
            viewer.subscribe(event_types=["zone_created"])
            viewer.request("subscribe", {"event_types": ["audit_log"]})
        Client(named, token="wrong", source=DASHBOARD).close()
        with Client(named, token="editor") as editor:
            data = {"client": ASKER, "clients": [ASKER, {"at": RULED}], "actor": {"client": SUBNET, "key": UPDATE_KEY},
                    "before": ASKER, "after": "nothing", "deeper": [{"qname": f"{LABEL}.example.com"}]}
            answer = editor.request("publish", {"type": "custom.seen", "data": data,
                                                "metadata": {"custom_fields": {"source_ip": ASKER}}})
            assert answer["type"] == "published", answer

    def check(self, privacy: dict, expected: dict):
        """`expected`: the data of the query for LABEL, as far as it is not the same in any case."""
        receiver = self.enterContext(Receiver())
        yaml = {
            "privacy": privacy, "auth": {"tokens": [token("viewer", "viewer"), token("editor", "publisher")]},
            "events": {"rpz": {"feeds": {"rpz.*": "malware"}, "repeat_window": "300ms"}},
            "sources": {"analytics": {"interval": "1s"}},
            "retry": {"initial": "50ms", "attempts": 2},
            "escalation": [{"after": "0s", "webhook": {"url": receiver.url()}}],
        }
        named = Named({**ZONES, **POLICY_ZONES}, options=POLICY, yaml=yaml)
        with named:
            everything = [self.enterContext(Client(named, subprotocol=subprotocol, account=False))
                          for subprotocol in (None, "bindcast.v1.json", "bindcast.v1.deflate", "cloudevents.json")]
            for client in everything:
                client.subscribe()
            self.ask_everything(named)
            admin = everything[0]
            for kind in ("authentication_failed", "permission_denied", "connection_closed"):
                admin.wait_event(kind)
            admin.wait_event("malware_blocked", count=2)
            admin.wait_event("dns_analytics_update", where=lambda event: event["data"]["queries"])
            self.assertEqual("nothing", admin.wait_event("custom.seen")["data"]["after"])
            of_label = admin.wait_event("dns_query_log")["data"]
            self.assertEqual(expected, {key: of_label[key] for key in ("client", "qname") if key in of_label})
            self.assertNotIn("client_port", of_label)
            self.assertEqual(7, len(admin.wait_events(7, "dns_query_log", transport="udp")))
            wait_until(lambda: len(receiver.posts) >= 2, "the webhooks")
            admin.wait_event("malware_blocked", where=lambda event: event["metadata"].get("attempt") == 3)
            late = self.enterContext(Client(named, account=False))
            late.subscribe_from_start()
            late.wait_event("malware_blocked")
            with Client(named, token="viewer", source=DASHBOARD, account=False):
                connections = admin.request("get_connections")["data"]["connections"]
            self.assertIn("viewer", [connection["user"] for connection in connections])
            for kind in ("get_status", "get_statistics", "get_subscriptions", "get_alerts"):
                admin.request(kind, {"channels": True})
            with RawSocket(named) as raw:
                status = raw.http("/api/v1/status", {"Authorization": f"Bearer {named.token}"})
            received = [client.received().encode() for client in (*everything, late)]
            for text in received:
                self.assert_nowhere(text, "what an admin got")
            self.assert_nowhere(status[1], "the status")
            for post in receiver.posts:
                self.assert_nowhere(post.body, "a webhook's post")
            named.stop()
            log = b"\n".join(line for line in named.log().encode().splitlines() if b"bindcast" in line)
            self.assertIn(b"listening on", log)
            self.assert_nowhere(log, "the log")
            files = self.files_of_ours(named)
            self.assertLessEqual({"bindcast.token", "bindcast.db"}, {file.name for file in files})
            for file in files:
                self.assert_nowhere(file.read_bytes(), file.name)
        return everything

    def test_networks_and_domains(self):
        admin = self.check({"client_address": "prefix", "query_name": "domain"},
                           {"client": "127.77.66.0/24", "qname": "example.com"})[0]
        rule = admin.wait_event("malware_blocked", trigger="client-ip")["data"]
        self.assertEqual(("127.77.65.0/24", "24.0.65.77.127.rpz-client-ip.rpz.clients"), (rule["client"], rule["rule"]))
        self.assertEqual(1, len(admin.of("dns_query_log", ecs="10.213.46.0/24")))

    def test_hashes(self):
        admin = self.check({"client_address": "hash", "query_name": "hash"}, {"client": ANY_HASH, "qname": ANY_HASH})[0]
        queries = admin.of("dns_query_log")
        clients = {query["data"]["client"] for query in queries}
        self.assertEqual(2, len(clients))
        self.assertEqual(8, len({query["data"]["qname"] for query in queries}) + 2)  # one name was asked for three times
        failed = admin.wait_event("authentication_failed")["data"]["client"]
        closed = admin.wait_event("connection_closed", user="viewer")["data"]["client"]
        self.assertEqual(failed, closed)
        self.assertNotIn(failed, clients)

    def test_nothing_left(self):
        admin = self.check({"client_address": "none", "query_name": "none"}, {})[0]
        for event in admin.events:
            self.assertFalse({"client", "qname", "ecs", "tsig_key", "rule"} & set(event["data"]), event)


if __name__ == "__main__":
    unittest.main()
