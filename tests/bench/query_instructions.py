#!/usr/bin/env python3
"""How many instructions Bindcast adds to a query, counted by valgrind's callgrind: a figure that does not depend on the
machine's mood.

  BINDCAST_SO=build/shim/bindcast.so tests/bench/query_instructions.py [--queries N] [--functions]

The same queries, one after the other, go to named alone and to named with the plugin. Counted is what runs from before the
first to after the last of them, on named's own threads and on the plugin's loop; divided by the number of queries. What
named itself does for a query varies a little from run to run; what runs in the plugin does not.

  bare          named alone
  query log     querylog yes: a line a query in named's log file
  nobody        Bindcast, nobody subscribed
  analytics on  Bindcast, nobody subscribed, every query counted (sources.analytics.enabled: true)
  one client    Bindcast, one client of every query, in batches
  stalled       Bindcast, one client of every query that never reads
"""

import argparse
import collections
import contextlib
import os
import pathlib
import re
import subprocess
import sys

os.environ.setdefault("BINDCAST_TIME_FACTOR", "10")  # valgrind runs a program many times slower
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from client import Client, RawSocket, admitted  # noqa: E402
from harness import Named, Zone, wait_until  # noqa: E402
from traffic import Load  # noqa: E402

NAMES = [f"n{i}.example.com" for i in range(1000)]  # half of them present
ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(0, 1000, 2)))}
WARM_UP = 5000  # more than fits on the way to a client that does not read
COUNTED = {"sources": {"analytics": {"enabled": True, "interval": "1h"}}}
SMALL_QUEUE = {"queues": {"max_events": 100}, "server": {"heartbeat": "1h"}}
# Which thread a profile is of: what only that one runs.
MARKS = {"named": "/libns-", "loop": "bindcast::Intake::"}


def control(named, option: str):
    subprocess.run(["callgrind_control", option, str(named.process.pid)], check=True, capture_output=True, timeout=60)


class Profile:
    """What one thread did between two points: instructions in all, and by function what it ran itself."""

    def __init__(self, text: str):
        self.total = int(re.search(r"^totals: (\d+)", text, re.MULTILINE).group(1))
        self.thread = next((thread for thread, mark in MARKS.items() if mark in text), None)
        self.ours: collections.Counter[str] = collections.Counter()
        library, function, of_call = "", "", False
        for line in text.splitlines():
            if line.startswith("ob="):
                library = line[3:]
            elif line.startswith("fn="):
                function = line[3:]
            elif line.startswith("calls="):
                of_call = True  # the next line is what the called function took
            elif match := re.match(r"\d+ (\d+)$", line):
                if not of_call and library.endswith("/bindcast.so"):
                    self.ours[function] += int(match.group(1))
                of_call = False


def profiles(named) -> dict[str, Profile]:
    """By thread."""
    found = {}
    for file in named.folder.glob("callgrind.*-*"):
        profile = Profile(file.read_text())
        if profile.thread and (profile.thread not in found or found[profile.thread].total < profile.total):
            found[profile.thread] = profile
    return found


def stalled_client(named) -> RawSocket:
    client = admitted(named, receive_buffer=4096, timeout=60)
    client.send_json({"type": "set_preferences", "data": {"fold": False}})
    client.send_json({"type": "subscribe", "id": "s", "data": {"event_types": ["dns_query_log"]}})
    while client.read_json().get("reply_to") != "s":
        pass
    return client


def count(queries: int, client: bool = False, stalled: bool = False, **options) -> dict[str, Profile]:
    """What each thread ran for so many queries."""
    callgrind = ["valgrind", "--quiet", "--tool=callgrind", "--separate-threads=yes", "--compress-strings=no",
                 "--compress-pos=no", "--callgrind-out-file=callgrind.%p"]
    with contextlib.ExitStack() as stack:
        named = stack.enter_context(Named(ZONES, workers=1, under=callgrind, **options))
        watcher = None
        if client:
            watcher = stack.enter_context(Client(named))
            watcher.request("set_preferences", {"batch": True, "max_batch_size": 100, "batch_timeout_ms": 100})
            watcher.subscribe(event_types=["dns_query_log"])
        if stalled:
            stack.enter_context(stalled_client(named))
        for number in (WARM_UP, queries):
            control(named, "-z")
            with Load(named, NAMES, count=number, outstanding=1) as load:
                load.finish()
        if watcher:
            wait_until(lambda: len(watcher.of("dns_query_log")) >= WARM_UP + queries, "every query")
        control(named, "-d")
        return profiles(named)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--queries", type=int, default=5000)
    arguments.add_argument("--functions", action="store_true", help="also what the plugin's own functions take")
    options = arguments.parse_args()
    bare = None
    for name, how in (("bare", {"plugin": False}), ("query log", {"plugin": False, "options": "querylog yes;"}),
                      ("nobody", {}), ("analytics on", {"yaml": COUNTED}), ("one client", {"client": True}),
                      ("stalled", {"stalled": True, "yaml": SMALL_QUEUE})):
        counted = count(options.queries, **how)
        per_query = {thread: profile.total / options.queries for thread, profile in counted.items()}
        bare = bare or per_query["named"]
        added = per_query["named"] - bare
        print(f"{name:12} {per_query['named']:8.0f} instructions a query on named's thread "
              f"({added:+7.0f}, {added / bare:+.2%}; in the plugin itself "
              f"{counted['named'].ours.total() / options.queries:4.0f})"
              + (f", {per_query['loop']:6.0f} on the loop" if "loop" in per_query else ""), flush=True)
        if options.functions:
            for function, own in counted["named"].ours.most_common():
                if own >= options.queries:
                    print(f"    {own / options.queries:6.0f}  {function}")


main()
