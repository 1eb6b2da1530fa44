#!/usr/bin/env python3
"""What Bindcast costs named on the path of a query, as ratios in one run.

  BINDCAST_SO=build/shim/bindcast.so tests/bench/query_cost.py [--rounds N] [--seconds N]

Three servers are loaded by dnsperf in turn, round after round: named alone; named with the plugin and nobody
subscribed; named with the plugin and one client that takes every query and counts them. Prints queries a second of every
run, each one's ratio to the bare server of the same round, the medians, and what the client got or was told it missed.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from client import RawSocket  # noqa: E402
from harness import Named, Zone  # noqa: E402

NAMES = [f"n{i}.example.com" for i in range(2000)]  # half of them present
ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(0, 2000, 2)))}
PREFERENCES = {"batch": True, "max_batch_size": 1000, "batch_timeout_ms": 100}


class Counter:
    """A client of every query that only counts: events by their type, gaps by what they say."""

    def __init__(self, named):
        self.events = self.missed = self.bytes = 0
        self._client = RawSocket(named, timeout=30)
        self._client.upgrade(headers={"Authorization": f"Bearer {named.token}"})
        self._client.send_json({"type": "set_preferences", "data": PREFERENCES})
        self._client.send_json({"type": "subscribe", "data": {"event_types": ["dns_query_log"]}})
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._ended.is_set():
            try:
                _, payload = self._client.read_frame()
            except (OSError, EOFError):
                return
            self.bytes += len(payload)
            if payload.startswith(b'{"type":"gap"'):
                self.missed += json.loads(payload)["data"]["count"]
            else:
                self.events += payload.count(b'"type":"dns_query_log"')

    def end(self):
        self._ended.set()
        self._client.__exit__(None, None, None)
        self._thread.join(5)


def queries_per_second(named, seconds):
    data = pathlib.Path(named.folder) / "queries.txt"
    data.write_text("".join(f"{name} A\n" for name in NAMES))
    done = subprocess.run(["dnsperf", "-s", "127.0.0.1", "-p", str(named.port), "-d", str(data), "-l", str(seconds), "-q", "100"],
                          capture_output=True, text=True, check=True, timeout=seconds + 60)
    answered = int(re.search(r"Queries completed:\s+(\d+)", done.stdout).group(1))
    return float(re.search(r"Queries per second:\s+([\d.]+)", done.stdout).group(1)), answered


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=3)
    options = arguments.parse_args()
    queues = {"queues": {"max_events": 100_000, "max_bytes": "64MiB"}}
    ratios = {"idle": [], "client": []}
    told = []
    with Named(ZONES, plugin=False) as bare, Named(ZONES) as idle, Named(ZONES, yaml=queues) as taken:
        counter = Counter(taken)
        for number in range(1, options.rounds + 1):
            base, _ = queries_per_second(bare, options.seconds)
            nobody, _ = queries_per_second(idle, options.seconds)
            before = counter.events + counter.missed
            one, answered = queries_per_second(taken, options.seconds)
            threading.Event().wait(1)  # for what still waits in queues
            got = counter.events + counter.missed - before
            told.append((got, answered))
            ratios["idle"].append(nobody / base)
            ratios["client"].append(one / base)
            print(f"round {number}: bare {base:9.0f}/s   nobody subscribed {nobody:9.0f}/s ({nobody / base:.3f})   "
                  f"one client {one:9.0f}/s ({one / base:.3f}); of {answered} queries {got} told", flush=True)
        counter.end()
        accounted = sum(got for got, _ in told) / sum(answered for _, answered in told)
        delivered = counter.events / max(1, counter.events + counter.missed)
        print(f"median ratio to bare: nobody subscribed {statistics.median(ratios['idle']):.3f}, "
              f"one client of every query {statistics.median(ratios['client']):.3f}")
        print(f"the client: {counter.events} events delivered ({delivered:.1%}), {counter.missed} told as gaps, "
              f"{accounted:.4f} of all queries accounted for")


main()
