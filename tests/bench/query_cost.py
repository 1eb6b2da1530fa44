#!/usr/bin/env python3
"""What Bindcast costs named on the path of a query, beside query logging and dnstap, as ratios in one run.

  BINDCAST_SO=build/shim/bindcast.so tests/bench/query_cost.py [--rounds N] [--seconds N]

Servers of one configuration but for what is in the table are loaded by dnsperf in turn, round after round. Each figure is
queries a second against the bare server of the same round; the median and the range of all rounds are printed. On a machine
where dnsperf, the plugin's loop and its clients compete with named for the processors, that says what all of it costs
together; so the processor time that named's own threads took for a query is printed too, against the bare server's, and the
memory that is resident at the end beyond the bare server's. What
clients of every query were sent or told they missed is held against what dnsperf got answered.

  query log     querylog yes: a line a query in named's log file
  dnstap        client responses to a unix socket, fstrm_capture reading (Debian's fstrm-bin; left out without it)
  nobody        Bindcast, nobody subscribed
  analytics on  Bindcast, nobody subscribed, every query counted (sources.analytics.enabled: true)
  one client    Bindcast, one client of every query, in batches, which counts them
  compressed    the same with bindcast.v1.deflate
  sampled       Bindcast, one client of one query in 100, by the server's configuration (events.queries.sample)
  folded        Bindcast, one client that gets 1,000 events a second (rate_limit.events_per_second), and like queries of the
                rest folded into counts
  stalled       Bindcast, one client of every query that never reads
"""

import argparse
import contextlib
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from client import Client, Counter, RawSocket  # noqa: E402
from harness import Named, Zone, wait_until  # noqa: E402

NAMES = [f"n{i}.example.com" for i in range(20_000)]  # half of them present
ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(0, 20_000, 2)))}
PATIENT = {"server": {"heartbeat": "1h"}}  # these clients answer no ping
QUEUES = {"queues": {"max_events": 100_000, "max_bytes": "64MiB"}, **PATIENT}
SAMPLED = {"events": {"queries": {"sample": 100}}, **QUEUES}
COUNTED = {"sources": {"analytics": {"enabled": True}}}
LIMITED = {"rate_limit": {"events_per_second": 1000}, **QUEUES}


class Stalled:
    """A client of every query that never reads."""

    events = missed = told = 0

    def __init__(self, named):
        self._client = RawSocket(named, receive_buffer=4096, timeout=30)
        self._client.upgrade(headers={"Authorization": f"Bearer {named.token}"})
        self._client.send_json({"type": "subscribe", "data": {"event_types": ["dns_query_log"]}})

    def close(self):
        self._client.__exit__(None, None, None)


class Dnstap:
    """fstrm_capture on a socket of its own."""

    def __init__(self, folder: pathlib.Path):
        self.socket = folder / "dnstap.sock"
        self._process = subprocess.Popen(["fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-u", str(self.socket), "-w",
                                          "/dev/null"], stderr=subprocess.DEVNULL)
        wait_until(self.socket.exists, "fstrm_capture to listen")

    def options(self) -> str:
        return f'dnstap {{ client response; }}; dnstap-output unix "{self.socket}";'

    def end(self):
        self._process.terminate()
        self._process.wait()


def load(named, seconds: int) -> tuple[float, int]:
    """Queries a second, and how many were answered."""
    data = pathlib.Path(named.folder) / "queries.txt"
    if not data.exists():
        data.write_text("".join(f"{name} A\n" for name in NAMES))
    done = subprocess.run(["dnsperf", "-s", "127.0.0.1", "-p", str(named.port), "-d", str(data), "-l", str(seconds),
                           "-q", "100"], capture_output=True, text=True, check=True, timeout=seconds + 60)
    answered = int(re.search(r"Queries completed:\s+(\d+)", done.stdout).group(1))
    return float(re.search(r"Queries per second:\s+([\d.]+)", done.stdout).group(1)), answered


def processor_seconds(named) -> float:
    """What named's network threads, which answer queries, have taken so far."""
    total = 0
    for task in pathlib.Path(f"/proc/{named.process.pid}/task").iterdir():
        if task.joinpath("comm").read_text().startswith("isc-net-"):
            total += int(task.joinpath("schedstat").read_text().split()[0])
    return total / 1e9


class Server:
    """One named of the table, with whoever watches it."""

    def __init__(self, name: str, stack: contextlib.ExitStack, *, watcher=None, **options):
        self.name = name
        self.named = stack.enter_context(Named(ZONES, **options))
        self.watcher = watcher(self.named) if watcher else None
        if self.watcher:
            stack.callback(self.watcher.close)
        self.ratios: list[float] = []
        self.processor_ratios: list[float] = []
        self.answered = 0
        self.per_query = 0.0

    def measure(self, seconds: int) -> float:
        before = self.watcher.told if self.watcher else 0
        taken = processor_seconds(self.named)
        rate, answered = load(self.named, seconds)
        self.per_query = (processor_seconds(self.named) - taken) / answered
        self.answered += answered
        if isinstance(self.watcher, Counter):
            wait_until(lambda: self.watcher.told - before >= answered, "the client to be told of every query", 30)
        return rate


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=3)
    options = arguments.parse_args()
    with contextlib.ExitStack() as stack:
        bare = Server("bare", stack, plugin=False)
        servers = [Server("query log", stack, plugin=False, options="querylog yes;")]
        if shutil.which("fstrm_capture"):
            tap = Dnstap(bare.named.folder)
            stack.callback(tap.end)
            servers.append(Server("dnstap", stack, plugin=False, options=tap.options()))
        servers += [Server("nobody", stack),
                    Server("analytics on", stack, yaml=COUNTED),
                    Server("one client", stack, yaml=QUEUES, watcher=Counter),
                    Server("compressed", stack, yaml=QUEUES, watcher=lambda named: Counter(named, compressed=True)),
                    Server("sampled", stack, yaml=SAMPLED, watcher=Counter),
                    Server("folded", stack, yaml=LIMITED, watcher=lambda named: Counter(named, fold=True)),
                    Server("stalled", stack, yaml=PATIENT, watcher=Stalled)]
        for number in range(1, options.rounds + 1):
            base = bare.measure(options.seconds)
            row = [f"round {number}: bare {base:9.0f}/s {bare.per_query * 1e6:.2f} us"]
            for server in servers:
                rate = server.measure(options.seconds)
                server.ratios.append(rate / base)
                server.processor_ratios.append(server.per_query / bare.per_query)
                row.append(f"{server.name} {rate:9.0f}/s {server.per_query * 1e6:.2f} us")
            print("   ".join(row), flush=True)
        for server in servers:
            memory = (server.named.memory_kib() - bare.named.memory_kib()) / 1024
            line = (f"{server.name:12} {spread(server.ratios)} of bare's queries/s; {spread(server.processor_ratios)} of its "
                    f"time; {memory:+.1f} MiB")
            if isinstance(server.watcher, Counter):
                line += (f"; of {server.answered} queries {server.watcher.events} delivered, "
                         f"{server.watcher.folded} folded, {server.watcher.missed} told as missed")
                with Client(server.named) as asks:
                    hook_ns = asks.request("get_statistics")["data"]["server"]["hook_ns"]
                line += f"; the hooks took {hook_ns['p50']} ns (p50), {hook_ns['p99']} ns (p99)"
            print(line)


main()
