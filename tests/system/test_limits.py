"""Limits of what one client gets: rates, samples, queues and batches. Whatever does not come is told, to the event."""

import collections
import json
import unittest
from datetime import datetime

from client import Account, Client, admitted, reconfigured
from harness import TIME_FACTOR, HarnessError, Named, Zone, wait_until
from traffic import Forwarder, Load

ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(200))),
         "rpz.malware": Zone("*.bad.test CNAME ."), "rpz.plain": Zone("*.plain.test CNAME .")}
POLICY = 'response-policy { zone "rpz.malware"; zone "rpz.plain"; } qname-wait-recurse no;'
NAMES = [f"n{i}.example.com" for i in range(200)]
LATE_S = 1 * TIME_FACTOR  # what a busy machine may add to a time


def limited_named(forwarder_port: int = 9, workers: int = 2, **yaml) -> Named:
    """Nothing comes again or folded by itself, and tests may ask and change as often as they like."""
    rate_limit = {"subscription_changes_per_minute": 10_000, "messages_per_minute": 10_000,
                  **yaml.pop("rate_limit", {})}
    events = {"rpz": {"feeds": {"rpz.malware": "malware"}, "repeat_window": "0s"}, **yaml.pop("events", {})}
    return Named(ZONES, options=POLICY, yaml={"events": events, "retry": {"acknowledge": []}, "rate_limit": rate_limit,
                                              **yaml}, forwarder_port=forwarder_port, workers=workers)


def ask(named, names: list[str], count: int, rate: int):
    with Load(named, names, count=count, rate=rate) as load:
        done = load.finish()
    if done["completed"] != count:
        raise HarnessError(f"asked {count}: {done}")


def told(client: Client) -> collections.Counter:
    """What the gaps add up to, by reason and type; each gap must agree with itself."""
    sum_of = collections.Counter()
    for gap in client.gaps():
        if gap["count"] != sum(gap["by_type"].values()):
            raise HarnessError(f"a gap's count is not the sum of its types: {gap}")
        for kind, count in gap["by_type"].items():
            sum_of[gap["reason"], kind] += count
    return sum_of


def by_name(client: Client) -> collections.Counter:
    """How often each name was asked for, by what came, folded or not."""
    asked = collections.Counter(event["data"]["qname"] for event in client.of("dns_query_log"))
    for batch in client.of("dns_query_batch"):
        asked[batch["data"]["qname"]] += batch["data"]["count"]
    return asked


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class RateLimitTest(unittest.TestCase):
    PER_SECOND = 40
    RATE_LIMIT = {"events_per_second": PER_SECOND, "adaptive": False}

    def test_like_queries_come_folded(self):
        with limited_named(rate_limit=self.RATE_LIMIT) as named:
            for form in (None, "bindcast.v1.json", "bindcast.v1.deflate"):
                with self.subTest(form=form), Client(named, subprotocol=form) as client:
                    client.subscribe(event_types=["dns_query_log"])
                    ask(named, NAMES[:4], count=600, rate=600)
                    wait_until(lambda: by_name(client).total() == 600, "all, singly or folded")
                    self.assertEqual({name: 150 for name in NAMES[:4]}, by_name(client))
                    self.assertEqual([], client.gaps())
                    single = client.of("dns_query_log")
                    took = seconds(single[-1]["timestamp"]) - seconds(single[0]["timestamp"])
                    self.assertGreaterEqual(len(single), self.PER_SECOND)
                    self.assertLess(len(single), self.PER_SECOND * (1 + took + LATE_S))
                    for batch in client.of("dns_query_batch"):
                        self.assertNotIn("queries", batch["data"])  # one each: nothing was sampled

    def test_others_are_told_as_lost_and_urgent_ones_not_held_up(self):
        names = [f"p{i}.plain.test" for i in range(5)] + ["b.bad.test"]
        with limited_named(rate_limit=self.RATE_LIMIT) as named, Client(named) as client:
            client.subscribe(event_types=["dns_query_blocked", "malware_blocked"])
            ask(named, names, count=600, rate=300)
            client.wait_events(100, "malware_blocked")
            of_blocked = lambda: len(client.of("dns_query_blocked"))
            wait_until(lambda: of_blocked() + told(client).total() >= 500, "all to come or be told")
            self.assertEqual({("rate_limit", "dns_query_blocked"): 500 - of_blocked()}, told(client))
            self.assertLess(of_blocked(), self.PER_SECOND * (4 + LATE_S))
            self.assertEqual(100, len(client.of("malware_blocked")))

    def test_a_client_that_wants_nothing_folded_is_told(self):
        with limited_named(rate_limit=self.RATE_LIMIT) as named, Client(named) as client:
            self.assertFalse(client.request("set_preferences", {"fold": False})["data"]["fold"])
            client.subscribe(event_types=["dns_query_log"])
            ask(named, NAMES[:4], count=400, rate=400)
            wait_until(lambda: by_name(client).total() + told(client).total() >= 400, "all to come or be told")
            self.assertEqual([], client.of("dns_query_batch"))
            self.assertEqual({("rate_limit", "dns_query_log"): 400 - len(client.of("dns_query_log"))}, told(client))

    def test_a_reload_lifts_it(self):
        with limited_named(rate_limit=self.RATE_LIMIT) as named, Client(named) as client:
            client.subscribe(event_types=["dns_query_log", "config_change"])
            reconfigured(named, client, rate_limit={**named.yaml["rate_limit"], "events_per_second": 0})
            ask(named, NAMES[:4], count=400, rate=400)
            client.wait_events(400, "dns_query_log")
            self.assertEqual(([], []), (client.of("dns_query_batch"), client.gaps()))


class SampleTest(unittest.TestCase):
    def test_one_in_so_many_with_the_rest_told_once_a_second(self):
        with limited_named() as named, Client(named) as all_of_it, \
                Client(named, subprotocol="bindcast.v1.deflate") as sampled:
            all_of_it.subscribe(event_types=["dns_query_log"])
            sampled.subscribe(event_types=["dns_query_log"], sample=4)
            ask(named, NAMES, count=400, rate=160)
            all_of_it.wait_events(400, "dns_query_log")
            wait_until(lambda: told(sampled).total() >= 300, "the rest to be told")
            self.assertEqual({("sampled", "dns_query_log"): 300}, told(sampled))
            self.assertEqual(100, len(sampled.of("dns_query_log")))
            self.assertEqual({4}, {event["metadata"]["sampled"] for event in sampled.events})
            self.assertFalse(any("sampled" in event["metadata"] for event in all_of_it.events))
            self.assertEqual([], all_of_it.gaps())
            at = [seconds(m["timestamp"]) for m in sampled.messages if m["type"] == "gap"]
            self.assertGreaterEqual(len(at), 2)
            self.assertTrue(all(b - a > 0.95 for a, b in zip(at, at[1:])), at)

    def test_a_sample_of_a_sample(self):
        with limited_named(events={"queries": {"sample": 3}}) as named, Client(named) as client, \
                Client(named) as first_only:
            client.subscribe(event_types=["dns_query_log"], sample=2)
            first_only.subscribe(event_types=["dns_query_log"])
            ask(named, NAMES, count=360, rate=360)
            for of, each in ((client, 6), (first_only, 3)):
                came = lambda: len(of.of("dns_query_log"))
                wait_until(lambda: came() + told(of).total() >= 360, "all to come or be told")
                self.assertAlmostEqual(360 / each, came(), delta=2)  # each of named's threads counts for itself
                self.assertEqual({("sampled", "dns_query_log"): 360 - came()}, told(of))
                self.assertEqual({each}, {event["metadata"]["sampled"] for event in of.events})


class SubscriptionChangesTest(unittest.TestCase):
    def test_no_more_than_so_many_a_minute(self):
        with limited_named(rate_limit={"subscription_changes_per_minute": 5}) as named, Client(named) as client, \
                Client(named) as other:
            changes = [("subscribe", {"event_types": ["dns_query_log"]}),
                       ("subscribe", {"name": "second", "event_types": ["zone_created"]}),
                       ("unsubscribe", {"name": "second"}), ("set_preferences", {"batch": False}),
                       ("subscribe_category", {"categories": ["security"]}), ("unsubscribe", {}),
                       ("set_preferences", {"batch": True})]
            answers = [client.request(kind, data) for kind, data in changes]
            self.assertEqual(["subscription_updated"] * 3 + ["preferences", "subscription_updated"] + ["error"] * 2,
                             [answer["type"] for answer in answers])
            for answer in answers[5:]:
                self.assertEqual("RATE_LIMITED", answer["data"]["code"])
            # What was refused has changed nothing, other requests and clients go on.
            left = client.request("get_subscriptions")["data"]["subscriptions"]
            self.assertEqual([(["dns_query_log"], ["security"])], [(s["event_types"], s["categories"]) for s in left])
            self.assertEqual("pong", client.request("ping")["type"])
            named.query("after.example.com")
            client.wait_event("dns_query_log", qname="after.example.com")
            other.subscribe(event_types=["zone_created"])


def offset(event: dict) -> int:
    return int(event["id"].rsplit("-", 1)[1])


class Stalled:
    """A client that does not read while the test makes events, and all it gets when it does."""

    def __init__(self, named, *types: str, fold: bool):
        self.events: list[dict] = []
        self.gaps: list[dict] = []
        self.raw = admitted(named, receive_buffer=4096, timeout=20)
        self.raw.send_json({"type": "set_preferences", "data": {"fold": fold}})
        self.raw.send_json({"type": "subscribe", "id": "s", "data": {"event_types": list(types)}})
        while self.raw.read_json().get("reply_to") != "s":
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.socket.close()

    def read(self):
        """All, with the account checked."""
        return self.raw.drain(self._see)

    def _see(self, message: dict):
        if message["type"] == "gap":
            self.gaps.append(message["data"])
        elif "category" in message:
            self.events.append(message)

    def names(self, kind: str) -> list[str]:
        return [event["data"]["qname"] for event in self.events if event["type"] == kind]


class OverflowTest(unittest.TestCase):
    QUEUE = 300
    FLOOD = 8000  # a socket's buffers take half of it
    BLOCKED = [f"p{i:02}.plain.test" for i in range(20)]
    TYPES = ("dns_query_log", "dns_query_blocked")

    def flood(self, named) -> int:
        """Many queries of low priority, some blocked ones of normal priority, and a last query; how many events."""
        ask(named, NAMES[:40], count=self.FLOOD, rate=4000)  # so many groups fit into a queue that is not quite full
        for name in self.BLOCKED:
            named.query(name)
        named.query("last.example.com")
        return self.FLOOD + 2 * len(self.BLOCKED) + 1

    def check(self, stalled: Stalled, count: int):
        def sum_of(account: Account) -> int:
            return account.events + account.folded + account.told["queue_overflow"]

        # The last answers may be on their way through named and the loop still when all else has been read.
        wait_until(lambda: sum_of(stalled.read()[0]) >= count, "every event in the account")
        account, statistics = stalled.read()
        self.assertEqual(count, sum_of(account))
        dropped = statistics["connection"]["events_dropped"]
        self.assertEqual(account.told["queue_overflow"], dropped["queue_overflow"])
        self.assertGreater(account.folded + dropped["queue_overflow"], 0, "the queue was never full")
        offsets = [offset(event) for event in stalled.events]
        self.assertEqual(sorted(set(offsets)), offsets)
        for gap in stalled.gaps:
            self.assertEqual(gap["count"], sum(gap["by_type"].values()))
        return account

    def run_with(self, overflow: str) -> Stalled:
        """Both with folding and without; what the latter got."""
        with limited_named(queues={"max_events": self.QUEUE, "overflow": overflow}) as named, \
                Stalled(named, *self.TYPES, fold=True) as folds, Stalled(named, *self.TYPES, fold=False) as plain:
            count = self.flood(named)
            self.assertGreater(self.check(folds, count).folded, 0)
            account = self.check(plain, count)
            self.assertEqual(0, account.folded)
            self.assertGreater(account.told["queue_overflow"], 0)
            # Both have caught up.
            named.query("afterwards.example.com")
            for client in (folds, plain):
                wait_until(lambda: client.read() and client.names("dns_query_log")[-1] == "afterwards.example.com",
                           "the next event")
            return plain

    def check_ranges(self, got: Stalled):
        """Without regard to importance, all between the first and the last event that a gap tells is lost."""
        for gap in got.gaps:
            self.assertFalse([event["id"] for event in got.events if gap["from"] <= event["id"] <= gap["to"]], gap)

    def test_drop_lowest(self):
        got = self.run_with("drop_lowest")
        self.assertEqual(self.BLOCKED, sorted(got.names("dns_query_blocked")))
        self.assertNotIn("last.example.com", got.names("dns_query_log"))
        self.assertEqual({"dns_query_log"}, set().union(*(gap["by_type"] for gap in got.gaps)))

    def test_drop_oldest(self):
        got = self.run_with("drop_oldest")
        self.assertEqual(self.BLOCKED, sorted(got.names("dns_query_blocked")))
        self.assertIn("last.example.com", got.names("dns_query_log"))
        self.check_ranges(got)

    def test_drop_newest(self):
        got = self.run_with("drop_newest")
        self.assertEqual([], got.names("dns_query_blocked"))
        self.assertNotIn("last.example.com", got.names("dns_query_log"))
        self.check_ranges(got)

    def test_queries_for_full_clients_alone_are_only_counted(self):
        """Not even recorded: the hooks measure one in 1,024 of those that they record. A failure still comes."""
        # One worker, so that the failures come in their order: each of named's threads has a ring of its own.
        with Forwarder() as forwarder, \
                limited_named(forwarder.port, workers=1, queues={"max_events": self.QUEUE}) as named, \
                Stalled(named, "dns_query_log", "dns_query_failed", fold=False) as stalled:
            ask(named, NAMES, count=4 * self.FLOOD, rate=8000)
            with Client(named) as witness:
                measured = witness.request("get_statistics")["data"]["server"]["hook_ns"]["count"]
            self.assertLess(measured, 4 * self.FLOOD / 1024 / 2)
            failed = [f"fail{i}.forwarded.test" for i in range(5)]
            for name in failed:
                named.query(name)
            self.check(stalled, 4 * self.FLOOD + 2 * len(failed))
            self.assertEqual(failed, stalled.names("dns_query_failed"))
            named.query("afterwards.example.com")
            wait_until(lambda: stalled.read() and stalled.names("dns_query_log")[-1] == "afterwards.example.com",
                       "the next query, recorded again")

    def test_disconnect(self):
        yaml = {"max_events": 2000, "overflow": "disconnect"}
        with limited_named(queues=yaml) as named, Client(named) as witness, \
                Stalled(named, "dns_query_log", fold=False) as stalled:
            witness.subscribe(event_types=["connection_closed", "dns_query_log"])
            ask(named, NAMES, count=self.FLOOD, rate=3000)
            event = witness.wait_event("connection_closed")
            closed = event["data"]
            self.assertEqual(1013, closed["code"])
            self.assertIn("slowly", closed["reason"])
            lost = closed["dropped"]["queue_overflow"]
            self.assertGreater(lost, 0)
            witness.wait_events(self.FLOOD, "dns_query_log")
            self.assertEqual([], witness.gaps())
            before = sum(offset(query) < offset(event) for query in witness.of("dns_query_log"))
            self.assertEqual(before, closed["events"] + closed["undelivered"] + lost)
            self.assertIn(stalled.raw.close_code(), (1013, None))  # None: it was cut off before the close frame

    def test_a_reload_makes_the_queue_smaller(self):
        for overflow in ("drop_lowest", "drop_oldest"):
            with self.subTest(overflow=overflow), \
                    limited_named(queues={"max_events": 20_000, "max_bytes": "64MiB", "overflow": overflow}) as named, \
                    Client(named) as witness, Stalled(named, *self.TYPES, fold=False) as stalled:
                witness.subscribe(event_types=["config_change"])
                count = self.flood(named)
                witness.request("ping")
                status = witness.request("get_statistics")["data"]["server"]
                self.assertEqual(0, status["events_dropped"]["queue_overflow"])
                reconfigured(named, witness, queues={"max_events": 100, "overflow": overflow})
                dropped = witness.request("get_statistics")["data"]["server"]["events_dropped"]["queue_overflow"]
                self.assertGreater(dropped, 0)
                account = self.check(stalled, count)
                self.assertEqual(dropped, account.told["queue_overflow"])
                self.assertEqual(self.BLOCKED, sorted(stalled.names("dns_query_blocked")))


class BatchesTest(unittest.TestCase):
    COUNT, RATE = 300, 600
    PROFILES = {"default": (50, 64, 1000), "production": (25, 32, 500), "high_volume": (100, 128, 2000),
                "low_latency": (10, 16, 100)}  # events, KiB, ms

    @classmethod
    def setUpClass(cls):
        cls.named = cls.enterClassContext(limited_named(queues={"max_events": 20_000}))

    def setUp(self):
        self.client = self.enterContext(Client(self.named, subprotocol="bindcast.v1.deflate"))
        self.client.subscribe(event_types=["dns_query_log", "config_change"])

    def load(self, most_events: int, most_bytes: int, compressed: bool = True):
        """A short load: everything comes, in batches that are no larger than allowed."""
        client = self.client
        before, frames = len(client.batches), len(client.frames)
        expected = len(client.of("dns_query_log")) + self.COUNT
        ask(self.named, NAMES, count=self.COUNT, rate=self.RATE)
        client.wait_events(expected, "dns_query_log")
        self.assertEqual(([], []), (client.gaps(), client.of("dns_query_batch")))
        batches = client.batches[before:]
        for batch in batches:
            events = batch["events"]
            self.assertEqual(batch["batch_size"], len(events))
            self.assertLessEqual(len(events), most_events)
            size = sum(len(json.dumps(event, separators=(",", ":"))) for event in events)
            self.assertTrue(size <= most_bytes or len(events) == 1, f"{size} bytes")
        self.assertGreaterEqual(sum(batch["batch_size"] for batch in batches), self.COUNT)
        self.assertLess(len(batches), self.COUNT / 2)
        self.assertEqual(compressed, any(frame.compressed for frame in client.frames[frames:]))
        offsets = [offset(event) for event in client.of("dns_query_log")]
        self.assertEqual(sorted(set(offsets)), offsets)
        return batches

    def check_statistics(self):
        """What the server says of this client is what the client has seen."""
        client = self.client
        statistics = client.request("get_statistics")["data"]
        said = statistics["connection"]["delivery"]
        seen = [frame for frame in client.frames if frame.events > 0 or frame.kind == "gap"]
        batches = [frame for frame in seen if frame.kind == "batched_events"]
        packed = [frame for frame in seen if frame.compressed]
        wire, plain = sum(frame.wire_bytes for frame in seen), sum(frame.plain_bytes for frame in seen)
        in_batches = sum(frame.events for frame in batches)
        self.assertEqual(
            {"frames": len(seen), "batches": len(batches), "single_events": sum(f.events for f in seen) - in_batches,
             "bytes": wire, "bytes_saved": plain - wire, "compressed_frames": len(packed), "overflows": 0,
             "dropped": 0}, {key: said[key] for key in (
                 "frames", "batches", "single_events", "bytes", "bytes_saved", "compressed_frames", "overflows",
                 "dropped")})
        self.assertAlmostEqual(in_batches / len(batches), said["average_batch_size"])
        if packed:
            self.assertAlmostEqual(sum(frame.wire_bytes for frame in packed) /
                                   sum(frame.plain_bytes for frame in packed), said["compression_ratio"])
            self.assertLess(said["compression_ratio"], 0.5)  # such events are much alike
        lag = said["lag_us"]
        self.assertEqual(len(seen), lag["count"])
        self.assertTrue(0 < lag["p50"] <= lag["p90"] <= lag["p99"] <= lag["max"], lag)
        self.assertTrue(0 < lag["mean"] <= lag["max"] < (5 + LATE_S) * 1e6, lag)
        self.assertEqual(sum(frame.wire_bytes for frame in client.frames if frame.kind != "statistics"),
                         statistics["connection"]["bytes_sent"])
        return statistics

    def test_every_strategy(self):
        for strategy in ("time_based", "size_based", "hybrid", "priority_based", "adaptive"):
            with self.subTest(strategy=strategy):
                reconfigured(self.named, self.client, batching={
                    "strategy": strategy, "max_batch_size": 12, "max_batch_bytes": "6KiB", "batch_timeout": "200ms",
                    "max_batch_timeout": "600ms"})
                self.load(12, 6 * 1024)
        self.check_statistics()

    def test_every_profile_of_the_configuration(self):
        for profile, (events, kib, _) in self.PROFILES.items():
            with self.subTest(profile=profile):
                reconfigured(self.named, self.client, batching={"profile": profile})
                self.load(events, kib * 1024, compressed=profile != "low_latency")
        self.check_statistics()

    def test_every_profile_that_a_client_prefers(self):
        reconfigured(self.named, self.client, batching={"max_batch_size": 3, "batch_timeout": "50ms"})
        for profile, (events, kib, timeout_ms) in self.PROFILES.items():
            with self.subTest(profile=profile):
                answer = self.client.request("set_preferences", {"profile": profile})["data"]
                self.assertEqual((events, timeout_ms), (answer["max_batch_size"], answer["batch_timeout_ms"]))
                self.load(events, kib * 1024, compressed=profile != "low_latency")
        self.client.request("set_preferences", {"profile": "default", "max_batch_size": 7, "batch_timeout_ms": 400})
        self.assertEqual(7, max(batch["batch_size"] for batch in self.load(7, 64 * 1024)))
        self.client.request("set_preferences", {"profile": None})
        self.load(3, 32 * 1024)
        self.check_statistics()

    def test_statistics(self):
        self.client.request("set_preferences", {"profile": "production"})
        with Client(self.named, subprotocol="bindcast.v1.deflate") as same, Client(self.named) as other:
            other.subscribe(event_types=["dns_query_log"])
            same.request("set_preferences", {"profile": "production"})
            same.subscribe(event_types=["dns_query_log", "config_change"])
            self.load(25, 32 * 1024)
            same.wait_events(self.COUNT, "dns_query_log")
            other.wait_events(self.COUNT, "dns_query_log")
            statistics = self.check_statistics()

            connection, channel, server = (statistics[key] for key in ("connection", "channel", "server"))
            self.assertEqual((self.COUNT, 0, 0), tuple(connection[key] for key in (
                "events_delivered", "events_queued", "events_pending")))
            self.assertGreater(connection["messages_received"], 2)
            self.assertEqual(("bindcast.v1.deflate", 2, 0, 0), tuple(channel[key] for key in (
                "format", "clients", "clients_behind", "events_pending")))
            self.assertEqual(self.COUNT, channel["events_matched"])
            self.assertEqual(connection["delivery"]["batches"], channel["delivery"]["batches"])
            self.assertTrue(0 < channel["events_per_second"] < 2 * self.RATE, channel)
            self.assertEqual((3, 2), (server["connections"], server["channels"]))
            self.assertGreaterEqual(server["delivery"]["frames"], 2 * connection["delivery"]["frames"] + self.COUNT)
            self.assertLess(server["delivery"]["lag_us"]["p50"], LATE_S * 1e6)
            self.assertGreaterEqual(server["events_processed"], self.COUNT)
            self.assertGreater(server["held_bytes"], 0)
            self.assertLess(server["loop_busy_us"]["p99"], 1e6)
            self.assertEqual({0}, set(server["events_dropped"].values()))
            self.assertEqual([":".join(map(str, self.named.address))], server["listeners"])
            self.assertEqual((0, 0), (server["alerts"]["open"], server["webhooks"]["pending"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
