"""Clients that mean harm or are broken: each gets an error or is closed, and nobody else notices."""

import json
import os
import socket
import unittest

from client import Client, RawSocket
from harness import Named, Zone, wait_until

ZONES = {"example.com": Zone("www A 192.0.2.1")}


class HostileTest(unittest.TestCase):
    """One named and one bystander for all of them; the bystander must see every query and stay connected."""

    @classmethod
    def setUpClass(cls):
        cls.named = cls.enterClassContext(Named(ZONES, yaml={"server": {"max_connections_per_user": 60}}))
        cls.bystander = cls.enterClassContext(Client(cls.named))
        cls.bystander.subscribe(event_types=["dns_query_log"])

    def tearDown(self):
        name = f"{self._testMethodName.replace('_', '-')[:50]}.example.com"
        self.named.query(name)
        self.bystander.wait_event("dns_query_log", qname=name)
        self.assertFalse(self.bystander.closed)
        self.assertEqual([], self.bystander.gaps())
        self.named.check_log()

    def enter(self, raw: RawSocket) -> RawSocket:
        self.assertEqual(101, raw.upgrade(headers={"Authorization": f"Bearer {self.named.token}"}))
        return raw

    def error_for(self, frame) -> dict:
        """The error that one frame gets; the client must be usable afterwards."""
        with Client(self.named) as client:
            client.send(frame)
            error = client.wait_message("error")
            self.assertEqual("pong", client.request("ping")["type"])
            self.assertTrue(error["data"]["message"])
            return error["data"]

    def test_no_json(self):
        self.assertEqual("INVALID_MESSAGE", self.error_for("certainly { no json")["code"])

    def test_json_that_is_no_object(self):
        for frame in ("[]", "17", '"text"', "null", "", "{}", '{"type": 5}', '{"type": "subscribe", "data": []}'):
            with self.subTest(frame=frame):
                self.assertIn(self.error_for(frame)["code"], ("INVALID_MESSAGE", "SUBSCRIPTION_FAILED"))

    def test_an_unknown_type_gets_the_list_of_those_known(self):
        error = self.error_for('{"type":"make_coffee","id":"x1"}')
        self.assertEqual("UNKNOWN_TYPE", error["code"])
        self.assertIn("subscribe", json.dumps(error))

    def test_deep_json(self):
        deep = '{"type":"ping","data":' + "[" * 40 + "]" * 40 + "}"
        self.assertIn(self.error_for(deep)["code"], ("INVALID_MESSAGE", "TOO_LARGE"))

    def test_very_deep_json(self):
        with Client(self.named) as client:
            client.send('{"type":"ping","data":' + "[" * 30000 + "]" * 30000 + "}")
            wait_until(lambda: client.closed or client.messages[-1]["type"] == "error", "an error")

    def test_invalid_utf8(self):
        with RawSocket(self.named) as raw:
            self.enter(raw).send_frame(b'{"type":"ping","data":"\xff\xfe"}')
            self.ends_or_gets_error(raw)

    def ends_or_gets_error(self, raw):
        try:
            while raw.read_json()["type"] != "error":
                pass
        except (ConnectionError, socket.timeout) as end:
            self.assertNotIsInstance(end, socket.timeout, "neither an error nor an end")

    def test_a_binary_frame(self):
        with RawSocket(self.named) as raw:
            self.enter(raw).send_frame(os.urandom(200), opcode=2)
            self.ends_or_gets_error(raw)

    def test_an_oversized_message(self):
        with Client(self.named) as client:
            try:
                client.send('{"type":"ping","data":"' + "x" * 100_000 + '"}')
            except Exception as fault:  # closed while it was still sending
                self.assertIn("Closed", type(fault).__name__)
            wait_until(lambda: client.closed or any(m["type"] == "error" for m in client.messages), "an error or end")

    def test_an_endless_message_in_fragments(self):
        before = self.named.memory_kib()
        with RawSocket(self.named) as raw:
            self.enter(raw)
            try:
                raw.send_frame(b"x" * 10000, fin=False)
                for _ in range(5000):
                    raw.send_frame(b"x" * 10000, opcode=0, fin=False)
            except OSError:
                pass  # closed: as good as an error
            self.ends_or_gets_error(raw)
            self.assertLess(self.named.memory_kib() - before, 16 * 1024)

    def test_a_frame_that_claims_to_be_huge(self):
        with RawSocket(self.named) as raw:
            self.enter(raw).send(b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0" + b"x" * 1000)
            before = self.named.memory_kib()
            self.ends_or_gets_error_quickly(raw)
            self.assertLess(self.named.memory_kib() - before, 64 * 1024)

    def ends_or_gets_error_quickly(self, raw):
        """An end, an error, or patience: what it must not do is take memory. The peer goes away then."""
        raw.socket.settimeout(1)
        try:
            while raw.read_json()["type"] != "error":
                pass
        except (ConnectionError, OSError):
            pass

    def test_garbage_after_the_handshake(self):
        for _ in range(10):
            with RawSocket(self.named) as raw:
                self.enter(raw).send(os.urandom(2000))

    def test_garbage_instead_of_http(self):
        for data in (os.urandom(3000), b"\r\n" * 500, b"GET " + b"a" * 100_000, b"GET / HTTP/9.9\r\n\r\n",
                     b"\x16\x03\x01" * 99, b"GET /ws HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"):
            with RawSocket(self.named) as raw:
                try:
                    raw.send(data)
                except OSError:
                    pass

    def test_an_unknown_upgrade(self):
        with RawSocket(self.named) as raw:
            raw.send(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            try:
                self.assertNotEqual(101, raw._head()[0])
            except ConnectionError:
                pass

    def test_connections_cut_off_in_the_middle(self):
        for i in range(30):
            with RawSocket(self.named) as raw:
                if i % 3:
                    self.enter(raw).send_json({"type": "subscribe", "data": {"event_types": ["dns_query_log"]}})
                if i % 3 == 2:
                    raw.send(b"\x81\xfe\x10")  # half a frame's head
                raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not close
            self.named.query("www.example.com")

    def test_many_that_never_finish_their_handshake(self):
        slow = [RawSocket(self.named) for _ in range(30)]
        for raw in slow:
            raw.send(b"GET /ws HTTP/1.1\r\nHost: x\r\n")
        with Client(self.named) as client:
            self.assertEqual("pong", client.request("ping")["type"])
        for raw in slow:
            raw.socket.close()

    def test_an_expression_made_to_hurt(self):
        for expression in ("(" * 5000 + ")" * 5000, "not " * 5000 + "has qname", 'qname ~ "' + "*a" * 500 + '"',
                           'qname in (' + '"x",' * 3000 + '"y")', "\\", "qname = ", "qname under 5", "é = 1"):
            with self.subTest(expression=expression[:30]), Client(self.named) as client:
                answer = client.request("subscribe", {"event_types": ["dns_query_log"], "filter": expression})
                self.assertIn(answer["type"], ("error", "subscription_updated"))
                self.named.query("a" * 60 + ".example.com")
                self.assertEqual("pong", client.request("ping")["type"])

    def test_strange_values_in_a_subscription(self):
        for data in ({"event_types": "dns_query_log"}, {"event_types": [1, None]}, {"sample": -1}, {"sample": 0},
                     {"sample": 1e300}, {"min_priority": "utmost"}, {"categories": ["x" * 10000]},
                     {"event_types": ["dns_query_log"] * 3000}, {"name": "\u0000" * 100}, {"filter": 5}):
            with self.subTest(data=str(data)[:40]), Client(self.named) as client:
                client.send(json.dumps({"type": "subscribe", "data": data}))
                client.wait_message("error", "subscription_updated")
                self.assertEqual("pong", client.request("ping")["type"])

    def test_repeated_offence_closes_that_client(self):
        with Client(self.named) as client:
            for _ in range(90):
                try:
                    client.send("no json")
                except Exception:
                    break
                if client.closed:
                    break
            self.assertEqual(1008, client.wait_closed())

    def test_names_made_to_hurt(self):
        """Whatever a query's name holds, the frames stay valid JSON: Client would stop reading at the first bad one."""
        for label in (rb'\"\"', rb"\010\013\000", rb"\255\254\128", b"</script>", rb"\092\092n", "ü".encode()):
            text = label.decode("latin-1") if b"\\" in label else label.decode()
            self.named.query(f"{text}.example.com")


if __name__ == "__main__":
    unittest.main(verbosity=2)
