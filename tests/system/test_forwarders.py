"""The servers that named forwards to are probed: what they do is told, and named's own answers wait for none of it."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import resource
import signal
import socket
import threading
import time
import unittest

import dns.exception
import dns.flags
import dns.message
import dns.rcode
from prometheus_client.openmetrics import parser as openmetrics

from client import Client, RawSocket
from harness import Named, Zone, free_port, wait_until
from traffic import Asker, Background

HEALTH = ["forwarder_health_check", "forwarder_status_change", "health_alert"]
INTERVAL_S = 0.15
FAST = {"enabled": True, "interval": f"{INTERVAL_S * 1000:.0f}ms", "timeout": "300ms", "slow": "100ms",
        "down_after": 3, "up_after": 2}


class Server(Background):
    """A name server on one port of 127.0.0.1, by UDP and TCP, that does what `does` says: answer, slow, drop, servfail,
    cut (short: the answer is to be had by TCP), deaf (cuts short, and does not answer by TCP), lie (no answer to what
    was asked) or flood (with lies, and then an answer). Not entered, it is a closed port."""

    def __init__(self, does: str = "answer", port: int | None = None):
        super().__init__()
        self.does = does
        self.port = port or free_port()
        self.asked: list[tuple[str, int, int, str]] = []  # transport, id, port of who asked, question

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._tcp = socket.create_server(("127.0.0.1", self.port))
        self._udp.settimeout(0.05)
        self._tcp.settimeout(0.05)
        self._by_tcp = threading.Thread(target=self._run_tcp, daemon=True)
        self._by_tcp.start()
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self._by_tcp.join()
        self._udp.close()
        self._tcp.close()

    def _run(self):
        while not self._ended.is_set():
            with contextlib.suppress(socket.timeout, dns.exception.DNSException):
                wire, client = self._udp.recvfrom(4096)
                for answer in self._answers(wire, "udp", client):
                    self._udp.sendto(answer, client)

    def _run_tcp(self):
        while not self._ended.is_set():
            with contextlib.suppress(OSError, dns.exception.DNSException):
                connection, client = self._tcp.accept()
                with connection:
                    connection.settimeout(1)
                    for answer in self._answers(connection.recv(4096)[2:], "tcp", client):
                        framed = len(answer).to_bytes(2, "big") + answer
                        for at in range(0, len(framed), 7):  # in pieces
                            connection.sendall(framed[at:at + 7])

    def _answers(self, wire: bytes, transport: str, client) -> list[bytes]:
        query = dns.message.from_wire(wire)
        self.asked.append((transport, query.id, client[1], query.question[0].to_text()))
        answer = dns.message.make_response(query, recursion_available=True)
        if self.does == "servfail":
            answer.set_rcode(dns.rcode.SERVFAIL)
        if self.does in ("cut", "deaf") and transport == "udp":
            answer.flags |= dns.flags.TC
        if self.does == "slow":
            self._ended.wait(0.2)
        if self.does in ("lie", "flood"):
            other = dns.message.make_response(dns.message.make_query("elsewhere.test", "NS"))
            other.id = query.id
            wrong_id = answer.to_wire()
            wrong_id = bytes([wrong_id[0] ^ 1]) + wrong_id[1:]
            loop = wire[:2] + b"\x80\0\0\1\0\0\0\0\0\0" + b"\xc0\x0c" + b"\0\2\0\1"  # a name that points at itself
            lies = [b"", b"\0", wire, wrong_id, other.to_wire(), loop, wire[:2] + b"\xff" * 4000]
            return lies if self.does == "lie" else 3 * lies + [answer.to_wire()]
        if self.does == "drop" or (self.does == "deaf" and transport == "tcp"):
            return []
        return [answer.to_wire()]


def checks(client, server: Server) -> list[dict]:
    return [event["data"] for event in client.of("forwarder_health_check", server=server.name)]


def wait_state(client, server: Server, state: str) -> dict:
    """The last change of that server, once it is to `state`."""
    def last():
        found = client.of("forwarder_status_change", server=server.name)
        return found[-1]["data"] if found and found[-1]["data"]["after"] == state else None
    return wait_until(last, f"{server.name} to be {state}")


def scraped(named) -> dict[str, float]:
    """The numbers of forwarders, by name and labels' values."""
    with RawSocket(named) as raw:
        _, body = raw.http("/metrics", {"Authorization": f"Bearer {named.token}",
                                        "Accept": "application/openmetrics-text; version=1.0.0"})
    return {" ".join([sample.name.removeprefix("bindcast_"), *sample.labels.values()]): sample.value
            for family in openmetrics.text_string_to_metric_families(body.decode()) for sample in family.samples
            if "forwarder" in sample.name}


def seconds_between(first: str, last: str) -> float:
    first_time, last_time = (datetime.datetime.fromisoformat(text) for text in (first, last))
    return (last_time - first_time).total_seconds()


class ForwardersTest(unittest.TestCase):
    def test_what_forwarders_do_is_told_and_named_answers_meanwhile(self):
        kinds = ["answer", "slow", "drop", "servfail", "cut", "deaf", "lie", "flood"]
        with contextlib.ExitStack() as stack:
            servers = {does: stack.enter_context(Server(does)) for does in kinds}
            closed = Server()
            of_yaml = stack.enter_context(Server())
            extra = "".join(f'zone "{does}.test" {{ type forward; forwarders {{ 127.0.0.1 port {server.port}; }}; }};\n'
                            for does, server in servers.items() if does != "answer")
            named = stack.enter_context(Named(
                {"example.com": Zone("www A 192.0.2.1", options=f"forwarders port {closed.port} {{ 127.0.0.1; }};")},
                forwarder_port=servers["answer"].port, extra=extra,
                yaml={"sources": {"forwarders": {**FAST, "servers": [of_yaml.name, servers["slow"].name]}}}))
            client = stack.enter_context(Client(named))
            client.subscribe_from_start(event_types=HEALTH)
            asker = stack.enter_context(Asker(named, "www.example.com"))

            for does, (state, failure, why) in {
                    "slow": ("slow", None, "takes 20"), "drop": ("down", "timeout", "timeout"),
                    "servfail": ("degraded", None, "answers with SERVFAIL"), "deaf": ("down", "closed", "closed"),
                    "lie": ("down", "bad_answer", "bad_answer"), "flood": ("down", "bad_answer", "bad_answer")}.items():
                with self.subTest(does=does):
                    change = wait_state(client, servers[does], state)
                    self.assertIn(why, change["why"])
                    seen = client.wait_event("forwarder_health_check", server=servers[does].name)["data"]
                    self.assertEqual(seen.get("failure"), failure)
                    self.assertIn(f'zone "{does}.test"', seen["scopes"])
            change = wait_state(client, closed, "down")
            self.assertIn("refused", change["why"])
            self.assertRegex(change["since"], r"^\d{4}-\d\d-\d\dT")
            seen = client.wait_event("forwarder_health_check", server=closed.name, state="down")["data"]
            self.assertEqual((seen["scopes"], seen["loss"]), (['zone "example.com"'], 1.0))

            for server in (servers["answer"], servers["cut"], of_yaml):
                seen = client.wait_event("forwarder_health_check", server=server.name)["data"]
                self.assertEqual((seen["state"], seen["rcode"], seen["loss"]), ("up", "NOERROR", 0.0))
                self.assertGreater(seen["rtt_us"], 0)
                self.assertLessEqual(seen["p50_us"], seen["p99_us"])
            self.assertEqual(checks(client, servers["answer"])[-1]["scopes"], ["options"])
            self.assertEqual(checks(client, servers["slow"])[-1]["scopes"],
                             ["sources.forwarders.servers", 'zone "slow.test"'])
            self.assertEqual(checks(client, servers["cut"])[-1]["transport"], "tcp")
            self.assertGreater(checks(client, servers["lie"])[-1]["rejected"], 0)

            # Ids and ports are not to be guessed, and nothing but the probe was asked.
            asked = wait_until(lambda: len(of_yaml.asked) >= 8 and list(of_yaml.asked), "some probes")
            self.assertGreater(len({port for _, _, port, _ in asked}), len(asked) // 2)
            self.assertGreater(len({i for _, i, _, _ in asked}), len(asked) // 2)
            self.assertEqual({question for *_, question in asked}, {". IN NS"})

            alerts = {e["data"]["component"]: e["data"] for e in client.events if e["type"] == "health_alert"}
            self.assertEqual(alerts[f"forwarder {closed.name}"]["state"], "unhealthy")
            self.assertIn("SERVFAIL", alerts[f"forwarder {servers['servfail'].name}"]["reason"])
            self.assertIn(f"bindcast: forwarder {closed.name} is down", named.log())

            numbers = scraped(named)
            self.assertEqual([numbers[f"forwarder_up {servers[does].name}"] for does in ("answer", "servfail", "drop")],
                             [1, 1, 0])
            self.assertGreaterEqual(numbers[f"forwarder_probe_failures_total {closed.name} refused"], 3)
            self.assertGreaterEqual(numbers[f"forwarder_answers_total {servers['servfail'].name} SERVFAIL"], 3)
            self.assertGreaterEqual(numbers[f"forwarder_messages_rejected_total {servers['lie'].name}"], 3 * 7)
            self.assertGreater(numbers[f"forwarder_rtt_seconds {servers['slow'].name} 0.5"], 0.2)
            self.assertGreater(numbers[f"forwarder_rtt_seconds_sum {servers['slow'].name}"],
                               0.2 * numbers[f"forwarder_rtt_seconds_count {servers['slow'].name}"])
            self.assertEqual(numbers[f"forwarder_loss_ratio {servers['drop'].name}"], 1)
            asker.check()

    def test_one_that_dies_comes_back_and_what_is_no_longer_configured_is_left_alone(self):
        first, second, steady = Server(), Server(), Server()
        with contextlib.ExitStack() as stack:
            named = stack.enter_context(Named({"example.com": Zone("www A 192.0.2.1")}, forwarder_port=first.port))
            client = stack.enter_context(Client(named))
            client.subscribe(event_types=HEALTH + ["config_change"])
            self.configure(named, servers=[steady.name])
            stack.enter_context(steady)
            with first:
                wait_state(client, first, "up")
            wait_state(client, first, "down")
            with Server(port=first.port):
                self.assertEqual(wait_state(client, first, "up")["before"], "down")
            wait_state(client, first, "down")

            stack.enter_context(second)
            named.forwarder_port = second.port
            self.configure(named, servers=[steady.name])
            self.assertEqual("no longer probed", wait_state(client, first, "unknown")["why"])
            gone = client.wait_event("health_alert", component=f"forwarder {first.name}", state="removed")
            self.assertEqual(("normal", "unhealthy"), (gone["priority"], gone["data"]["before"]))
            wait_state(client, second, "up")
            # The one before is asked no more, even where it is there again.
            with Server(port=first.port) as again:
                before = len(second.asked)
                wait_until(lambda: len(second.asked) >= before + 5, "more probes of the new one")
                self.assertEqual(again.asked, [])
            # What stayed kept its state.
            self.assertEqual(len(client.of("forwarder_status_change", server=steady.name)), 1)

            # Switched off, none is asked.
            self.configure(named, enabled=False)
            client.wait_event("config_change", where=lambda e: "sources.forwarders.enabled" in str(e["data"]["changes"])
                              and e["data"]["changes"][0]["after"] == "false")
            asked = len(second.asked)
            time.sleep(4 * INTERVAL_S)  # nothing happens: there is nothing else to wait for
            self.assertLessEqual(len(second.asked), asked + 1)  # one may have been under way
            self.assertNotIn("forwarder_up", str(scraped(named)))

    def test_that_other_servers_are_slow_is_told_by_nameds_own_counters(self):
        yaml = {"sources": {"named": {"interval": "1s"}, "forwarders": {"enabled": False}},
                "health": {"latency": "100ms", "hold": "0s"}}
        with Server("drop") as server, \
                Named({"example.com": Zone("www A 192.0.2.1")}, forwarder_port=server.port, yaml=yaml) as named, \
                Client(named) as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            names = (f"n{number}.test" for number in itertools.count())

            def ask(count):
                for name in itertools.islice(names, count):
                    asker.sendto(dns.message.make_query(name, "A").to_wire(), ("127.0.0.1", named.port))

            client.subscribe(event_types=["performance_alert", "dns_query_stats"])
            client.wait_event("dns_query_stats")  # from now on it is known what grows
            ask(25)
            raised = client.wait_event("performance_alert", component="latency", state="raised", timeout=20)
            self.assertEqual(("critical", 1.6, 0.1, "seconds"),
                             (raised["priority"], *(raised["data"][key] for key in ("value", "threshold", "unit"))))

            server.does = "answer"
            def cleared():
                ask(1)  # some fifty a second
                return client.of("performance_alert", component="latency", state="cleared")
            self.assertLess(wait_until(cleared, "the alert to be cleared", timeout=20)[0]["data"]["value"], 0.05)

    def test_of_very_many_some_are_probed_and_not_at_once(self):
        port = free_port()
        many = [f"127.0.0.{i}:{port}" for i in range(2, 72)]
        with Named({"example.com": Zone("www A 192.0.2.1")}) as named, Client(named) as client:
            client.subscribe(event_types=HEALTH)
            descriptors = named.descriptors()
            self.configure(named, servers=["255.255.255.255:53", f"[::1]:{port}", *many], interval="1s")
            named.wait_log("only 64 forwarders are probed, 9 are not")
            servers = lambda: {e["data"]["server"] for e in client.of("forwarder_health_check")}
            wait_until(lambda: len(servers()) >= 64, "a check of each")
            self.assertLessEqual(named.descriptors(), descriptors + 64)
            found = client.of("forwarder_health_check")
            self.assertGreater(seconds_between(found[0]["timestamp"], found[63]["timestamp"]), 0.5)
            self.assertEqual({e["data"]["failure"] for e in found if e["data"]["server"].startswith("127")},
                             {"refused"})
            for server in ("255.255.255.255", f"[::1]:{port}"):
                client.wait_event("forwarder_status_change", server=server, after="down")
            self.assertEqual(scraped(named)["forwarder_not_probed too_many"], 9)
            self.assertEqual(len(servers()), 64)

    def test_what_is_our_own_fault_is_not_the_forwarders(self):
        with Server() as server, Named({"example.com": Zone("www A 192.0.2.1")}) as named, Client(named) as client:
            client.subscribe(event_types=HEALTH)
            named.forwarder_port = server.port
            self.configure(named)
            wait_state(client, server, "up")
            # named stands still while the answer comes, for longer than a probe may take.
            server.does = "slow"
            before = len(server.asked)
            wait_until(lambda: len(server.asked) > before, "a probe")
            named.process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            named.process.send_signal(signal.SIGCONT)
            wait_until(lambda: any(check.get("rtt_us", 0) > 450_000 for check in checks(client, server)),
                       "the late answer")
            # It has no descriptor for a probe.
            server.does = "answer"
            limit = resource.prlimit(named.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(named.process.pid, resource.RLIMIT_NOFILE, (3, limit[1]))
            for _ in range(4):
                seen = len(checks(client, server))
                wait_until(lambda: len(checks(client, server)) > seen, "a check")
            resource.prlimit(named.process.pid, resource.RLIMIT_NOFILE, limit)
            self.assertEqual(checks(client, server)[-1]["failure"], "not_made")
            self.assertNotIn("timeout", {check.get("failure") for check in checks(client, server)})
            self.assertNotIn("down", str(client.of("forwarder_status_change", server=server.name)))

    @staticmethod
    def configure(named, **options):
        named.yaml = {"sources": {"forwarders": {**FAST, **options}}}
        named.write_configuration()
        named.rndc("reconfig")


if __name__ == "__main__":
    unittest.main()
