"""The WebSocket as a well-behaved client sees it: entry, subscriptions, filters, batches, limits, status."""

import json
import os
import stat
import unittest

import websockets

from client import Client, RawSocket, watching
from harness import Named, Zone, wait_until

ZONES = {"example.com": Zone("www A 192.0.2.1"), "other.example": Zone("www A 192.0.2.2")}


class EntryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.named = cls.enterClassContext(Named(ZONES))

    def test_the_token_file_is_for_its_owner_alone_and_the_token_is_not_logged(self):
        mode = os.stat(self.named.token_file).st_mode
        self.assertEqual(0o600, stat.S_IMODE(mode))
        self.assertGreaterEqual(len(self.named.token), 32)
        self.assertNotIn(self.named.token, self.named.log())
        self.assertIn("bindcast.token", self.named.log())

    def test_welcome(self):
        with Client(self.named) as client:
            welcome = client.wait_message("connection_established")
            self.assertIn("admin", welcome["data"]["roles"])
            self.assertIn("epoch", welcome["data"])
            self.assertIn("offset", welcome["data"])
            self.assertRegex(welcome["timestamp"], r"^\d{4}-.*\.\d{6}Z$")

    def test_the_token_in_the_first_message(self):
        with Client(self.named, token=None) as client:
            client.send(json.dumps({"type": "authenticate", "data": {"token": self.named.token}}))
            client.wait_message("connection_established")
            client.subscribe(event_types=["dns_query_log"])

    def test_the_path_of_the_old_frontend(self):
        with Client(self.named, path="/api/websocket/ws") as client:
            client.wait_message("connection_established")

    def test_a_wrong_token_in_the_header(self):
        try:
            with Client(self.named, token="wrong") as client:
                self.assertEqual(4401, client.wait_closed())
        except websockets.InvalidStatusCode as refused:
            self.assertEqual(401, refused.status_code)

    def test_a_wrong_token_in_the_first_message(self):
        with Client(self.named, token=None) as client:
            client.send(json.dumps({"type": "authenticate", "data": {"token": "wrong"}}))
            self.assertEqual(4401, client.wait_closed())
            self.assertFalse([m for m in client.messages if m["type"] == "connection_established"])

    def test_no_token_in_time(self):
        with Client(self.named, token=None) as client:
            self.named.query("www.example.com")
            self.assertEqual(4408, client.wait_closed(timeout=15))
            self.assertEqual([], client.events)

    def test_nothing_is_served_before_the_token(self):
        with Client(self.named, token=None) as client:
            client.send(json.dumps({"type": "subscribe", "data": {"event_types": ["dns_query_log"]}}))
            self.named.query("www.example.com")
            client.wait_closed(timeout=15)
            self.assertEqual([], client.events)
            self.assertIn(client.close_code, (4401, 4403, 4408))

    def test_a_token_in_the_address_is_not_accepted_unless_configured(self):
        with Client(self.named, token=None, path=f"/ws?token={self.named.token}") as client:
            self.assertIn(client.wait_closed(timeout=15), (4401, 4408))
            self.assertNotIn(self.named.token, self.named.log())

    def test_a_wrong_path(self):
        with RawSocket(self.named) as raw:
            self.assertEqual(404, raw.upgrade("/elsewhere"))
        with RawSocket(self.named) as raw:
            self.assertEqual(404, raw.http("/elsewhere")[0])

    def test_a_page_from_elsewhere_is_refused(self):
        bearer = {"Authorization": f"Bearer {self.named.token}"}
        with RawSocket(self.named) as raw:
            self.assertEqual(403, raw.upgrade(headers={"Origin": "http://evil.example", **bearer}))
        with RawSocket(self.named) as raw:
            own = f"http://{raw.host}:{raw.port}"
            self.assertEqual(101, raw.upgrade(headers={"Origin": own, **bearer}))

    def test_status_needs_the_token(self):
        with RawSocket(self.named) as raw:
            self.assertEqual(401, raw.http("/api/v1/status")[0])
        with RawSocket(self.named) as raw:
            self.assertEqual(401, raw.http("/api/v1/status", {"Authorization": "Bearer wrong"})[0])

    def test_status(self):
        with Client(self.named) as client:
            client.subscribe(event_types=["dns_query_log"])
            self.named.query("status.example.com")
            client.wait_event("dns_query_log", qname="status.example.com")
            asked = client.request("get_status")
            self.assertEqual("status", asked["type"])
            with RawSocket(self.named) as raw:
                code, body = raw.http("/api/v1/status", {"Authorization": f"Bearer {self.named.token}"})
            self.assertEqual(200, code)
            status = json.loads(body)
            self.assertEqual(set(asked["data"]), set(status.get("data", status)))

    def test_ping(self):
        with Client(self.named) as client:
            self.assertEqual("pong", client.request("ping")["type"])


class SubscriptionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.named = cls.enterClassContext(Named(ZONES, yaml={"server": {"max_connections_per_user": 50}}))
        watching(cls.named).close()

    def names(self, client):
        return [event["data"]["qname"] for event in client.of("dns_query_log")]

    def test_only_what_was_asked_for(self):
        with Client(self.named) as queries, Client(self.named) as zones, Client(self.named) as nothing:
            queries.subscribe(event_types=["dns_query_log"])
            zones.subscribe(event_types=["zone_created", "zone_deleted"])
            self.named.query("asked.example.com")
            self.named.rndc("addzone", "asked.example", '{ type primary; file "example.com.db"; };')
            queries.wait_event("dns_query_log", qname="asked.example.com")
            zones.wait_event("zone_created", zone="asked.example")
            self.assertEqual({"dns_query_log"}, {event["type"] for event in queries.events})
            self.assertEqual({"zone_created"}, {event["type"] for event in zones.events})
            nothing.request("ping")
            self.assertEqual([], nothing.events)

    def test_filters(self):
        with Client(self.named) as under, Client(self.named) as cased, Client(self.named) as all_of_them:
            under.subscribe(event_types=["dns_query_log"],
                            filter='qname under "example.com" and rcode = "NXDOMAIN" and client in "127.0.0.0/8"')
            cased.subscribe(event_types=["dns_query_log"], filter='qname = "FILTER.other.EXAMPLE"')
            all_of_them.subscribe(event_types=["dns_query_log"])
            for name in ("filter.example.com", "www.example.com", "filter.other.example", "last.example.com"):
                self.named.query(name)
            all_of_them.wait_event("dns_query_log", qname="last.example.com")
            under.wait_event("dns_query_log", qname="last.example.com")
            cased.wait_event("dns_query_log", qname="filter.other.example")
            self.assertEqual(["filter.example.com", "last.example.com"], self.names(under))
            self.assertEqual(["filter.other.example"], self.names(cased))

    def test_the_answer_says_after_which_event_the_new_list_is_in_force(self):
        with Client(self.named) as client:
            after = client.subscribe(event_types=["dns_query_log"], name="queries")["data"]["after"]
            self.named.query("old.example.com")
            old = client.wait_event("dns_query_log", qname="old.example.com")
            self.assertGreater(old["id"], after)
            after = client.subscribe(filter='qname = "new.example.com"', name="queries")["data"]["after"]
            self.assertGreaterEqual(after, old["id"])
            self.named.query("new.example.com")
            self.assertGreater(client.wait_event("dns_query_log", qname="new.example.com")["id"], after)

    def test_a_bad_filter_is_refused_with_its_column_and_nothing_changes(self):
        with Client(self.named) as client:
            answer = client.request("subscribe", {"event_types": ["dns_query_log"], "filter": 'rcode = "NXDOMAIN'})
            # Either form of the protocol: an error, or the list as it was with its errors.
            text = json.dumps(answer)
            self.assertTrue(answer["type"] == "error" or answer["data"].get("errors"), text)
            self.assertRegex(text, r"column|\b9\b")
            self.named.query("nofilter.example.com")
            client.request("ping")
            self.assertEqual([], client.events)

    def test_unknown_types_are_said(self):
        with Client(self.named) as client:
            answer = client.request("subscribe", {"event_types": ["dns_query_log", "no_such_event"]})
            self.assertIn("no_such_event", json.dumps(answer))

    def test_unsubscribe(self):
        with Client(self.named) as client, Client(self.named) as other:
            other.subscribe(event_types=["dns_query_log"])
            client.subscribe(event_types=["dns_query_log"])
            self.named.query("first.example.com")
            client.wait_event("dns_query_log", qname="first.example.com")
            client.request("unsubscribe", {"event_types": ["dns_query_log"]})
            self.named.query("second.example.com")
            other.wait_event("dns_query_log", qname="second.example.com")
            client.request("ping")
            self.assertEqual(["first.example.com"], self.names(client))

    def test_the_list_of_subscriptions(self):
        with Client(self.named) as client:
            client.subscribe(event_types=["zone_created"], name="zones", filter='zone under "example.com"')
            answer = client.request("get_subscriptions")
            self.assertEqual("subscription_info", answer["type"])
            text = json.dumps(answer["data"])
            self.assertIn("zone_created", text)
            self.assertIn("zones", text)

    def test_categories_and_priorities(self):
        with Client(self.named) as client, Client(self.named) as other:
            client.subscribe(categories=["dns"], min_priority="high")
            other.subscribe(categories=["dns"])
            self.named.rndc("addzone", "high.example", '{ type primary; file "example.com.db"; };')
            other.wait_event("zone_created", zone="high.example")
            self.named.rndc("delzone", "high.example")
            client.wait_event("zone_deleted", zone="high.example")
            self.assertEqual([], client.of("zone_created"))
            self.assertTrue(all(event["priority"] in ("high", "critical", "urgent") for event in client.events))

    def test_batches(self):
        with Client(self.named, subprotocol="bindcast.v1.json") as client, Client(self.named) as single:
            client.subscribe(event_types=["dns_query_log"])
            single.subscribe(event_types=["dns_query_log"])
            for i in range(60):
                self.named.query(f"b{i}.example.com")
            client.wait_events(60, "dns_query_log")
            single.wait_events(60, "dns_query_log")
            self.assertEqual([f"b{i}.example.com" for i in range(60)],
                             sorted(self.names(client), key=lambda name: int(name[1:].split(".")[0])))
            self.assertEqual([], single.batches)
            self.assertTrue(client.batches)
            for batch in client.batches:
                self.assertEqual(batch["batch_size"], len(batch["events"]))
                self.assertLessEqual(batch["batch_size"], 25)
            self.assertEqual({event["id"] for event in single.events}, {event["id"] for event in client.events})

    def test_a_hundred_subscribers_see_the_same(self):
        clients = [Client(self.named) for _ in range(40)]
        try:
            for client in clients:
                client.subscribe(event_types=["dns_query_log"])
            for i in range(20):
                self.named.query(f"many{i}.example.com")
            for client in clients:
                client.wait_events(20, "dns_query_log", timeout=20)
            first = [event["id"] for event in clients[0].of("dns_query_log")]
            for client in clients[1:]:
                self.assertEqual(first, [event["id"] for event in client.of("dns_query_log")])
        finally:
            for client in clients:
                client.close()


class LimitsTest(unittest.TestCase):
    def test_a_full_server_says_so_and_lets_in_again(self):
        with Named(ZONES, yaml={"server": {"max_connections": 3}}) as named:
            clients = [Client(named) for _ in range(3)]
            try:
                with Client(named) as late:
                    self.assertEqual(1013, late.wait_closed())
            except websockets.InvalidStatusCode as refused:
                self.assertEqual(503, refused.status_code)
            self.assertEqual(["pong"] * 3, [client.request("ping")["type"] for client in clients])
            clients.pop().close()

            def enters():
                try:
                    with Client(named) as late:
                        return not late.closed and late.request("ping")["type"] == "pong"
                except (websockets.InvalidHandshake, AssertionError):
                    return False

            wait_until(enters, "room for one")
            for client in clients:
                client.close()

    def test_one_user_cannot_take_all_connections(self):
        with Named(ZONES, yaml={"server": {"max_connections_per_user": 2}}) as named:
            with Client(named) as first, Client(named) as second:
                with Client(named) as third:
                    self.assertEqual(4429, third.wait_closed())
                self.assertEqual(["pong"] * 2, [client.request("ping")["type"] for client in (first, second)])

    def test_a_peer_that_answers_no_ping_is_dropped_and_one_that_does_stays(self):
        with Named(ZONES, yaml={"server": {"heartbeat": "1s"}}) as named, Client(named) as alive:
            alive.subscribe(event_types=["dns_query_log"])
            with RawSocket(named, timeout=15) as dead:
                bearer = {"Authorization": f"Bearer {named.token}"}
                self.assertEqual(101, dead.upgrade(headers=bearer))
                self.assertTrue(dead.ended(), "the server kept a peer that answers nothing")
            named.query("alive.example.com")
            alive.wait_event("dns_query_log", qname="alive.example.com")

    def test_a_flood_of_messages_is_answered_with_an_error(self):
        with Named(ZONES, yaml={"rate_limit": {"messages_per_minute": 20}}) as named:
            with Client(named) as noisy, Client(named) as quiet:
                for _ in range(60):
                    if noisy.closed:
                        break
                    try:
                        noisy.send('{"type":"ping"}')
                    except websockets.ConnectionClosed:
                        break
                limited = lambda m: "RATE_LIMITED" in json.dumps(m)
                wait_until(lambda: noisy.closed or any(map(limited, noisy.messages)), "the limit to be said")
                self.assertLessEqual(len([m for m in noisy.messages if m["type"] == "pong"]), 21)
                self.assertEqual("pong", quiet.request("ping")["type"])

    def test_open_mode_needs_no_token(self):
        with Named(ZONES, yaml={"auth": {"mode": "open"}}) as named, Client(named, token=None) as client:
            client.wait_message("connection_established")
            client.subscribe(event_types=["dns_query_log"])
            named.query("open.example.com")
            client.wait_event("dns_query_log", qname="open.example.com")

    def test_a_token_in_the_address_when_configured(self):
        with Named(ZONES, yaml={"auth": {"query_token": True}}) as named:
            with Client(named, token=None, path=f"/ws?token={named.token}") as client:
                client.wait_message("connection_established")
            self.assertNotIn(named.token, named.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
