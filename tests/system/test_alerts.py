"""Events that want an acknowledgement: asked again and again until somebody answers, to whom they climb, what is posted
to webhooks, and that DNS waits for none of it.
"""

import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
from datetime import datetime

from client import Client, reconfigured
from harness import TIME_FACTOR, HarnessError, Named, Zone, free_port, wait_until
from traffic import Asker, Post, Receiver

ZONES = {"example.com": Zone("www A 192.0.2.1"), "rpz.malware": Zone("*.bad.test CNAME .")}
POLICY = 'response-policy { zone "rpz.malware"; } qname-wait-recurse no;'
ROLES = ("admin", "operator", "viewer", "publisher")
TOKENS = {role: f"token-of-the-{role}-{os.urandom(8).hex()}" for role in ROLES}
AUTH = {"tokens": [{"name": f"the-{role}", "sha256": hashlib.sha256(TOKENS[role].encode()).hexdigest(), "roles": [role]}
                   for role in ROLES]}
ONCE = [{"after": "0s", "to": {"roles": ["operator"]}}]
NEVER = {"initial": "1h", "max": "1h"}
LATE_S = 1.5 * TIME_FACTOR  # what a busy machine may add to a time


def alert_named(retry: dict, escalation=None, types=None, yaml=None, **options) -> Named:
    """A name below bad.test that is asked for is an alert of its own."""
    events = {"rpz": {"feeds": {"rpz.malware": "malware"}, "repeat_window": "0s"}, "types": types or {}}
    yaml = {"auth": AUTH, "events": events, "retry": retry, "escalation": ONCE if escalation is None else escalation,
            **(yaml or {})}
    return Named(ZONES, options=POLICY, yaml=yaml, **options)


def enter(named, role: str, *types: str, **options) -> Client:
    client = Client(named, token=TOKENS[role], **options)
    if types:
        client.subscribe(event_types=list(types))
    return client


def attempt(event: dict) -> int:
    return event["metadata"].get("attempt", 1)


def attempts(client, name: str) -> list[int]:
    return [attempt(event) for event in client.of("malware_blocked", qname=name)]


def wait_attempt(client, number: int, name: str) -> dict:
    return client.wait_event("malware_blocked", qname=name, where=lambda event: attempt(event) == number, timeout=20)


def ids_of(client, name: str) -> set[str]:
    return {event["id"] for event in client.of("malware_blocked", qname=name)}


def state(client) -> dict:
    """What the server says of all alerts and webhooks."""
    server = client.request("get_statistics")["data"]["server"]
    return {**server["alerts"], "webhooks": server["webhooks"]}


def seconds(event: dict) -> float:
    return datetime.fromisoformat(event["timestamp"]).timestamp()


class RepetitionTest(unittest.TestCase):
    RETRY = {"initial": "160ms", "factor": 2, "attempts": 4}
    LONGEST_S = [0.16, 0.32, 0.64, 1.28]  # of each wait; chance takes up to half of it away

    def test_as_often_as_configured_with_growing_waits(self):
        with alert_named(self.RETRY) as named, enter(named, "viewer", "malware_blocked", "dns_query_log") as client:
            begins = time.monotonic()
            named.query("first.bad.test")
            for number in range(2, 6):
                wait_attempt(client, number, "first.bad.test")
                took = time.monotonic() - begins
                longest = sum(self.LONGEST_S[:number - 1])
                self.assertGreaterEqual(took, longest / 2, f"attempt {number} is too early")
                self.assertLess(took, longest + LATE_S, f"attempt {number} is too late")
                for i in range(20):  # everything else comes meanwhile
                    named.query(f"n{number}-{i}.example.com")

            # By the time that a later alert has been repeated that often, the first would have been once more.
            named.query("second.bad.test")
            wait_attempt(client, 5, "second.bad.test")
            wait_until(lambda: state(client)["given_up"] == 2, "both to be given up")
            for name in ("first.bad.test", "second.bad.test"):
                self.assertEqual([1, 2, 3, 4, 5], attempts(client, name))
                self.assertEqual(1, len(ids_of(client, name)))
            counters = state(client)
            self.assertEqual((2, 2, 8), (counters["open"], counters["opened"], counters["sent_again"]))

            others = client.of("dns_query_log", where=lambda event: event["data"]["qname"].startswith("n"))
            self.assertEqual(sorted(f"n{number}-{i}.example.com" for number in range(2, 6) for i in range(20)),
                             sorted(event["data"]["qname"] for event in others))
            self.assertEqual({1}, {attempt(event) for event in others})
            self.assertEqual([], client.gaps())

    def test_in_every_form(self):
        forms = (None, "bindcast.v1.json", "bindcast.v1.deflate")
        with alert_named(self.RETRY) as named:
            clients = [self.enterContext(enter(named, "viewer", "malware_blocked", subprotocol=form)) for form in forms]
            bare = self.enterContext(enter(named, "viewer", "malware_blocked", subprotocol="cloudevents.json"))
            named.query("form.bad.test")
            for client in clients:
                wait_attempt(client, 3, "form.bad.test")
                self.assertEqual([1, 2, 3], attempts(client, "form.bad.test")[:3])
            bare.wait_events(3, "bindcast.malware_blocked", qname="form.bad.test")
            self.assertEqual(1, len({event["id"] for event in bare.events}))
            for client in [*clients, bare]:
                client.close()

    def test_an_event_that_the_configuration_made_critical(self):
        with alert_named(self.RETRY) as named, enter(named, "admin", "zone_created", "config_change") as client:
            reconfigured(named, client, events={"types": {"zone_created": {"priority": "critical"}}})
            named.rndc("addzone", "new.example", '{ type primary; file "example.com.db"; };')
            again = client.wait_event("zone_created", zone="new.example", where=lambda event: attempt(event) == 3)
            self.assertEqual("critical", again["priority"])
            self.assertEqual(1, len({event["id"] for event in client.of("zone_created", zone="new.example")}))

    def test_a_client_that_comes_back_is_asked_again(self):
        with alert_named(NEVER) as named:
            with enter(named, "viewer", "malware_blocked") as client:
                named.query("back.bad.test")
                asked = client.wait_event("malware_blocked", qname="back.bad.test")["id"]
            with enter(named, "viewer") as client, enter(named, "operator") as operator:
                # The ladder has named the operator, subscribed or not; the viewer wants it by a subscription.
                self.assertEqual(asked, operator.wait_event("malware_blocked", qname="back.bad.test")["id"])
                client.request("ping")
                self.assertEqual([], client.events)
                client.subscribe(categories=["security"])
                self.assertEqual(asked, client.wait_event("malware_blocked", qname="back.bad.test")["id"])
                operator.subscribe(categories=["security"])  # has it already
                operator.request("ping")
                self.assertEqual(1, len(operator.events))
                operator.request("acknowledge", {"ids": [asked]})
            with enter(named, "operator", "malware_blocked") as client:
                client.request("ping")
                self.assertEqual([], client.events)


class AcknowledgementTest(unittest.TestCase):
    RETRY = {"initial": "100ms", "factor": 1, "attempts": 100}

    def test_an_operator_ends_it_for_all(self):
        with alert_named(self.RETRY) as named, enter(named, "publisher") as publisher, \
                enter(named, "viewer", "malware_blocked") as viewer, enter(named, "viewer") as idle, \
                enter(named, "admin", "malware_blocked", "notification_acknowledged") as admin, \
                enter(named, "operator") as operator:
            named.query("ack.bad.test")
            asked = wait_attempt(operator, 2, "ack.bad.test")["id"]

            refused = viewer.request("acknowledge", {"ids": [asked], "note": "not mine to say"})
            self.assertEqual(("error", "PERMISSION_DENIED"), (refused["type"], refused["data"]["code"]))
            refused = publisher.request("acknowledge", {"ids": [asked]})
            self.assertEqual("PERMISSION_DENIED", refused["data"]["code"])
            after = len(attempts(viewer, "ack.bad.test"))
            wait_attempt(viewer, after + 2, "ack.bad.test")  # it goes on

            answer = operator.request("acknowledge", {"ids": [asked, f"{asked[:-1]}x"], "note": "on it"})
            self.assertEqual(("error", "INVALID_MESSAGE"), (answer["type"], answer["data"]["code"]))
            answer = operator.request("acknowledge", {"ids": [asked], "note": "on it"})
            self.assertEqual(("acknowledged", [asked], "the-operator", []),
                             (answer["type"], *(answer["data"][key] for key in ("ids", "by", "errors"))))
            for client in (viewer, idle, admin):
                told = client.wait_message("acknowledged")["data"]
                self.assertEqual(([asked], "the-operator", "on it", "malware_blocked"),
                                 tuple(told[key] for key in ("ids", "by", "note", "event_type")))
            event = admin.wait_event("notification_acknowledged")["data"]
            self.assertEqual((asked, asked, "malware_blocked", "the-operator", "on it", 1),
                             tuple(event[key] for key in ("alert", "event", "event_type", "by", "note", "occurrences")))

            # While a later one is repeated five times, this one is no more.
            seen = len(attempts(viewer, "ack.bad.test"))
            named.query("clock.bad.test")
            wait_attempt(viewer, 6, "clock.bad.test")
            self.assertEqual(seen, len(attempts(viewer, "ack.bad.test")))
            again = operator.request("acknowledge", {"ids": [asked]})["data"]
            self.assertEqual(([], [asked]), (again["ids"], [error["id"] for error in again["errors"]]))

            named.query("ack.bad.test")
            renewed = wait_attempt(viewer, 2, "ack.bad.test")
            renewed = viewer.wait_event("malware_blocked", qname="ack.bad.test",
                                        where=lambda e: e["id"] != asked and attempt(e) == 3)["id"]
            self.assertEqual({asked, renewed}, ids_of(viewer, "ack.bad.test"))
            self.assertEqual([renewed], admin.request("acknowledge", {"ids": [renewed]})["data"]["ids"])
            self.assertNotIn("note", operator.wait_message("acknowledged", where=lambda m: "reply_to" not in m)["data"])

            publisher.request("ping")
            self.assertEqual(([], []), (publisher.events, [
                m for m in publisher.messages if m["type"] not in ("connection_established", "error", "pong")]))

    def test_any_occurrence_can_be_acknowledged_and_the_latest_is_sent_again(self):
        with alert_named(self.RETRY) as named, enter(named, "operator", "malware_blocked") as operator:
            for _ in range(3):
                named.query("often.bad.test")
            ids = [event["id"] for event in operator.wait_events(3, "malware_blocked", qname="often.bad.test",
                                                                 where=lambda event: attempt(event) == 1)]
            self.assertEqual(ids[2], operator.wait_event(
                "malware_blocked", qname="often.bad.test", where=lambda event: event["id"] == ids[2] and
                attempt(event) > 1)["id"])
            counters = state(operator)
            self.assertEqual((1, 3), (counters["opened"], counters["occurrences"]))
            self.assertEqual([ids[1]], operator.request("acknowledge", {"ids": [ids[1]]})["data"]["ids"])
            self.assertEqual(0, state(operator)["open"])

    def test_a_reload_keeps_what_is_open(self):
        with alert_named({**NEVER, "attempts": 3}) as named, \
                enter(named, "admin", "malware_blocked", "config_change") as client:
            named.query("kept.bad.test")
            asked = client.wait_event("malware_blocked", qname="kept.bad.test")["id"]
            reconfigured(named, client, retry={"initial": "100ms", "factor": 1, "attempts": 3})
            wait_attempt(client, 4, "kept.bad.test")
            wait_until(lambda: state(client)["given_up"] == 1, "it to be given up")
            reconfigured(named, client, retry={"initial": "100ms", "factor": 1, "attempts": 5})
            wait_attempt(client, 6, "kept.bad.test")
            self.assertEqual([1, 2, 3, 4, 5, 6], attempts(client, "kept.bad.test"))
            self.assertEqual({asked}, ids_of(client, "kept.bad.test"))
            reconfigured(named, client, retry={"acknowledge": ["urgent"]})
            self.assertEqual(0, state(client)["open"])
            self.assertEqual([], client.request("acknowledge", {"ids": [asked]})["data"]["ids"])


class RecoveryTest(unittest.TestCase):
    RETRY = {"initial": "200ms", "factor": 1, "attempts": 100}

    def test_what_recovers_asks_no_more_and_a_relapse_asks_again(self):
        taken = socket.create_server(("127.0.0.1", port := free_port()))
        self.addCleanup(taken.close)
        yaml = {"server": {"listen": ["127.0.0.1:0", f"127.0.0.1:{port}"]}, "health": {"recovery": "1s"}}
        with Receiver() as receiver, \
                alert_named(self.RETRY, [{"after": "0s", "webhook": {"url": receiver.url()}}],
                            types={"health_alert": {"priority": "critical"}}, yaml=yaml) as named, \
                enter(named, "publisher") as publisher, enter(named, "viewer") as idle, \
                enter(named, "admin", "health_alert", "custom_event", "notification_acknowledged") as admin:
            def of_listener(**matching):
                return admin.wait_event("health_alert", component="listener", **matching)

            def posts(kind):
                return [body["data"] for body in map(lambda post: json.loads(post.body), receiver.posts)
                        if body["type"] == kind]

            asked = of_listener(state="degraded", where=lambda event: attempt(event) == 3, timeout=20)["id"]
            wait_until(lambda: posts("alert"), "the post of the alert")
            taken.close()
            over = of_listener(state="healthy", timeout=20)["id"]
            for client in (idle, admin):
                told = client.wait_message("acknowledged")["data"]
                self.assertEqual(([asked], over, "health_alert"),
                                 (told["ids"], told["resolved_by"], told["event_type"]))
                self.assertNotIn("by", told)
            event = admin.wait_event("notification_acknowledged")["data"]
            self.assertEqual((asked, asked, over), tuple(event[key] for key in ("alert", "event", "resolved_by")))
            wait_until(lambda: posts("alert_ended"), "the post of the end")
            self.assertEqual([(asked, over, "degraded")],
                             [(end["alert"], end["resolved_by"], end["event"]["data"]["state"])
                              for end in posts("alert_ended")])
            self.assertEqual((0, 1, 1), tuple(state(admin)[key] for key in ("open", "opened", "resolved")))

            # While somebody's own alert is repeated five times, this one is no more; and he says himself when it is over.
            seen = len(admin.of("health_alert"))
            disk = {"type": "custom.disk", "priority": "critical", "data": {"path": "/srv", "state": "full"}}
            own = [publisher.request("publish", disk)["data"]["id"]]
            admin.wait_event("custom.disk", where=lambda event: attempt(event) == 6, timeout=20)
            self.assertEqual(seen, len(admin.of("health_alert")))
            resolved = {"type": "custom.disk", "data": {"path": "/srv", "state": "resolved"}}
            admin.request("publish", resolved)  # which is not for another to say
            over = publisher.request("publish", resolved)
            told = idle.wait_message("acknowledged", where=lambda m: m["data"]["event_type"] == "custom_event")["data"]
            self.assertEqual((own, over["data"]["id"]), (told["ids"], told["resolved_by"]))
            relapsed = publisher.request("publish", disk)["data"]["id"]
            admin.wait_event("custom.disk", where=lambda event: event["id"] == relapsed and attempt(event) == 3)
            self.assertEqual((1, 3, 2), tuple(state(admin)[key] for key in ("open", "opened", "resolved")))


class LadderTest(unittest.TestCase):
    def test_each_step_reaches_whom_it_should(self):
        with Receiver() as receiver:
            ladder = [{"after": "0s", "to": {"roles": ["operator"]}},
                      {"after": "1s", "repeat": True},
                      {"after": "2s", "to": {"roles": ["admin"]}, "priority": "urgent"},
                      {"after": "3s", "webhook": {"url": receiver.url()}}]
            told = ("notification_sent", "notification_acknowledged", "webhook_triggered")
            with alert_named({"attempts": 0}, ladder) as named, enter(named, "operator") as operator, \
                    enter(named, "viewer", "malware_blocked") as viewer, enter(named, "viewer") as idle, \
                    enter(named, "admin", *told) as admin:
                named.query("climb.bad.test")
                asked = viewer.wait_event("malware_blocked", qname="climb.bad.test")
                sent = admin.wait_events(4, "notification_sent", timeout=15)
                admin.wait_event("webhook_triggered", delivered=True)

                self.assertEqual([1, 2, 3, 4], [event["data"]["step"] for event in sent])
                for event, after, roles, repeat, webhook, clients, priority in zip(
                        sent, (0, 1, 2, 3), (["operator"], [], ["admin"], []), (False, True, False, False),
                        (False, False, False, True), (1, 2, 1, 0), ("critical", "critical", "urgent", "urgent")):
                    waited = seconds(event) - seconds(asked)
                    self.assertGreaterEqual(waited, after - 0.01)
                    self.assertLess(waited, after + LATE_S)
                    self.assertEqual(
                        (asked["id"], asked["id"], "malware_blocked", after, roles, repeat, webhook, clients, priority),
                        tuple(event["data"][key] for key in (
                            "alert", "event", "event_type", "after_seconds", "roles", "repeat", "webhook", "clients",
                            "event_priority")))

                of_all = {name: [(attempt(event), event["priority"]) for event in client.of("malware_blocked")]
                          for name, client in (("operator", operator), ("viewer", viewer), ("admin", admin))}
                self.assertEqual({"operator": [(1, "critical"), (2, "critical")],
                                  "viewer": [(1, "critical"), (2, "critical")],
                                  "admin": [(3, "urgent")]}, of_all)
                self.assertEqual([], idle.events)
                posted = json.loads(receiver.posts[0].body)
                self.assertEqual(("alert", 4, asked["id"], asked["id"], "urgent", "climb.bad.test"), (
                    posted["type"], posted["data"]["step"], posted["data"]["alert"], posted["data"]["event"]["id"],
                    posted["data"]["event"]["priority"], posted["data"]["event"]["data"]["qname"]))
                self.assertGreaterEqual(posted["data"]["open_for_seconds"], 3)

                operator.request("acknowledge", {"ids": [asked["id"]], "note": "at last"})
                done = admin.wait_event("notification_acknowledged", by="the-operator", note="at last")
                self.assertGreaterEqual(done["data"]["open_for_seconds"], 3)
                self.assertEqual((4, 1, 1), tuple(state(admin)[key] for key in (
                    "escalated", "acknowledged", "occurrences")))


def signature(key: bytes, post: Post) -> str:
    """As the Standard Webhooks specification has it."""
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class WebhookTest(unittest.TestCase):
    RETRY = {"initial": "200ms", "factor": 1, "attempts": 20}

    def named(self, receivers, retry=None, secret=None, **options):
        """One step at once for each receiver: a Receiver, or a URL."""
        ladder = []
        for receiver in receivers:
            webhook = {"url": receiver if isinstance(receiver, str) else receiver.url()}
            if secret:
                webhook["secret_file"] = str(secret)
            ladder.append({"after": "0s", "webhook": webhook})
        return alert_named(retry or self.RETRY, ladder, **options)

    def secret(self) -> tuple[str, bytes]:
        folder = self.folder()
        key = os.urandom(32)
        with open(f"{folder}/webhook.key", "w", encoding="ascii") as file:
            file.write(f"whsec_{base64.b64encode(key).decode()}\n")
        return file.name, key

    def folder(self) -> str:
        return self.enterContext(tempfile.TemporaryDirectory(prefix="bindcast-webhook-"))

    def test_tried_until_it_is_delivered_and_signed_each_time(self):
        file, key = self.secret()
        with Receiver(answers=[500], listens=False) as receiver, self.named([receiver], secret=file) as named, \
                enter(named, "admin", "malware_blocked", "webhook_triggered", "config_change") as client:
            named.query("down.bad.test")
            alert = client.wait_event("malware_blocked", qname="down.bad.test")
            refused = client.wait_event("webhook_triggered", attempt=1)
            self.assertIn("refused", refused["data"]["fault"])
            self.assertEqual("warning", refused["severity"])
            receiver.listen()
            done = client.wait_event("webhook_triggered", delivered=True)

            told = client.of("webhook_triggered")
            self.assertEqual(list(range(1, done["data"]["attempt"] + 1)), [event["data"]["attempt"] for event in told])
            self.assertEqual([500, 200], [event["data"]["status"] for event in told if "status" in event["data"]])
            self.assertEqual([False] * (len(told) - 1) + [True], [event["data"]["final"] for event in told])
            self.assertEqual({(f"{alert['id']}.1", receiver.target())},
                             {(event["data"]["id"], event["data"]["target"]) for event in told})

            # Delivered once: a later one comes through alone.
            named.query("clock.bad.test")
            client.wait_events(2, "webhook_triggered", delivered=True)
            named.query("clock2.bad.test")
            client.wait_events(3, "webhook_triggered", delivered=True)
            self.assertEqual([f"{alert['id']}.1"] * 2, [p.headers["webhook-id"] for p in receiver.posts[:2]])
            self.assertEqual(4, len(receiver.posts))
            for post in receiver.posts:
                self.assertEqual(signature(key, post), post.headers["webhook-signature"])
                self.assertLess(abs(int(post.headers["webhook-timestamp"]) - seconds(done)), 30)
                self.assertEqual("application/json", post.headers["content-type"])
                self.assertEqual("/hook?key=a-secret-of-the-url", post.path)
            body = json.loads(receiver.posts[0].body)
            # Any part of the alert that does not change is as the clients have it.
            self.assertEqual((alert["id"], alert["data"]), (body["data"]["alert"], body["data"]["event"]["data"]))
            webhooks = state(client)["webhooks"]
            self.assertEqual((3, 3, 0), tuple(webhooks[key] for key in ("accepted", "delivered", "pending")))

            reconfigured(named, client, escalation=[{**named.yaml["escalation"][0], "after": "1h"}])
            self.assertNotIn("a-secret-of-the-url", client.received() + named.log())
            self.assertNotIn(base64.b64encode(key).decode(), client.received() + named.log())

    def test_an_acknowledgement_cancels_what_is_not_delivered(self):
        with Receiver(answers=[500] * 5, listens=False) as receiver, self.named([receiver]) as named, \
                enter(named, "admin", "malware_blocked", "webhook_triggered") as client:
            named.query("cancelled.bad.test")
            first = client.wait_event("malware_blocked", qname="cancelled.bad.test")["id"]
            client.wait_event("webhook_triggered", attempt=1)
            client.request("acknowledge", {"ids": [first]})
            receiver.listen()
            named.query("other.bad.test")  # five times more than the first would have waited
            other = client.wait_event("malware_blocked", qname="other.bad.test")["id"]
            client.wait_event("webhook_triggered", delivered=True)
            self.assertEqual({f"{other}.1"}, {post.headers["webhook-id"] for post in receiver.posts})
            webhooks = state(client)["webhooks"]
            self.assertEqual((1, 1), (webhooks["cancelled"], webhooks["delivered"]))

    def test_given_up_in_the_end_or_when_the_receiver_is_gone(self):
        with Receiver(answers=[503] * 9) as never, Receiver(answers=[410]) as gone, \
                self.named([never, gone], retry={"initial": "50ms", "factor": 1, "attempts": 2}) as named, \
                enter(named, "admin", "webhook_triggered") as client:
            named.query("failing.bad.test")
            client.wait_event("webhook_triggered", final=True, status=503)
            client.wait_event("webhook_triggered", final=True, status=410)
            self.assertEqual((3, 1), (len(never.posts), len(gone.posts)))
            self.assertEqual(2, state(client)["webhooks"]["failed"])

    def test_https_and_whom_it_trusts(self):
        folder = self.folder()
        with Receiver(tls=certified(folder, "known", "DNS:localhost,IP:127.0.0.1")) as known, \
                Receiver(tls=certified(folder, "unknown", "DNS:localhost,IP:127.0.0.1")) as unknown, \
                Receiver(tls=certified(folder, "known", "DNS:elsewhere.example")) as elsewhere:
            urls = [known.url(), known.url("localhost"), unknown.url(), elsewhere.url("localhost")]
            with self.named(urls, retry={"attempts": 0}, environment={"SSL_CERT_FILE": f"{folder}/known.ca.pem"}) \
                    as named, enter(named, "admin", "webhook_triggered") as client:
                named.query("tls.bad.test")
                told = {event["data"]["target"]: event["data"] for event in client.wait_events(4, "webhook_triggered")}
                for target in (known.target(), known.target("localhost")):
                    self.assertTrue(told[target]["delivered"], told)
                for target in (unknown.target(), elsewhere.target("localhost")):
                    self.assertFalse(told[target]["delivered"], told)
                    self.assertIn("certificate", told[target]["fault"])
                self.assertEqual((2, 0, 0), (len(known.posts), len(unknown.posts), len(elsewhere.posts)))

    def test_a_receiver_that_hangs_holds_nobody_up(self):
        with Receiver(answers=["hang"] * 99) as hanging, \
                self.named([hanging], retry=NEVER) as named, \
                enter(named, "admin", "webhook_triggered", "dns_query_log", "malware_blocked") as client:
            with Asker(named, "www.example.com", pause_s=0.01) as asker:
                named.query("hang.bad.test")
                wait_until(lambda: hanging.posts, "the post")
                for i in range(3):
                    named.query(f"hang{i}.bad.test")
                wait_until(lambda: len(hanging.posts) == 4, "four at once")
                late = client.wait_event("webhook_triggered", attempt=1, timeout=20)
            self.assertNotIn("status", late["data"])
            self.assertFalse(late["data"]["final"])
            self.assertGreater(asker.asked, 100)
            asker.check()
            asked = asker.asked + 4
            client.wait_events(asked, "dns_query_log")
            self.assertEqual([], client.gaps())
            named.query("last.bad.test")  # and one hangs while named is stopped
            wait_until(lambda: len(hanging.posts) == 5, "one more")


def certified(folder: str, authority: str, names: str) -> ssl.SSLContext:
    """A server's side of TLS with a certificate for `names`, signed by an authority of our own: <authority>.ca.pem."""
    def openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HarnessError(f"openssl {' '.join(arguments)}: {done.stderr}")

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    if not os.path.exists(f"{folder}/{authority}.ca.pem"):
        openssl("req", "-x509", *new_key, "-keyout", f"{authority}.ca.key", "-out", f"{authority}.ca.pem", "-days", "2",
                "-subj", f"/CN=the {authority} authority")
    with open(f"{folder}/names.cnf", "w", encoding="ascii") as file:
        file.write(f"subjectAltName={names}\n")
    openssl("req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=receiver")
    openssl("x509", "-req", "-in", "server.csr", "-CA", f"{authority}.ca.pem", "-CAkey", f"{authority}.ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names.cnf", "-out", "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    return context


if __name__ == "__main__":
    unittest.main(verbosity=2)
