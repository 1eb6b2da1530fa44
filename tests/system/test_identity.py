"""Who is let in, for how long, and what those get who are not: the real named, real clients, tokens made by PyJWT."""

from __future__ import annotations

import collections
import concurrent.futures
import crypt
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import subprocess
import time
import unittest

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from client import Client, RawSocket, reconfigured
from harness import TIME_FACTOR, Named, Zone, wait_until

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
            # Who says that a token will come is that user, whoever has logged in by the same browser.
            other = Client(named, token=None, path="/ws?cookie=no",
                           headers={"Cookie": cookie_of(headers), "Origin": origin})
            other.send(json.dumps({"type": "authenticate", "data": {"token": named.token}}))
            self.assertEqual("admin", other.wait_message("connection_established")["data"]["user"])
            other.close()
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


    def test_a_session_ends_by_its_time_and_its_user_is_told_before_the_close(self):
        with Named(yaml={"auth": {"users": USERS, "session_ttl": "2s"}}) as named, Client(named) as admin:
            admin.subscribe(event_types=["session_expired"])
            _, headers, body = log_in(named, "vic")
            with Client(named, token=body["token"]) as vic:
                vic.subscribe(event_types=["zone_created"])
                self.assertEqual(vic.wait_message("session_expired")["data"], {"user": "vic", "reason": "expired"})
                self.assertEqual(vic.wait_closed(), 4401)
            event = admin.wait_event("session_expired", user="vic", reason="expired")
            self.assertEqual(event["target_user_id"], "vic")
            self.assertEqual(status_of(named, Cookie=cookie_of(headers)), 401)
            self.assertEqual(how_it_ends(named, token=body["token"]), 4401)

    def test_who_is_taken_out_of_the_configuration_is_out(self):
        with Named(yaml={"auth": {"users": USERS, "tokens": TOKENS}}) as named, Client(named) as admin:
            admin.subscribe(event_types=["config_change"])
            ann, vic = (Client(named, token=log_in(named, name)[2]["token"]) for name in ("ann", "vic"))
            job = Client(named, token=TOKEN)
            reconfigured(named, admin, auth={"users": USERS[:1]})
            for client in (vic, job):
                self.assertIn("removed", client.wait_message("session_expired")["data"]["reason"])
                self.assertEqual(client.wait_closed(), 4401)
                client.close()
            self.assertEqual(log_in(named, "vic")[0], 401)
            self.assertEqual(ann.request("get_status")["type"], "status")
            # Another password ends what the old one began.
            reconfigured(named, admin, auth={"users": [{**USERS[0], "password": crypt.crypt("new", HASH)}]})
            self.assertEqual(ann.wait_closed(), 4401)
            ann.close()
            self.assertEqual(log_in(named)[0], 401)
            self.assertEqual(log_in(named, password="new")[0], 200)

    def test_a_page_in_many_tabs_and_one_that_is_loaded_again(self):
        yaml = {"auth": {"users": USERS, "tokens": TOKENS}, "server": {"max_connections_per_user": 2}}
        with Named(yaml=yaml) as named:
            cookie = {"Cookie": cookie_of(log_in(named)[1])}
            first, second = Client(named, token=None, headers=cookie), Client(named, token=None, headers=cookie)
            for tab in (first, second):
                tab.wait_message("connection_established")
            third = Client(named, token=None, headers=cookie)
            third.wait_message("connection_established")
            self.assertEqual(first.wait_closed(), 4409)
            self.assertEqual(second.request("get_status")["type"], "status")
            # Programs with a token do not throw each other out.
            with Client(named, token=TOKEN), Client(named, token=TOKEN) as job:
                self.assertEqual(how_it_ends(named, token=TOKEN), 4429)
                self.assertEqual(job.request("get_status")["type"], "status")
            for tab in (first, second, third):
                tab.close()

    def test_what_admins_may_ask_for(self):
        with Named(yaml={"auth": {"users": USERS}}) as named, Client(named) as admin:
            admin.subscribe(event_types=["permission_denied", "audit_log"])
            cookie = {"Cookie": cookie_of(log_in(named, "vic")[1])}
            vic = Client(named, token=None, headers=cookie)
            vic.wait_message("connection_established")
            for request in ("get_connections", "get_configuration", "disconnect_user", "broadcast"):
                answer = vic.request(request, {"user": "admin", "message": "x"})
                self.assertEqual(answer["data"]["code"], "PERMISSION_DENIED")
                admin.wait_event("permission_denied", user="vic", action=request)
            answer = admin.request("get_connections")["data"]
            self.assertEqual({c["user"]: c["known_by"] for c in answer["connections"]},
                             {"admin": "generated_token", "vic": "session"})
            self.assertEqual(admin.request("broadcast", {"message": "tea"})["data"]["clients"], 2)
            self.assertEqual(vic.wait_message("broadcast")["data"]["message"], "tea")
            self.assertEqual(admin.request("disconnect_user", {"user": "vic"})["data"],
                             {"user": "vic", "connections": 1, "sessions": 1})
            self.assertEqual(vic.wait_closed(), 4403)
            vic.close()
            self.assertEqual(status_of(named, **cookie), 401)
            admin.wait_event("audit_log", user="admin", action="disconnect_user", subject="vic")


class ConfigurationTest(unittest.TestCase):
    """What is configured is told to admins, and no secret of it to anybody."""

    def test_what_is_in_force_without_its_secrets(self):
        webhook = "https://hooks.example:8443/services/T0SECRETPATH?key=QUERYSECRET"
        with Named(start="no") as named:
            key, signing = named.folder / "jwt.key", named.folder / "hook.key"
            key.write_text("JWTSECRET" * 5)
            signing.write_text("HOOKSECRET" * 5)
            named.yaml = {
                "server": {"listen": "127.0.0.1:0", "max_connections": 77},
                "auth": {"users": USERS, "tokens": TOKENS, "jwt": {"algorithms": ["HS256"], "key": str(key)}},
                "escalation": [{"after": "1m", "webhook": {"url": webhook, "secret_file": str(signing)}}],
                "events": {"rpz": {"feeds": {"rpz.*": "malware"}}, "types": {"heartbeat": {"enabled": False}}}}
            named.write_configuration()
            named.start()
            with Client(named) as admin, Client(named, token=TOKEN) as job:
                answer = admin.request("get_configuration")["data"]
                options = {one["path"]: one for one in answer["options"]}
                value = lambda path: (options[path]["value"], options[path].get("default"), options[path]["differs"])
                self.assertEqual(("77", "1000", True), value("server.max_connections"))
                self.assertEqual(("true", "true", False), value("journal.enabled"))
                self.assertEqual(("(hidden)", None, True), value("auth.users[ann].password"))
                self.assertEqual(("(hidden)", None, True), value("auth.tokens[job].sha256"))
                self.assertEqual(("(hidden)", '""', True), value("escalation[0].webhook.url"))
                self.assertEqual((str(signing), '""', True), value("escalation[0].webhook.secret_file"))
                self.assertEqual(("[admin]", "[]", True), value("auth.users[ann].roles"))
                self.assertEqual(("{\"rpz.*\": malware}", "{}", True), value("events.rpz.feeds"))
                self.assertEqual(("false", "true", True), value("events.types.heartbeat.enabled"))
                self.assertEqual("Clients at the same time; more are refused.", options["server.max_connections"]["doc"])
                self.assertEqual((str(named.folder / "bindcast.yaml"), 0), (answer["file"], answer["left_out"]))
                status, _, by_http = ask(named, "/api/v1/configuration", method="GET", headers=bearer(named.token))
                self.assertEqual((200, answer), (status, by_http))
                self.assertEqual("PERMISSION_DENIED", job.request("get_configuration")["data"]["code"])
                for token, refused in ((TOKEN, 403), ("nobody's", 401)):
                    self.assertEqual(refused, ask(named, "/api/v1/configuration", method="GET", headers=bearer(token))[0])
                # It is read again, also where nothing in it is new.
                named.rndc("reconfig")
                read_at = lambda: admin.request("get_configuration")["data"]["read_at"]
                wait_until(lambda: read_at() > answer["read_at"], "the file to be read again")
                told = admin.received() + json.dumps(by_http) + job.received()
            for secret in (HASH, TOKENS[0]["sha256"], TOKEN, named.token, "T0SECRETPATH", "QUERYSECRET", "hooks.example",
                           "JWTSECRET", "HOOKSECRET"):
                self.assertNotIn(secret, told)

    def test_without_a_file_all_is_as_by_default(self):
        with Named(yaml=None) as named:
            answer = ask(named, "/api/v1/configuration", method="GET", headers=bearer(named.token))[2]
        self.assertNotIn("file", answer)
        self.assertEqual([], [one["path"] for one in answer["options"] if one["differs"]])


class Tokens(unittest.TestCase):
    """JSON Web Tokens, made by another implementation."""

    CLAIMS = {"sub": "eve", "roles": ["viewer", "of-elsewhere"], "iss": "https://id.example", "aud": ["bindcast", "x"]}

    @staticmethod
    def pem(key) -> bytes:
        return key.public_key().public_bytes(serialization.Encoding.PEM,
                                             serialization.PublicFormat.SubjectPublicKeyInfo)

    def make(self, key, algorithm, headers=None, **claims):
        claims = {**self.CLAIMS, "exp": int(time.time()) + 600, **claims}
        return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm, headers)

    def test_every_algorithm_and_a_key_that_changes(self):
        keys = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
                "EdDSA": ed25519.Ed25519PrivateKey.generate(), "HS256": b"0123456789abcdef0123456789abcdef"}
        with Named(start="no") as named:
            file = named.folder / "jwt.key"
            file.write_bytes(self.pem(keys["RS256"]))
            named.yaml = {"auth": {"jwt": {"algorithms": list(keys), "key": str(file), "issuer": "https://id.example",
                                           "audience": "bindcast"}}}
            named.start()
            before = None
            for algorithm, key in keys.items():
                file.write_bytes(key if algorithm == "HS256" else self.pem(key))
                named.wait_log(f"JSON Web Tokens are verified by {algorithm}")
                if before:  # what another key had verified is over
                    self.assertEqual(before.wait_message("session_expired")["data"]["reason"], "auth.jwt was changed")
                    self.assertEqual(before.wait_closed(), 4401)
                    before.close()
                before = Client(named, token=self.make(key, algorithm))
                welcome = before.wait_message("connection_established")["data"]
                self.assertEqual((welcome["user"], welcome["roles"]), ("eve", ["viewer"]))
                self.assertEqual(status_of(named, **bearer(self.make(key, algorithm))), 200)
            before.close()

    def test_forgeries(self):
        """What was tried, and what it got: as Authorization over HTTP, and as the close code of a WebSocket."""
        key, other = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
        public, now = self.pem(key), int(time.time())
        good = self.make(key, "RS256")
        head, claims, signature = good.split(".")
        part = lambda value: jwt.utils.base64url_encode(json.dumps(value).encode()).decode()
        as_admin = part({**self.CLAIMS, "roles": ["admin"], "exp": now + 600})
        by_public_key = lambda secret: (lambda text: text + "." + jwt.utils.base64url_encode(
            hmac.new(secret, text.encode(), "sha256").digest()).decode())(part({"alg": "HS256"}) + "." + as_admin)
        rows = {
            "signed by another key": (self.make(other, "RS256"), 401, 4401),
            "other claims under the same signature": (f"{head}.{as_admin}.{signature}", 401, 4401),
            "alg none, no signature": (f"{part({'alg': 'none'})}.{as_admin}.", 401, 4401),
            "alg none, the signature kept": (f"{part({'alg': 'none'})}.{claims}.{signature}", 401, 4401),
            "HS256 by the public key": (by_public_key(public), 401, 4401),
            "HS256 by the public key without its line end": (by_public_key(public.strip()), 401, 4401),
            "HS256 by nothing": (by_public_key(b""), 401, 4401),
            "RS512": (self.make(key, "RS512"), 401, 4401),
            "expired": (self.make(key, "RS256", exp=now - 3600), 401, 4401),
            "without exp": (self.make(key, "RS256", exp=None), 401, 4401),
            "not valid yet": (self.make(key, "RS256", nbf=now + 3600), 401, 4401),
            "issued in the future": (self.make(key, "RS256", iat=now + 3600), 401, 4401),
            "another issuer": (self.make(key, "RS256", iss="https://id.example.evil"), 401, 4401),
            "another audience": (self.make(key, "RS256", aud="other"), 401, 4401),
            "no user": (self.make(key, "RS256", sub=None), 401, 4401),
            "roles that nobody knows": (self.make(key, "RS256", roles=["root"]), 403, 4403),
            "kid: a file, signed by its content": (jwt.encode(
                {**self.CLAIMS, "exp": now + 600}, "", "HS256", {"kid": "../../../../dev/null"}), 401, 4401),
            "kid: SQL": (self.make(other, "RS256", {"kid": "x' UNION SELECT 'key"}), 401, 4401),
            "jwk in the header": (self.make(other, "RS256", {"jwk": json.loads(
                jwt.algorithms.RSAAlgorithm.to_jwk(other.public_key()))}), 401, 4401),
            "jku in the header": (self.make(other, "RS256", {"jku": "http://127.0.0.1:1/keys"}), 401, 4401),
            "crit": (self.make(key, "RS256", {"crit": ["exp"]}), 401, 4401),
            "padding": (good + "=", 401, 4401),
            "nested header": (part([[[[]]]]) + "." + claims + "." + signature, 401, 4401),
            "the good one": (good, 200, None),
        }
        with Named(start="no") as named:
            (named.folder / "jwt.key").write_bytes(public)
            named.yaml = {"auth": {"lockout": NO_LOCKOUT, "jwt": {
                "algorithms": ["RS256", "HS256"], "key": str(named.folder / "jwt.key"),
                "issuer": "https://id.example", "audience": "bindcast"}}}
            named.start()
            got = {}
            for what, (token, *_) in rows.items():
                status = status_of(named, **bearer(token))
                with Client(named, token=token, account=False) as client:
                    admitted = client.wait_message("connection_established", "error", or_closed=True)
                    code = None if admitted["type"] == "connection_established" else client.wait_closed()
                got[what] = (token, status, code)
            self.assertEqual({k: v[1:] for k, v in got.items()}, {k: v[1:] for k, v in rows.items()})
            for token, *_ in rows.values():
                self.assertNotIn(token, named.log())

    def test_one_that_expires_ends_its_websocket(self):
        secret = "0123456789abcdef0123456789abcdef"
        with Named(start="no") as named:
            (named.folder / "jwt.key").write_text(secret + "\n")
            named.yaml = {"auth": {"jwt": {"algorithms": ["HS256"], "key": str(named.folder / "jwt.key")}}}
            named.start()
            with Client(named) as admin:
                admin.subscribe(event_types=["session_expired"])
                soon = int(time.time()) - 58  # and a minute for clocks that differ
                with Client(named, token=self.make(secret, "HS256", exp=soon)) as client:
                    client.wait_message("connection_established")
                    self.assertEqual(client.wait_message("session_expired")["data"],
                                     {"user": "eve", "reason": "expired"})
                    self.assertEqual(client.wait_closed(), 4401)
                self.assertGreaterEqual(time.time(), soon + 60)
                self.assertEqual(admin.wait_event("session_expired", user="eve")["target_user_id"], "eve")


class Attacks(unittest.TestCase):
    """What was tried, and what it got. Afterwards nothing secret stands in the log or in any event."""

    def test_other_sites_pages(self):
        """A page of another origin, and one that names itself nothing, with and without a victim's cookie."""
        with Named(yaml={"auth": {"users": USERS}}) as named:
            cookie = cookie_of(log_in(named)[1])
            for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "file://"):
                with self.subTest(origin=origin):
                    page = {"Origin": origin, "Cookie": cookie}
                    self.assertEqual(log_in(named, headers={"Origin": origin})[0], 403)
                    self.assertEqual(log_in(named, headers={"Origin": origin, "Content-Type": "text/plain"})[0], 403)
                    self.assertEqual(status_of(named, **page), 401)
                    self.assertEqual(ask(named, "/api/v1/logout", headers=page)[0], 403)
                    self.assertEqual(ask(named, "/api/v1/renew", headers=page)[0], 403)
                    self.assertEqual(handshake(named, page), 403)
            self.assertEqual(status_of(named, Cookie=cookie), 200)
            # A name that an attacker lets resolve to our address (DNS rebinding).
            rebound = {"Host": "evil.example", "Origin": "http://evil.example", "Cookie": cookie}
            self.assertEqual(handshake(named, rebound), 403)
            self.assertEqual(status_of(named, **rebound), 401)

    def test_bodies(self):
        deep = '{"user": "ann", "password": ' + "[" * 2000 + "]" * 2000 + "}"
        rows = {
            "too large": ("x" * 5000, 413),
            "far too large": ("x" * 10_000_000, 413),
            "nested": (deep[:4000], 400),
            "no JSON": ("user=ann&password=correct+horse", 400),
            "a list": ("[]", 400),
            "a text": ('"ann"', 400),
            "nothing": ("", 400),
            "no password": ('{"user": "ann"}', 400),
            "a number as password": ('{"user": "ann", "password": 5}', 400),
            "true as password": ('{"user": "ann", "password": true}', 400),
            "user twice": ('{"user": "ann", "user": "vic", "password": "correct horse"}', 400),
            "a zero byte": ('{"user": "ann", "password": "correct horse\\u0000"}', 400),
            "no UTF-8": (b'{"user": "ann", "password": "\xff\xfe"}', 400),
            "a long user": (json.dumps({"user": "a" * 65, "password": "x"}), 400),
            "a long password": (json.dumps({"user": "ann", "password": "x" * 513}), 400),
            "the hash as password": (json.dumps({"user": "ann", "password": HASH}), 401),
            "an empty user": ('{"user": "", "password": "x"}', 400),
        }
        with Named(yaml={"auth": {"users": USERS, "lockout": NO_LOCKOUT}}) as named:
            got = {}
            for what, (body, _) in rows.items():
                try:
                    got[what] = ask(named, "/api/v1/login", body)[0]
                except (BrokenPipeError, ConnectionResetError):  # the answer came before the body was through
                    got[what] = 413
            self.assertEqual(got, {what: status for what, (_, status) in rows.items()})
            # Bodies that never come keep nobody else waiting.
            host, port = named.address
            slow = []
            for _ in range(50):
                raw = RawSocket(named)
                raw.send(b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n{")
                slow.append(raw)
            self.assertEqual(log_in(named)[0], 200)
            for raw in slow:
                raw.__exit__()
            self.assertEqual(ask(named, "/api/v1/login", None, method="GET")[0], 405)

    def test_guessing(self):
        """Passwords by user and by address, tokens by address; and what is told of it."""
        yaml = {"auth": {"users": USERS, "tokens": TOKENS, "lockout": {"failures": 3, "duration": "3s"}}}
        with Named(yaml=yaml, zones={"example.com": Zone("www A 192.0.2.1")}) as named, Client(named) as admin:
            admin.subscribe(categories=["user"])
            guesses = [f"guess-number-{i}" for i in range(20)]
            # One user, from many addresses.
            got = [log_in(named, "vic", g, source=f"127.0.1.{i}")[0] for i, g in enumerate(guesses[:5], 1)]
            self.assertEqual(got, [401, 401, 401, 429, 429])
            locked_at = time.monotonic()
            status, headers, _ = log_in(named, "vic", source="127.0.1.9")
            self.assertEqual(status, 429)
            self.assertLessEqual(int(headers["Retry-After"]), 3)
            # Many users, from one address; those behind the same one who have a token stay.
            got = [log_in(named, f"somebody{i}", g)[0] for i, g in enumerate(guesses[:4])]
            self.assertEqual(got, [401, 401, 401, 429])
            self.assertEqual(log_in(named)[0], 429)
            self.assertEqual(log_in(named, source="127.0.0.2")[0], 200)
            self.assertEqual(how_it_ends(named, token="guess-of-a-token"), 4429)
            self.assertEqual(status_of(named, **bearer("guess-of-a-token")), 429)
            self.assertEqual(status_of(named, **bearer(TOKEN)), 200)
            with Client(named, token=TOKEN) as job:
                self.assertEqual(job.request("get_status")["type"], "status")
            # DNS never waits.
            self.assertEqual(str(named.query("www.example.com").answer[0][0]), "192.0.2.1")
            failures = admin.wait_events(2, "authentication_failed", where=lambda e: "locked_seconds" in e["data"])
            self.assertEqual({(e["data"].get("user"), e["data"]["method"]) for e in failures},
                             {("vic", "password"), (None, "password")})
            self.assertLess(len(admin.of("authentication_failed")), 10)
            wait_until(lambda: log_in(named, "vic", source="127.0.1.9")[0] == 200, "the lock to end", 10)
            self.assertGreater(time.monotonic() - locked_at, 2)
            self.nothing_secret(named, admin, *guesses, "guess-of-a-token", PASSWORD, HASH, TOKEN)

    def test_a_flood_of_logins_from_everywhere(self):
        """More than the hashes can be made of: the rest is told to come again, and nothing else notices."""
        yaml = {"auth": {"users": USERS, "lockout": NO_LOCKOUT}}
        with Named(yaml=yaml, zones={"example.com": Zone("www A 192.0.2.1")}) as named, Client(named) as client:
            with concurrent.futures.ThreadPoolExecutor(40) as many:
                tries = [many.submit(log_in, named, f"nobody{i}", "x", source=f"127.0.2.{i + 1}")
                         for i in range(100)]
                slowest = 0.0
                while concurrent.futures.wait(tries, timeout=0.02).not_done:
                    began = time.monotonic()
                    named.query("www.example.com")
                    slowest = max(slowest, time.monotonic() - began)
                    self.assertEqual(client.request("ping")["type"], "pong")
            got = collections.Counter(t.result()[0] for t in tries)
            self.assertEqual(set(got), {401, 503}, got)
            self.assertLess(slowest, 1 * TIME_FACTOR)
            self.assertEqual(log_in(named)[0], 200)
            self.assertIn("bindcast-loop", named.threads())
            wait_until(lambda: "bindcast-crypt" not in named.threads(), "the thread to end")

    def test_unknown_users_take_as_long(self):
        with Named(yaml={"auth": {"users": USERS, "lockout": NO_LOCKOUT}}) as named:
            def took(user):
                began = time.monotonic()
                self.assertEqual(log_in(named, user, "wrong")[0], 401)
                return time.monotonic() - began
            # In turns, and of each the quickest: whatever else the machine does only adds to it.
            tries = [(took("ann"), took("nobody")) for _ in range(12)]
            known, unknown = (min(times) for times in zip(*tries))
            self.assertLess(max(known, unknown) / min(known, unknown), 2, (known, unknown))

    def test_a_token_in_the_url(self):
        with Named(yaml={"auth": {"users": USERS}}, log_level=3) as named, Client(named) as admin:
            admin.subscribe()
            token = log_in(named)[2]["token"]
            for secret in (token, named.token):
                self.assertEqual(ask(named, f"/api/v1/status?token={secret}", method="GET")[0], 401)
                with Client(named, token=None, path=f"/ws?token={secret}", account=False) as client:
                    self.assertEqual(client.request("get_status")["data"]["code"], "AUTH_FAILED")
            reconfigured(named, admin, auth={"users": USERS, "query_token": True})
            self.assertEqual(ask(named, f"/api/v1/status?token={token}", method="GET")[0], 200)
            with Client(named, token=None, path=f"/ws?token={token}") as client:
                client.wait_message("connection_established")
            self.nothing_secret(named, admin, token, named.token, hashlib.sha256(token.encode()).hexdigest())

    def nothing_secret(self, named, admin, *secrets):
        for secret in secrets:
            self.assertNotIn(secret, named.log())
            self.assertNotIn(secret, admin.received())


class Encrypted(unittest.TestCase):
    @staticmethod
    def certify(named, name):
        """A new key and a certificate of its own for it, put in place one after the other."""
        made = {}
        for what in ("key", "cert"):
            made[what] = named.folder / f"new-{what}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", made["key"], "-out", made["cert"], "-subj", f"/CN={name}", "-days", "2",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        for what, file in made.items():
            file.rename(named.folder / f"{what}.pem")

    @staticmethod
    def shown(named) -> str:
        """The name in the certificate that a new client is shown."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(named.address, timeout=10 * TIME_FACTOR) as raw, \
                context.wrap_socket(raw) as encrypted:
            der = encrypted.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der).subject.rfc4514_string()

    def test_a_certificate_that_is_renewed(self):
        with Named(start="no") as named:
            self.certify(named, "first")
            named.yaml = {"server": {"tls": {"certificate": str(named.folder / "cert.pem"),
                                             "key": str(named.folder / "key.pem")}}, "auth": {"users": USERS}}
            named.start()
            self.assertEqual(self.shown(named), "CN=first")
            trusting = ssl.create_default_context(cafile=str(named.folder / "cert.pem"))
            host, port = named.address
            connection = http.client.HTTPSConnection(host, port, context=trusting, timeout=10 * TIME_FACTOR)
            connection.request("POST", "/api/v1/login", json.dumps({"user": "ann", "password": PASSWORD}))
            answer = connection.getresponse()
            cookie = answer.headers["Set-Cookie"]
            self.assertEqual(answer.status, 200)
            self.assertTrue(cookie.endswith("; HttpOnly; SameSite=Strict; Secure"), cookie)
            connection.close()
            client = Client(named, token=None, headers={"Cookie": cookie.split(";")[0]}, tls=trusting)
            client.wait_message("connection_established")

            self.certify(named, "second")
            wait_until(lambda: self.shown(named) == "CN=second", "the new certificate")
            self.assertEqual(client.request("get_status")["type"], "status")  # it has stayed

            for broken in ("", "no certificate", (named.folder / "key.pem").read_text()):
                (named.folder / "cert.pem").write_text(broken)
            named.wait_log("cert.pem holds no certificate in PEM; the certificate before it stays in force")
            self.assertEqual(self.shown(named), "CN=second")
            self.assertEqual(named.log().count("stays in force"), 1)
            self.certify(named, "third")
            wait_until(lambda: self.shown(named) == "CN=third", "the third certificate")
            self.assertEqual(client.request("get_status")["type"], "status")
            client.close()

            # Without TLS at all on the same listener, by the configuration alone; a plain request gets no answer.
            with self.assertRaises((OSError, http.client.HTTPException)):
                status_of(named)
            named.yaml = {"auth": {"users": USERS}}
            named.write_configuration()
            named.rndc("reconfig")
            wait_until(lambda: self.plain(named), "TLS to be off")

    @staticmethod
    def plain(named) -> bool:
        try:
            return ask(named, "/healthz", method="GET")[0] == 200
        except (OSError, http.client.HTTPException):
            return False


if __name__ == "__main__":
    unittest.main()
