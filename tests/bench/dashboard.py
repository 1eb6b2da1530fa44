#!/usr/bin/python3
"""The dashboard's Live under load: tests/bench/dashboard.py [--seconds 60] [--rate 10000]

Wants BINDCAST_SO, the built plugin with its dashboard. Says how long the page's frames took (a screen's own are 16.7 ms),
how many tasks kept it for more than 50 ms, how many events a second it took in, and what became of each query.
tests/system/test_dashboard_load.py runs the same, and judges.
"""

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from harness import Named, Zone  # noqa: E402
from page import Flood  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=10000, help="queries a second")
    arguments = parser.parse_args()
    with Named({"example.com": Zone("* A 192.0.2.1")}) as named:
        print(json.dumps(Flood(named, arguments.seconds, arguments.rate).figures, indent=2))


main()
