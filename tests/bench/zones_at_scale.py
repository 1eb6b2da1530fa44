#!/usr/bin/env python3
"""What many zones, a large zone and many updates cost, beside the same named without Bindcast.

  BINDCAST_SO=build/shim/bindcast.so tests/bench/zones_at_scale.py [--zones N] [--records N] [--updates N] ...

The defaults take seconds and say little; the sizes that matter are

  zones_at_scale.py --zones 100000 --settle 70 --window 60 --records 1000000 --updates 100000 --samples 200

Three tables, each line a server:

  many zones   start: until all zones are loaded; RSS; what named's threads use of a core while nothing happens, after
               `settle` seconds, in a window (a zone that is new or changed is looked at often for a minute); the time
               from sending an UPDATE of one zone, picked at random, until the client has the event
  updates      UPDATE messages of one record each, over all zones in turn, with so many under way at a time (named's
               update-quota is 100): how many a second, what of a core an update costs, what the client was told of:
               every record as an event or in a gap
  a large zone start and RSS; the latency and the zone thread's work for one record changed by UPDATE, in the large zone
               and in a small one beside it; `rndc reload` of it with 1,000 changes and its full transfer to a secondary
               that watches it, every record another: time until the event, peak of RSS, the longest answer to a query

Files are in --folder, by default /dev/shm: a disk's fsync, of which BIND makes two for an update, would hide all else.
"""

import argparse
import contextlib
import multiprocessing
import os
import pathlib
import random
import re
import select
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from client import Client, RawSocket  # noqa: E402
from harness import HarnessError, Named, Zone, wait_until, zone_text  # noqa: E402
from traffic import Asker  # noqa: E402

QUIET = "logging { category zoneload { null; }; category update { null; }; category update-security { null; }; };\n"
# One sweep at the default interval, queues that hold a burst.
YAML = {"queues": {"max_events": 1_000_000, "max_bytes": "256MiB", "max_total_bytes": "512MiB"},
        "server": {"heartbeat": "1h"}}


def wire_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def update_message(number: int, zone: str, owner: str) -> bytes:
    """An UPDATE that adds an A record, unsigned."""
    return (struct.pack("!6H", number & 0xFFFF, 0x2800, 1, 0, 1, 0) + wire_name(zone) + struct.pack("!HH", 6, 1)
            + wire_name(owner) + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([10, *struct.pack("!I", number)[1:]]))


class Threads:
    """CPU seconds of named's threads, by name, since this was made."""

    def __init__(self, named):
        self._folder = pathlib.Path(f"/proc/{named.process.pid}/task")
        self._before = self._read()
        self._began = time.monotonic()

    def _read(self):
        used = {}
        for task in self._folder.iterdir():
            used[task.name, task.joinpath("comm").read_text().strip()] = int(
                task.joinpath("schedstat").read_text().split()[0]) / 1e9
        return used

    def used(self, thread: str = "") -> float:
        now = self._read()
        return sum(seconds - self._before.get(key, 0) for key, seconds in now.items() if key[1].startswith(thread))

    def share(self) -> float:
        return self.used() / (time.monotonic() - self._began)


class Peak:
    """The highest RSS from now on, above what it is now, in MB."""

    def __init__(self, named):
        self._status = pathlib.Path(f"/proc/{named.process.pid}")
        self._status.joinpath("clear_refs").write_text("5")
        self._before = named.memory_kib()

    def above(self) -> float:
        status = self._status.joinpath("status").read_text()
        return (int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) - self._before) / 1024


def mb(named) -> float:
    return named.memory_kib() / 1024


def started(named, timeout=600) -> float:
    """Starts named; seconds until all its zones are loaded."""
    began = time.monotonic()
    named.__enter__()
    wait_until(lambda: "all zones loaded" in named.log() or named.process.poll() is not None, "the zones", timeout)
    took = time.monotonic() - began
    if named.process.poll() is not None:
        raise HarnessError(named.log()[-2000:])
    return took


def send_update(named, number, zone, owner):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(30)
        udp.sendto(update_message(number, zone, owner), ("127.0.0.1", named.port))
        if udp.recv(512)[3] & 15:
            raise HarnessError(f"update of {zone} refused")


def latencies(named, client, zones, samples, label, pause=0.1) -> list[float]:
    """Milliseconds from sending an UPDATE until its event has come, sorted."""
    found = []
    for i in range(samples):
        zone = random.choice(zones)
        owner = f"{label}{i}.{zone}"
        began = time.monotonic()
        send_update(named, i, zone, owner)
        client.wait_event("record_created", name=owner, timeout=120)
        found.append((time.monotonic() - began) * 1000)
        client.take_events()
        time.sleep(pause * random.random() * 2)  # not in step with anything
    return sorted(found)


def middle_and_ends(found) -> str:
    if not found:
        return ""
    return f"p50 {found[len(found) // 2]:.1f}  p99 {found[int(len(found) * 0.99)]:.1f}  max {found[-1]:.1f} ms"


# ── Many zones ────────────────────────────────────────────────────────────────────────────────────────────────────────


class ManyZones:
    def __init__(self, folder, count):
        self.names = [f"z{i}.example" for i in range(count)]
        self.folder = folder / "zones"
        self.folder.mkdir()

    def server(self, plugin):
        for journal in self.folder.glob("*.jnl"):
            journal.unlink()
        text = zone_text()
        for name in self.names:
            (self.folder / f"{name}.db").write_text(text)
        statements = "".join(f'zone "{name}" {{ type primary; file "{self.folder}/{name}.db"; '
                             "allow-update { 127.0.0.1; }; };\n" for name in self.names)
        return Named(plugin=plugin, yaml=YAML, extra=QUIET + statements, start="running")


class Counter:
    """A client of every record that is created; counts them and what gaps tell."""

    def __init__(self, named):
        self.events = self.missed = 0
        self._client = RawSocket(named, timeout=3600)
        self._client.upgrade(headers={"Authorization": f"Bearer {named.token}"})
        self._client.send_json({"type": "set_preferences", "data": {"batch": True, "max_batch_size": 1000}})
        self._client.send_json({"type": "subscribe", "data": {"event_types": ["record_created"]}})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                _, payload = self._client.read_frame()
            except (OSError, EOFError):
                return
            self.events += payload.count(b'"type":"record_created"')
            for count in re.findall(rb'"type":"gap".*?"count":(\d+)', payload):
                self.missed += int(count)

    @property
    def told(self):
        return self.events + self.missed

    def end(self):
        self._client.__exit__()


def flood(port, zones, updates, under_way, result):
    """Sends so many updates, `under_way` at a time; puts the seconds it took and how many were done. Another process."""
    messages = [update_message(i, zones[i % len(zones)], f"u{i}.{zones[i % len(zones)]}") for i in range(updates)]
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        one.connect(("127.0.0.1", port))
        one.setblocking(False)
    sent = answered = refused = lost = 0
    began = time.monotonic()
    while answered + lost < updates:
        while sent < updates and sent - answered - lost < under_way:
            sockets[sent % len(sockets)].send(messages[sent])
            sent += 1
        readable = select.select(sockets, [], [], 5)[0]
        if not readable:
            lost = sent - answered  # named drops what is over its quota
        for one in readable:
            try:
                while True:
                    refused += bool(one.recv(512)[3] & 15)
                    answered += 1
            except BlockingIOError:
                pass
    result.put((time.monotonic() - began, answered - refused))


def updates_line(named, zones, options, counter):
    threads, peak = Threads(named), Peak(named)
    result = multiprocessing.Queue()
    process = multiprocessing.Process(target=flood, daemon=True, args=(
        named.port, zones, options.updates, options.under_way, result))
    process.start()
    seconds, done = result.get(timeout=3600)
    process.join()
    line = {"updates/s": f"{done / seconds:,.0f}"}
    if counter:
        began = time.monotonic()
        wait_until(lambda: counter.told >= done or time.monotonic() - began > 120, "the events", 180)
        line["events"] = f"{counter.events} of {done}, {counter.missed} told as missed"
        line["all told after"] = f"{time.monotonic() - began:.1f} s"
        line["zone thread us/update"] = f"{threads.used('bindcast-zones') / done * 1e6:.1f}"
    line["named us/update"] = f"{threads.used() / done * 1e6:.1f}"
    line["RSS peak"] = f"+{peak.above():.0f} MB"
    return line


def many_zones(folder, options):
    zones = ManyZones(folder, options.zones)
    print(f"many zones: {options.zones}")
    for plugin in (False, True):
        named = zones.server(plugin)
        client = None
        try:
            line = {"start": f"{started(named):.1f} s"}
            if plugin:
                client = Client(named, account=False)
                client.subscribe(event_types=["record_created"])
                send_update(named, 1, zones.names[0], f"first.{zones.names[0]}")
                client.wait_event("record_created", timeout=600)
            time.sleep(options.settle)
            line["RSS"] = f"{mb(named):.1f} MB"
            threads = Threads(named)
            time.sleep(options.window)
            line["idle"] = f"{threads.share():.2%} of a core"
            if plugin:
                line["latency"] = middle_and_ends(latencies(named, client, zones.names, options.samples, "l"))
                client.close()
            show(plugin, line)
            counter = Counter(named) if plugin else None
            show(plugin, updates_line(named, zones.names, options, counter))
            if counter:
                counter.end()
        except BaseException:
            named.discard()
            raise
        named.__exit__(None, None, None)


# ── A large zone ──────────────────────────────────────────────────────────────────────────────────────────────────────


def records(count, changed=0):
    """`changed` of the addresses are others."""
    return "\n".join(f"h{i} A {172 if i < changed else 10}.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(count))


OPEN = "allow-update { 127.0.0.1; }; allow-transfer { any; };"


def write_large(named, count, changed, serial):
    named.write_zone("large.example", records(count, changed), serial)


def large_zone(options):
    print(f"a large zone: {options.records} records")
    text = records(options.records)
    for plugin in (False, True):
        named = Named({"large.example": Zone(text, options=OPEN), "small.example": Zone(options=OPEN)},
                      plugin=plugin, yaml=YAML, extra=QUIET, start="running")
        try:
            line = {"start": f"{started(named):.1f} s", "RSS": f"{mb(named):.1f} MB"}
            show(plugin, line)
            if plugin:
                with_plugin(named, options)
            else:
                with Asker(named, "h1.large.example") as asker:
                    peak, began = reload(named, options)
                    line = {"reload": "1,000 changes", "loaded": f"{time.monotonic() - began:.2f} s",
                            "RSS peak": f"+{peak.above():.0f} MB"}
                line["longest answer"] = f"{asker.longest_s * 1000:.0f} ms"
                show(plugin, line)
        except BaseException:
            named.discard()
            raise
        named.__exit__(None, None, None)


def reload(named, options):
    """By hand, as an admin does it. Returns, when the new zone is there, the peak and when named began to read it."""
    with rewriting(named, options.records, 1000, 100_000):
        peak, began = Peak(named), time.monotonic()
    return peak, began


@contextlib.contextmanager
def rewriting(named, count, changed, serial):
    """The large zone's file anew; on leaving it named reads it, and serves it then."""
    named.rndc("freeze", "large.example")
    # named writes the zone's file after it has answered, and would put it over ours.
    wait_until(lambda: serial_in_file(named) == soa(named), "named to have written the file", 600)
    named.rndc("sync", "-clean", "large.example")
    write_large(named, count, changed, serial)
    yield
    named.rndc("thaw", "large.example")
    wait_until(lambda: soa(named) == serial, "the reload", 600)


def serial_in_file(named) -> int | None:
    """As the harness or as named writes it."""
    with open(named.zone_file("large.example"), encoding="ascii") as file:
        found = re.search(r"hostmaster (\d+) |(\d+)\s+; serial", file.read(4096))
    return int(found[1] or found[2]) if found else None


def soa(named, zone="large.example"):
    answer = named.query(zone, "SOA").answer
    return answer[0][0].serial if answer else None


def with_plugin(named, options):
    with Client(named, account=False) as client:
        client.subscribe(event_types=["record_created", "record_bulk_operation", "zone_updated", "zone_loaded"])
        for zone in ("small.example", "large.example"):
            client_sees(named, client, zone)
            threads = Threads(named)
            found = latencies(named, client, [zone], options.samples, "u")
            show(True, {"UPDATE": zone, "latency": middle_and_ends(found),
                        "zone thread us/update": f"{threads.used('bindcast-zones') / options.samples * 1e6:.0f}"})
        client.take_events()
        with Asker(named, "h1.large.example") as asker:
            threads = Threads(named)
            peak, began = reload(named, options)
            loaded = time.monotonic() - began
            event = client.wait_event("zone_updated", zone="large.example", timeout=600)
            line = {"reload": "1,000 changes", "loaded": f"{loaded:.2f} s",
                    "event": f"{time.monotonic() - began:.2f} s",
                    "zone thread": f"{threads.used('bindcast-zones'):.2f} s", "RSS peak": f"+{peak.above():.0f} MB"}
        line["longest answer"] = f"{asker.longest_s * 1000:.0f} ms"
        line["told"] = told(event)
        show(True, line)
    transfer(named, options)


def told(event) -> str:
    return f"{event['data']['cause']}, {event['data']['records']}"


def client_sees(named, client, zone):
    send_update(named, 1, zone, f"first.{zone}")
    client.wait_event("record_created", name=f"first.{zone}", timeout=600)


def transfer(primary, options):
    """The whole zone again, every address another, to a secondary that watches it."""
    primaries = f"primaries {{ 127.0.0.1 port {primary.port}; }}; request-ixfr no;"
    secondary = Named({"large.example": Zone(type="secondary", options=primaries)}, yaml=YAML, start="running")
    try:
        started(secondary)
        with Client(secondary, account=False) as client:
            client.subscribe_from_start(event_types=["zone_loaded", "zone_updated", "record_bulk_operation"])
            client.wait_event("zone_loaded", zone="large.example", timeout=600)
            client.take_events()
            with rewriting(primary, options.records, options.records, 200_000):
                pass
            with Asker(secondary, "h1.large.example") as asker:
                peak, threads, began = Peak(secondary), Threads(secondary), time.monotonic()
                secondary.rndc("retransfer", "large.example")
                wait_until(lambda: soa(secondary) == 200_000, "the transfer", 600)
                loaded = time.monotonic() - began
                event = client.wait_event("zone_updated", zone="large.example", timeout=600)
                line = {"AXFR": "all records", "transferred": f"{loaded:.2f} s",
                        "event": f"{time.monotonic() - began:.2f} s",
                        "zone thread": f"{threads.used('bindcast-zones'):.2f} s", "RSS peak": f"+{peak.above():.0f} MB"}
            line["longest answer"] = f"{asker.longest_s * 1000:.0f} ms"
            line["events"] = len(client.events)
            line["told"] = told(event)
            show(True, line)
    except BaseException:
        secondary.discard()
        raise
    secondary.__exit__(None, None, None)


def show(plugin, line):
    print("  " + ("bindcast  " if plugin else "bare      ")
          + "   ".join(f"{name} {value}" for name, value in line.items()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zones", type=int, default=200)
    parser.add_argument("--settle", type=float, default=0.5, help="seconds of rest before the idle window")
    parser.add_argument("--window", type=float, default=1, help="seconds of the idle window")
    parser.add_argument("--samples", type=int, default=5, help="updates whose latency is taken, each")
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--under-way", type=int, default=64)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--only", choices=["many", "large"])
    parser.add_argument("--folder", default="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    options = parser.parse_args()
    tempfile.tempdir = options.folder
    with tempfile.TemporaryDirectory(prefix="bindcast-zones-") as folder:
        if options.only != "large":
            many_zones(pathlib.Path(folder), options)
        if options.only != "many":
            large_zone(options)


main()
