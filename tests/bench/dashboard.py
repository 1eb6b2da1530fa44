#!/usr/bin/python3
"""The dashboard's Live under load: tests/bench/dashboard.py [--seconds 60] [--rate 10000]

Wants BINDCAST_SO, the built plugin with its dashboard. Says how long the page's frames took (a screen's own are 16.7 ms),
how many tasks kept it for more than 50 ms, and how many events a second it took in.
"""

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from harness import Named, Zone  # noqa: E402
from page import Scenario  # noqa: E402
from traffic import Load  # noqa: E402


class Flood(Scenario):
    rate = 0
    dns = None

    def token(self):
        return {"token": self.named.token}

    def load(self, seconds: int):
        names = [f"name{number}.example.com" for number in range(2000)]
        self.dns = Load(self.named, names, seconds=seconds, rate=self.rate)

    def measured(self, measured: dict):
        print(json.dumps({"dns": self.dns.finish(), **measured}, indent=2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=10000, help="queries a second")
    arguments = parser.parse_args()
    with Named({"example.com": Zone("* A 192.0.2.1")}) as named:
        flood = Flood(named)
        flood.rate = arguments.rate
        flood.run("load.mjs", str(arguments.seconds))


main()
