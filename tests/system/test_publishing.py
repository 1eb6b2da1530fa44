"""Publishing: every way in, as a watcher sees what came by it; what is refused and how that is told and counted; much
at once, the same again, and bulk operations that end as they should or fall silent.
"""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import threading
import unittest

from client import Client, RawSocket, admitted, reconfigured
from harness import TIME_FACTOR, Named, Zone, wait_until

TOKENS = {role: f"token-of-the-{role}" for role in ("publisher", "viewer", "operator")}
AUTH = {"tokens": [{"name": f"the-{role}", "sha256": hashlib.sha256(token.encode()).hexdigest(), "roles": [role]}
                   for role, token in TOKENS.items()]}
MANY = 1000


def publishing_named(**publish) -> Named:
    named = Named({"example.com": Zone("www A 192.0.2.1")})
    named.yaml = {"auth": AUTH, "publish": {"socket": str(named.folder / "publish.sock"), **publish}}
    return named


def watcher(named) -> Client:
    client = Client(named)
    client.subscribe(categories=["custom", "system", "bulk_operation", "dns"],
                     filter='has source_user_id and source_user_id != "admin"')
    return client


def post(named, events, token=TOKENS["publisher"], content_type="application/json", **headers) -> tuple[int, dict]:
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    with RawSocket(named, timeout=30) as raw:
        status, answer = raw.http("/api/v1/events", method="POST", body=body, headers={
            "Authorization": f"Bearer {token}", "Content-Type": content_type, **headers})
    return status, json.loads(answer)


class Lines:
    """A local script on the unix socket."""

    def __init__(self, named):
        path = named.folder / "publish.sock"
        wait_until(path.exists, "the socket")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10 * TIME_FACTOR)
        self.socket.connect(str(path))
        self.answers = self.socket.makefile("r")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answers.close()
        self.socket.close()

    def send(self, *lines):
        for line in lines:
            self.socket.sendall(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")

    def read(self) -> dict:
        return json.loads(self.answers.readline())

    def say(self, line) -> dict:
        self.send(line)
        return self.read()

    def finish(self) -> list[dict]:
        """Says that nothing more comes; all answers that were not read yet."""
        self.socket.shutdown(socket.SHUT_WR)
        return [json.loads(line) for line in self.answers]


def counted(client) -> dict:
    return client.request("get_status")["data"]["publishing"]


class WaysTest(unittest.TestCase):
    """One event by each way, from the publisher to a watcher."""

    EVENT = {"type": "custom.deploy", "priority": "high", "data": {"version": "1.2"},
             "metadata": {"correlation_id": "c-1", "tags": ["web"], "custom_fields": {"ticket": 17}}}

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.named = self.stack.enter_context(publishing_named())
        self.watcher = self.stack.enter_context(watcher(self.named))

    def check(self, event_id: str, way: str, user: str):
        event = self.watcher.wait_for(lambda e: e["id"] == event_id, f"the event by {way}")
        self.assertEqual((user, "publisher", way), (event["source_user_id"], event["metadata"]["source_service"],
                                                    event["metadata"]["source_component"]))
        self.assertEqual(("custom.deploy", {"version": "1.2"}), (event["type"], event["data"]))
        return event

    def test_websocket_http_and_unix_socket(self):
        with Client(self.named, token=TOKENS["publisher"]) as publisher:
            answer = publisher.request("publish", self.EVENT)
            self.assertEqual("published", answer["type"])
            event = self.check(answer["data"]["id"], "websocket", "the-publisher")
            self.assertEqual(("high", "c-1", ["web"], {"ticket": 17}), (
                event["priority"], *(event["metadata"][key] for key in ("correlation_id", "tags", "custom_fields"))))
            self.assertEqual("PERMISSION_DENIED", publisher.request("subscribe")["data"]["code"])
        status, answer = post(self.named, self.EVENT)
        self.assertEqual(201, status)
        self.check(answer["id"], "http", "the-publisher")
        with Lines(self.named) as script:
            self.check(script.say(self.EVENT)["id"], "unix_socket", "unix:root")
        self.assertEqual(3, counted(self.watcher)["published"])

    def test_curl_and_a_shell(self):
        """As in the documentation."""
        host, port = self.named.address
        done = subprocess.run(
            ["curl", "-sS", f"http://{host}:{port}/api/v1/events", "-H", f"Authorization: Bearer {TOKENS['publisher']}",
             "--json", json.dumps(self.EVENT)], capture_output=True, text=True, timeout=30 * TIME_FACTOR, check=True)
        self.check(json.loads(done.stdout)["id"], "http", "the-publisher")
        script = ('import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n'
                  's.sendall(sys.stdin.buffer.read())\ns.shutdown(socket.SHUT_WR)\nprint(s.makefile().read())')
        # The last line may lack its end.
        done = subprocess.run(["/usr/bin/python3", "-c", script, str(self.named.folder / "publish.sock")],
                              input=json.dumps(self.EVENT) + "\n\n" + json.dumps(self.EVENT), capture_output=True,
                              text=True, timeout=30 * TIME_FACTOR, check=True)
        for line in done.stdout.split():
            self.check(json.loads(line)["id"], "unix_socket", "unix:root")
        self.assertEqual(2, len(done.stdout.split()))

    def test_cloud_events_come_in_as_they_go_out(self):
        out = self.stack.enter_context(Client(self.named, subprotocol="cloudevents.json"))
        out.subscribe(event_types=["custom_event"])
        sent = {"specversion": "1.0", "id": "7", "source": "/app", "type": "bindcast.custom.deploy",
                "subject": "internal", "datacontenttype": "application/json", "data": {"version": "1.2"}}
        status, answer = post(self.named, sent, content_type="application/cloudevents+json; charset=utf-8")
        self.assertEqual(201, status)
        event = self.check(answer["id"], "http", "the-publisher")
        self.assertEqual({"publisher_id": "7", "publisher_source": "/app"}, event["metadata"]["custom_fields"])
        seen = out.wait_for(lambda e: e["id"] == answer["id"], "the CloudEvent")
        for name in ("specversion", "type", "subject", "datacontenttype", "data"):
            self.assertEqual(sent[name], seen[name])
        # What went out can come in, under the id that it has there.
        batch = [seen, {**seen, "data": 7}]
        status, answer = post(self.named, batch, content_type="application/cloudevents-batch+json")
        self.assertEqual((207, "data"), (status, answer["results"][1]["field"]))
        self.check(answer["results"][0]["id"], "http", "the-publisher")

    def test_whoever_connects_is_who_the_kernel_says(self):
        path = self.named.folder / "publish.sock"
        wait_until(path.exists, "the socket")
        self.assertEqual(0o660, path.stat().st_mode & 0o777)
        if os.geteuid() != 0:
            self.skipTest("only root can be others")
        self.named.folder.chmod(0o711)
        path.chmod(0o666)
        script = ('import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n'
                  's.sendall(b\'{"type":"custom.deploy","data":{"version":"1.2"}}\\n\')\n'
                  'print(s.makefile().readline())')
        for uid, name in ((65534, "unix:nobody"), (54321, "unix:54321")):
            done = subprocess.run(["setpriv", f"--reuid={uid}", "--clear-groups", "/usr/bin/python3", "-c", script,
                                   str(path)], capture_output=True, text=True, timeout=30 * TIME_FACTOR, check=True)
            self.check(json.loads(done.stdout)["id"], "unix_socket", name)


class RefusalTest(unittest.TestCase):
    def test_by_every_way_with_its_field_and_counted(self):
        with publishing_named() as named, watcher(named) as watching, \
                Client(named, token=TOKENS["publisher"]) as publisher, Lines(named) as script:
            for event, code, status, field in (
                    ({"type": "nonsense"}, "INVALID_EVENT", 400, "type"),
                    ({"type": "custom.x", "source_user_id": "root"}, "INVALID_EVENT", 400, "source_user_id"),
                    ({"type": "custom.x", "data": [1]}, "INVALID_EVENT", 400, "data"),
                    ({"type": "security_alert"}, "PERMISSION_DENIED", 403, "type"),
                    ({"type": "custom.x", "data": {"text": "x" * 65536}}, "TOO_LARGE", 413, None)):
                with self.subTest(event=str(event)[:60]):
                    self.assertEqual((code, field), (lambda a: (a["code"], a.get("field")))(script.say(event)))
                    got, answer = post(named, event)
                    self.assertEqual((status, code, field), (got, answer["code"], answer.get("field")))
                    if code != "TOO_LARGE":  # a message of that size is too large itself
                        data = publisher.request("publish", event)["data"]
                        self.assertEqual((code, field), (data["code"], data.get("details", {}).get("field")))
            self.assertEqual({"invalid": 9, "not_permitted": 3, "too_large": 2, "rate_limited": 0, "conflict": 0,
                              "filtered": 0, "unavailable": 0}, counted(watching)["refused"])
            self.assertEqual([], watching.events)

    def test_who_may_not(self):
        with publishing_named() as named, Client(named) as admin, Client(named, token=TOKENS["operator"]) as operator:
            event = {"type": "custom.x"}
            self.assertEqual("PERMISSION_DENIED", operator.request("publish", event)["data"]["code"])
            for token, status in (("no-such-token", 401), (TOKENS["viewer"], 403), (named.token, 201)):
                self.assertEqual(status, post(named, event, token=token)[0])
            # What the server itself tells may be said by an admin, and by nobody on the socket, not even root.
            self.assertEqual("published", admin.request("publish", {"type": "security_alert"})["type"])
            with Lines(named) as script:
                self.assertEqual("PERMISSION_DENIED", script.say({"type": "security_alert"})["code"])

    def test_bodies(self):
        with publishing_named(max_events=3) as named:
            event = {"type": "custom.x"}
            for body, headers, status, part in (
                    (b"type=custom.x", {"content_type": "application/x-www-form-urlencoded"}, 415, "application/json"),
                    (event, {"content_type": "text/plain"}, 415, "application/json"),
                    (b"{", {}, 400, "not JSON"), (b"[" * 2000, {}, 400, "nested deeper than 16"),
                    (b"\xff\xfe", {}, 400, "not JSON"), (b"7", {}, 400, "not JSON"), ([], {}, 400, "at least one"),
                    ([event] * 4, {}, 413, "accepted: 3"), (event, {"Idempotency-Key": "x" * 200}, 400, "1 to 128"),
                    ([event], {"Idempotency-Key": "x"}, 400, "goes with one event"),
                    ([event], {"content_type": "application/cloudevents+json"}, 400, "is an event"),
                    (event, {"content_type": "application/cloudevents-batch+json"}, 400, "is a list of events"),
                    (b"", {"Content-Length": "1048577"}, 413, "at most 1048576 bytes")):
                with self.subTest(body=str(body)[:40], **headers):
                    got, answer = post(named, body, **headers)
                    self.assertEqual(status, got)
                    self.assertIn(part, answer["error"])

    def test_lines_that_are_none(self):
        with publishing_named(max_event_bytes="1KiB", socket_idle="1s") as named, watcher(named) as watching:
            with Lines(named) as script:
                script.send(b"\n  \r\n", b'{"type":"custom.x",\r\n', {"type": "custom.kept"})
                self.assertIn("not JSON", script.read()["error"])
                self.assertIn("id", script.read())
                # Too long, in one piece, in many, and without end.
                script.send({"type": "custom.x", "data": {"text": "x" * 5000}}, b'{"type":' + b" " * 40000 + b"\n",
                            {"type": "custom.kept"})
                self.assertEqual(["TOO_LARGE", "TOO_LARGE"], [script.read()["code"] for _ in range(2)])
                self.assertIn("id", script.read())
                with contextlib.suppress(OSError):
                    for _ in range(40):
                        script.send(b"x" * 65536)
                self.assertEqual("TOO_LARGE", script.read()["code"])
                with self.assertRaises(ConnectionResetError):
                    script.read()
            with Lines(named) as silent:
                self.assertEqual("", silent.answers.readline())  # publish.socket_idle
            watching.wait_events(2, "custom.kept")

    def test_more_connections_than_there_may_be(self):
        with publishing_named() as named, contextlib.ExitStack() as stack:
            scripts = [stack.enter_context(Lines(named)) for _ in range(64)]
            for script in scripts:
                self.assertIn("id", script.say({"type": "custom.x"}))
            with Lines(named) as one_more:
                self.assertEqual("UNAVAILABLE", one_more.read()["code"])
                self.assertEqual("", one_more.answers.readline())
            scripts[0].finish()
            with Lines(named) as next_one:
                self.assertIn("id", next_one.say({"type": "custom.x"}))

    def test_what_the_configuration_leaves_out(self):
        with publishing_named() as named:
            named.yaml["events"] = {"types": {"zone_imported": {"enabled": False}}}
            named.write_configuration()
            named.rndc("reconfig")
            wait_until(lambda: post(named, {"type": "zone_imported"})[0] == 422, "the configuration")

    def test_a_rate_is_kept_and_says_when_to_come_again(self):
        with publishing_named(events_per_second=1, burst=5) as named, watcher(named) as watching, \
                Lines(named) as script:
            status, answer = post(named, [{"type": "custom.x"}] * 9)
            self.assertEqual((207, 5, 4), (status, answer["published"], answer["refused"]))
            self.assertEqual(["RATE_LIMITED"] * 4, [result["code"] for result in answer["results"][5:]])
            self.assertEqual(429, post(named, {"type": "custom.x"})[0])
            self.assertIn("id", script.say({"type": "custom.x"}))  # another publisher
            self.assertLessEqual(answer["results"][8]["retry_after"], 1)
            wait_until(lambda: post(named, {"type": "custom.x"})[0] == 201, "the next one")
            self.assertGreaterEqual(counted(watching)["refused"]["rate_limited"], 5)


class ManyTest(unittest.TestCase):
    """A thousand at once by each way, and every account is exact."""

    def named(self):
        named = publishing_named(burst=0, events_per_second=0)
        named.yaml["queues"] = {"max_events": 10000}  # for a client in Python that shares its processor
        return named

    def test_a_thousand_at_once_by_each_way(self):
        with self.named() as named, watcher(named) as watching, \
                Client(named, token=TOKENS["publisher"], account=False) as publisher, Lines(named) as script:
            def by_http():
                answers["http"] = post(named, events("http"))[1]["results"]

            def by_socket():
                script.send("\n".join(json.dumps(event) for event in events("unix_socket")).encode() + b"\n")
                answers["unix_socket"] = script.finish()

            def by_websocket():
                for i, event in enumerate(events("websocket")):
                    publisher.send(json.dumps({"type": "publish", "id": f"p{i}", "data": event}))
                replies = lambda: [m for m in list(publisher.messages) if m["type"] == "published"]
                wait_until(lambda: len(replies()) == MANY, "the answers", 30)
                answers["websocket"] = [m["data"] for m in replies()]

            answers = {}
            events = lambda way: [{"type": "custom.many", "data": {"way": way, "n": n}} for n in range(MANY)]
            threads = [threading.Thread(target=work) for work in (by_http, by_socket, by_websocket)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60 * TIME_FACTOR)
            seen = watching.wait_events(3 * MANY, "custom.many", timeout=30)
            self.assertEqual((3 * MANY, []), (len(seen), watching.gaps()))
            for way, given in answers.items():
                of_way = [event for event in seen if event["data"]["way"] == way]
                self.assertEqual([event["id"] for event in of_way], [answer["id"] for answer in given], way)
                self.assertEqual(list(range(MANY)), [event["data"]["n"] for event in of_way], way)
            self.assertEqual(3 * MANY, counted(watching)["published"])

    def test_a_client_that_keeps_up_loses_nothing_to_a_list(self):
        """With the queue of the default, which holds half of the list."""
        with publishing_named() as named, admitted(named) as watching:
            watching.send_json({"type": "subscribe", "id": "s", "data": {"event_types": ["custom_event"]}})
            while watching.read_json().get("reply_to") != "s":
                pass
            received = bytearray()

            def read():
                while received.count(b'"type":"custom.many"') + received.count(b'"type":"gap"') < MANY:
                    received.extend(watching.socket.recv(1 << 20))

            reader = threading.Thread(target=read)
            reader.start()
            self.assertEqual(MANY, post(named, [{"type": "custom.many"}] * MANY)[1]["published"])
            reader.join(10 * TIME_FACTOR)
            self.assertEqual((MANY, 0), (received.count(b'"type":"custom.many"'), received.count(b'"type":"gap"')))

    def test_whoever_does_not_wait_for_answers_has_published(self):
        with self.named() as named, watcher(named) as watching:
            for n in range(2):
                with Lines(named) as script:  # more than is read at once, so that answers are unread when it goes
                    script.send("\n".join(json.dumps({"type": "custom.away", "data": {"n": n, "i": i}})
                                          for i in range(1500)).encode() + b"\n")
                    script.read()
            seen = watching.wait_events(3000, "custom.away")
            self.assertEqual({(n, i) for n in range(2) for i in range(1500)},
                             {(event["data"]["n"], event["data"]["i"]) for event in seen})

    def test_whoever_reads_no_answers_is_not_read_either(self):
        with publishing_named(events_per_second=0) as named, watcher(named) as watching, Lines(named) as script:
            line = json.dumps({"type": "custom.x", "id": "same"}).encode() + b"\n"
            script.socket.settimeout(1 * TIME_FACTOR)
            sent = 0
            with self.assertRaises(TimeoutError):
                while sent < 64 * 1024 * 1024:
                    sent += script.socket.send(line * 1000)
            self.assertLess(sent, 4 * 1024 * 1024)
            # Others are served meanwhile; and who begins to read gets every answer.
            with Lines(named) as other:
                self.assertIn("id", other.say({"type": "custom.other"}))
            script.socket.settimeout(30 * TIME_FACTOR)
            answers = script.finish()
            self.assertEqual(sent // len(line), sum("id" in answer for answer in answers))
            self.assertEqual(1, len(watching.of("custom.x")))


class RepetitionTest(unittest.TestCase):
    def test_by_another_way_and_after_a_break(self):
        with publishing_named() as named, watcher(named) as watching:
            event = {"type": "custom.once", "id": "job-7", "data": {"a": 1}}
            with Client(named, token=TOKENS["publisher"]) as publisher:
                first = publisher.request("publish", event)["data"]
                self.assertNotIn("duplicate", first)
            with Client(named, token=TOKENS["publisher"]) as publisher:  # the answer may have been lost
                self.assertEqual({**first, "duplicate": True}, publisher.request("publish", event)["data"])
                conflict = publisher.request("publish", {**event, "data": {"a": 2}})["data"]
                self.assertEqual(("CONFLICT", "id"), (conflict["code"], conflict["details"]["field"]))
            self.assertEqual((200, {**first, "duplicate": True}), post(named, event))
            self.assertEqual(409, post(named, {**event, "type": "custom.other"})[0])
            with Lines(named) as script:  # another publisher
                self.assertNotIn("duplicate", script.say(event))
            keyed = {"type": "custom.keyed"}
            status, answer = post(named, keyed, **{"Idempotency-Key": "k-1"})
            self.assertEqual(201, status)
            self.assertEqual((200, {**answer, "duplicate": True}), post(named, keyed, **{"Idempotency-Key": "k-1"}))
            watching.wait_event("custom.keyed")
            self.assertEqual((2, 1), (len(watching.of("custom.once")), len(watching.of("custom.keyed"))))
            state = counted(watching)
            self.assertEqual((3, 3, 2), (state["published"], state["duplicates"], state["refused"]["conflict"]))


class BulkTest(unittest.TestCase):
    def test_a_story_with_progress_in_moderation(self):
        with publishing_named(progress_per_second=5) as named, watcher(named) as watching, Lines(named) as script:
            correlation_id = script.say({"type": "import_started", "data": {"total": 200}})["correlation_id"]
            metadata = {"correlation_id": correlation_id}
            for done in range(1, 201):
                answer = script.say({"type": "import_progress", "data": {"done": done}, "metadata": metadata})
                self.assertNotEqual("id" in answer, answer.get("held_back", False))
            script.say({"type": "import_completed", "data": {"done": 200}, "metadata": metadata})
            completed = watching.wait_event("import_completed")
            progress = watching.of("import_progress")
            self.assertEqual({correlation_id}, {e["metadata"]["correlation_id"] for e in watching.events})
            self.assertLess(len(progress), 100)
            self.assertEqual((200, 100), (progress[-1]["data"]["done"], progress[-1]["data"]["percent"]))
            self.assertGreater(progress[-1]["data"]["rate_per_second"], 0)
            self.assertEqual(0, progress[-1]["data"]["eta_seconds"])
            self.assertEqual(100, completed["data"]["percent"])
            self.assertIn("duration_seconds", completed["data"])
            refused = script.say({"type": "import_progress", "data": {"done": 3}, "metadata": metadata})
            self.assertEqual("CONFLICT", refused["code"])
            bulk = counted(watching)["bulk_operations"]
            self.assertEqual((0, 200), (bulk["open"], len(progress) + bulk["progress_overtaken"]))

    def test_what_falls_silent_has_failed(self):
        with publishing_named(bulk_silence="1s") as named, watcher(named) as watching:
            started = post(named, {"type": "backup_started"})[1]
            failed = watching.wait_event("backup_failed", reason="silent")
            self.assertEqual((started["correlation_id"], "the-publisher"),
                             (failed["metadata"]["correlation_id"], failed["source_user_id"]))
            self.assertGreaterEqual(failed["data"]["silent_seconds"], 1)
            self.assertEqual(1, len(watching.of("backup_failed")))

    def test_a_stop_of_named_ends_the_watch_and_a_restart_takes_it_up(self):
        with publishing_named(progress_per_second=1) as named:
            with watcher(named) as watching, Lines(named) as script:
                script.say({"type": "export_started", "metadata": {"correlation_id": "c"}})
                for done in (1, 2, 3):
                    script.say({"type": "export_progress", "data": {"done": done}, "metadata": {"correlation_id": "c"}})
                named.stop()
                failed = watching.wait_event("export_failed", reason="server_stopped")
                self.assertEqual((3, 3), (failed["data"]["done"], watching.of("export_progress")[-1]["data"]["done"]))
            self.assertFalse((named.folder / "publish.sock").exists())
            named.start()
            with watcher(named) as watching, Lines(named) as script:
                script.say({"type": "export_progress", "data": {"done": 4}, "metadata": {"correlation_id": "c"}})
                self.assertTrue(watching.wait_event("export_progress")["data"]["adopted"])


class ReloadTest(unittest.TestCase):
    def test_the_socket_follows_the_configuration(self):
        with publishing_named() as named, Client(named) as admin, Lines(named) as script:
            admin.subscribe(event_types=["config_change"])
            old, new = named.folder / "publish.sock", named.folder / "other.sock"
            # What is not a dead socket is left alone, and what fails is said and tried again.
            new.write_text("a file")
            reconfigured(named, admin, publish={"socket": str(new)})
            named.wait_log(f"publish.socket: cannot listen on {new}: address in use")
            self.assertFalse(old.exists())
            self.assertEqual("a file", new.read_text())
            self.assertIn("address in use", counted(admin)["socket"]["fault"])
            self.assertIn("id", script.say({"type": "custom.x"}))  # connections stay
            new.unlink()
            wait_until(new.is_socket, "the next try", 15)
            reconfigured(named, admin, publish={"socket": ""})
            self.assertFalse(new.exists())
            # One that a killed named left behind is replaced.
            reconfigured(named, admin, publish={"socket": str(old)})
            named.kill()
            self.assertTrue(old.is_socket())
            named.start()
            with Lines(named) as again:
                self.assertIn("id", again.say({"type": "custom.x"}))


if __name__ == "__main__":
    unittest.main()
