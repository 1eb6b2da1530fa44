"""The demo's inside: two name servers, traffic, and `bindcast tail` at both. Started by contrib/demo/demo.

It stands on the harness of the system tests, which knows how to run a named of one's own and clean up after it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/system"))

import dns.exception  # noqa: E402

from harness import HarnessError, Named, Zone, wait_until  # noqa: E402
from traffic import Forwarder  # noqa: E402

HOSTS = ["www", "mail", "shop", "api", "intranet"]
BLOCKED = ["cryptominer.test", "botnet.test", "keylogger.test"]
PHISHING = ["your-bank-login.test", "parcel-fee.test"]
OUTSIDE = ["news.test", "weather.test", "video.test", "music.test", "failing.test"]
CLIENTS = [f"127.0.0.{i}" for i in range(2, 12)]

# named's own log, for who changed a record and what was refused (doc/named-log.md).
CHANNELS = """
  channel bindcast { file "bindcast.log" versions 2 size 20m; severity info;
                     print-category yes; print-severity yes; print-time iso8601-utc; };
  category default { bindcast; harness; };
"""

TOOL = os.environ["BINDCAST_TOOL"]


def names(labels: list[str]) -> str:
    return "\n".join(f"{label} A 192.0.2.{i + 1}" for i, label in enumerate(labels))


def policy(blocked: list[str]) -> str:
    return "\n".join(f"{name} CNAME ." for name in blocked)


def make_primary(forwarder: Forwarder, port: int) -> Named:
    updatable = "allow-update { key update-key; }; allow-transfer { any; };"
    zones = {
        "example.com": Zone(names(HOSTS), options=updatable),
        "example.net": Zone(names(HOSTS[:3]), options=updatable),
        "malware.feed": Zone(policy(BLOCKED), options=updatable),
        "phishing.feed": Zone(policy(PHISHING), options=updatable),
    }
    yaml = {"server": {"listen": f"127.0.0.1:{port}"},
            "sources": {"detectors": {"enabled": True}, "forwarders": {"enabled": True}},
            "events": {"rpz": {"feeds": {"malware.*": "malware", "phishing.*": "phishing"}}}}
    return Named(zones, yaml=yaml, forwarder_port=forwarder.port, channels=CHANNELS,
                 options='response-policy { zone "malware.feed"; zone "phishing.feed"; } qname-wait-recurse no;')


def make_secondary(primary: Named) -> Named:
    transferred = f"primaries {{ 127.0.0.1 port {primary.port}; }};"
    return Named({"example.com": Zone(type="secondary", options=transferred)}, channels=CHANNELS)


def free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


class Traffic:
    """Queries at a bounded rate, and now and then a change of zones, records, policies or configuration."""

    def __init__(self, primary: Named, secondary: Named, rate: float):
        self.primary, self.secondary, self.rate = primary, secondary, rate
        self.random = random.Random(53)
        self.changes = self._changes()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(self._query, 1 / rate), daemon=True),
                         threading.Thread(target=self._run, args=(self._change, 2.0), daemon=True)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, step, pause_s: float):
        while not self._ended.wait(pause_s):
            try:
                step()
            except (dns.exception.DNSException, OSError, HarnessError) as fault:
                if not self._ended.is_set():
                    print(f"demo: {fault}", file=sys.stderr)

    def _query(self):
        pick = self.random.random()
        if pick < 0.55:
            name = f"{self.random.choice(HOSTS)}.example.{self.random.choice(['com', 'net'])}"
        elif pick < 0.65:
            name = f"typo{self.random.randrange(100)}.example.com"
        elif pick < 0.72:
            name = self.random.choice(BLOCKED)
        elif pick < 0.75:
            name = self.random.choice(PHISHING)
        else:
            name = self.random.choice(OUTSIDE)
        self.primary.query(name, self.random.choice(["A", "A", "A", "AAAA", "MX"]), tcp=self.random.random() < 0.1,
                           edns=0 if self.random.random() < 0.5 else -1, source=self.random.choice(CLIENTS), timeout=5)

    def _change(self):
        next(self.changes)()

    def _changes(self):
        primary, turn = self.primary, 0
        while True:
            turn += 1
            address, host = f"198.51.100.{turn % 250}", f"host{turn % 20}"
            yield lambda: primary.update("example.com", lambda u: u.replace(host, 60, "A", address))
            yield lambda: self.secondary.rndc("refresh", "example.com")
            yield lambda: primary.update("malware.feed", lambda u: u.replace(f"new{turn}.test", 60, "CNAME", "."))
            yield lambda: primary.rndc("addzone", f"customer{turn}.example",
                                       '{ type primary; file "example.net.db"; };')
            yield lambda: primary.update("example.com", lambda u: u.delete(host))
            yield lambda: primary.rndc("reload")
            yield lambda: primary.rndc("delzone", f"customer{turn}.example")


class Tail:
    """bindcast tail at one of the servers, its lines on our own output."""

    def __init__(self, named: Named, label: str):
        command = [TOOL, "tail", *access_to(named), "--label", f"{label:<9}"]
        # It ends with us, whatever ends us.
        self._process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def ended(self) -> bool:
        return self._process.poll() is not None


def access_to(named: Named) -> list[str]:
    host, port = named.address
    return ["--url", f"ws://{host}:{port}", "--token-file", str(named.token_file)]


def wait_for_the_end(tails: list[Tail], ends: float | None):
    """Until the time is over, or Ctrl-C, which the tails get as well."""
    with contextlib.suppress(KeyboardInterrupt):
        while ends is None or time.monotonic() < ends:
            if any(tail.ended() for tail in tails):
                raise HarnessError("bindcast tail has ended")
            time.sleep(0.1)
    # From here on all is cleaned up; a second Ctrl-C must not keep it from that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def run(arguments) -> int:
    port = arguments.port if arguments.port and free(arguments.port) else 0
    with Forwarder(delay_s=0.02) as forwarder, make_primary(forwarder, port) as primary:
        with make_secondary(primary) as secondary:
            wait_until(lambda: secondary.query("www.example.com").answer, "the secondary's first transfer", 30)
            host, listening = primary.address
            access = " ".join(access_to(primary))
            print(f"named       127.0.0.1 port {primary.port} (try: dig @127.0.0.1 -p {primary.port} www.example.com)")
            print(f"dashboard   http://{host}:{listening}/  (log in with the token)")
            print(f"Bindcast    ws://{host}:{listening}/ws")
            print(f"token       {primary.token}")
            print(f"more        {TOOL} top {access}")
            print(f"            {TOOL} status {access}")
            print(f"log         {primary.log_file}")
            print("Ctrl-C ends it.\n", flush=True)
            with Tail(primary, "primary") as first, Tail(secondary, "secondary") as second:
                with Traffic(primary, secondary, arguments.rate):
                    ends = None if arguments.seconds is None else time.monotonic() + arguments.seconds
                    wait_for_the_end([first, second], ends)
            print()
            return subprocess.run([TOOL, "status", *access_to(primary)], check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--rate", type=float, default=8)
    parser.add_argument("--port", type=int, default=8353)
    arguments = parser.parse_args()
    if not 0 < arguments.rate <= 200:
        parser.error("--rate must be more than 0 and at most 200")

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        return run(arguments)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
