"""Roles and privacy: who sees which events, how clearly, and that what is masked stands nowhere in clear."""

import hashlib
import unittest

from client import Client
from harness import Named, Zone

ZONES = {"example.com": Zone("www A 192.0.2.1")}


def token(name: str, *roles: str) -> dict:
    """An API token whose text is its name."""
    return {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "roles": list(roles)}


class OneEventTest(unittest.TestCase):
    """One event, masked for the help desk and clear for security."""

    ROLES = {
        "helpdesk": {"categories": ["dns"], "filter": 'qname under "example.com"',
                     "privacy": {"client_address": "prefix", "query_name": "domain"}},
        "security": {"categories": ["dns", "security"]},
    }
    TOKENS = [token("hal", "helpdesk"), token("sue", "security"), token("bot", "publisher")]

    @classmethod
    def setUpClass(cls):
        cls.named = cls.enterClassContext(Named(ZONES, yaml={"roles": cls.ROLES, "auth": {"tokens": cls.TOKENS}}))

    def client(self, name: str) -> Client:
        return self.enterContext(Client(self.named, token=name))

    def test_masked_for_the_help_desk_and_clear_for_security(self):
        helpdesk, security = self.client("hal"), self.client("sue")
        for client in (helpdesk, security):
            client.subscribe(event_types=["dns_query_log"])
        self.named.query("secret.of.example.com", source="127.3.2.1")
        clear = security.wait_event("dns_query_log", qname="secret.of.example.com")
        masked = helpdesk.wait_event("dns_query_log")
        self.assertEqual("127.3.2.1", clear["data"]["client"])
        self.assertEqual(clear["id"], masked["id"])
        expected = dict(clear["data"], client="127.3.2.0/24", qname="example.com")
        del expected["client_port"]
        self.assertEqual(expected, masked["data"])
        self.assertNotIn("127.3.2.1", helpdesk.received())


if __name__ == "__main__":
    unittest.main()
