"""Who is let in, for how long, and what those get who are not: the real named, real clients, tokens made by PyJWT."""

from __future__ import annotations

import crypt
import hashlib
import http.client
import json
import os
import ssl
import subprocess
import time
import unittest
import warnings
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from client import Client, RawSocket, reconfigured
from harness import TIME_FACTOR, Named, wait_until

PASSWORD = "correct horse"
HASH = crypt.crypt(PASSWORD, "$y$j8T$identity")
USERS = [{"name": "ann", "password": HASH, "roles": ["admin"]}, {"name": "vic", "password": HASH, "roles": ["viewer"]}]
TOKEN = "api-token-of-the-tests-0123456789"
TOKENS = [{"name": "job", "sha256": hashlib.sha256(TOKEN.encode()).hexdigest(), "roles": ["viewer"]}]
NO_LOCKOUT = {"failures": 1000}


def ask(named, path, body=None, *, method="POST", headers=None, source="127.0.0.1"):
    """One request from an address of ours: status, headers, body as JSON."""
    host, port = named.address
    connection = http.client.HTTPConnection(host, port, timeout=20 * TIME_FACTOR, source_address=(source, 0))
    try:
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, path, text, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, answer.headers, json.loads(content) if content else None
    finally:
        connection.close()


def log_in(named, user="ann", password=PASSWORD, **options):
    return ask(named, "/api/v1/login", {"user": user, "password": password}, **options)


def cookie_of(headers) -> str:
    return headers["Set-Cookie"].split(";")[0]


def status_of(named, **headers) -> int:
    return ask(named, "/api/v1/status", method="GET", headers=headers)[0]


def bearer(token) -> dict:
    return {"Authorization": f"Bearer {token}"}


def how_it_ends(named, **options) -> int:
    """The close code of a WebSocket that is not let in."""
    with Client(named, account=False, **options) as client:
        return client.wait_closed()


def handshake(named, headers=None, path="/ws") -> int:
    with RawSocket(named) as raw:
        return raw.upgrade(path, headers)


class Logins(unittest.TestCase):
    def test_a_login_from_its_beginning_to_its_end(self):
        with Named(yaml={"auth": {"users": USERS}}) as named, Client(named) as admin:
            admin.subscribe(categories=["user", "audit"])
            status, headers, body = log_in(named)
            self.assertEqual((status, body["user"], body["roles"]), (200, "ann", ["admin"]))
            self.assertIn("expires_at", body)
            token, cookie = body["token"], headers["Set-Cookie"]
            self.assertEqual(cookie, f"bindcast_session={token}; Max-Age=28800; Path=/; HttpOnly; SameSite=Strict")
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(admin.wait_event("user_login", user="ann")["data"]["client"], "127.0.0.1")
            admin.wait_event("session_created", user="ann")
            admin.wait_event("audit_log", user="ann", action="login")

            origin = "http://%s:%d" % named.address
            self.assertEqual(status_of(named, Cookie=f"a=b; {cookie_of(headers)}; c=d"), 200)
            self.assertEqual(status_of(named, Cookie=cookie_of(headers), Origin=origin), 200)
            self.assertEqual(status_of(named, **bearer(token)), 200)
            page = Client(named, token=None, headers={"Cookie": cookie_of(headers), "Origin": origin})
            script = Client(named, token=token)
            for client in (page, script):
                welcome = client.wait_message("connection_established")
                self.assertEqual((welcome["data"]["user"], welcome["data"]["roles"]), ("ann", ["admin"]))

            status, renewed, body = ask(named, "/api/v1/renew", headers={"Cookie": cookie_of(headers)})
            self.assertEqual((status, cookie_of(renewed)), (200, cookie_of(headers)))
            self.assertNotIn("token", body)

            status, gone, body = ask(named, "/api/v1/logout", headers={"Cookie": cookie_of(headers)})
            self.assertEqual((status, body), (200, {"user": "ann"}))
            self.assertIn("Max-Age=0", gone["Set-Cookie"])
            for client in (page, script):
                self.assertEqual(client.wait_message("session_expired")["data"]["reason"], "logout")
                self.assertEqual(client.wait_closed(), 4401)
                client.close()
            admin.wait_event("user_logout", user="ann")

            # What was recorded before is of no use.
            self.assertEqual(status_of(named, Cookie=cookie_of(headers)), 401)
            self.assertEqual(status_of(named, **bearer(token)), 401)
            self.assertEqual(how_it_ends(named, token=token), 4401)
            self.assertEqual(ask(named, "/api/v1/renew", headers={"Cookie": cookie_of(headers)})[0], 401)
            with Client(named, token=None, headers={"Cookie": cookie_of(headers)}) as replayed:
                self.assertEqual(replayed.wait_message("error")["data"]["code"], "AUTH_FAILED")
                replayed.send(json.dumps({"type": "authenticate", "data": {"token": named.token}}))
                replayed.wait_message("connection_established")


if __name__ == "__main__":
    unittest.main()
