#!/usr/bin/env python3
"""Holds the table in doc/events.md against events/types.def; with --write, makes it anew."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "doc" / "events.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def rows():
    text = (ROOT / "events" / "types.def").read_text()
    pattern = r"^BINDCAST_EVENT\((\w+), (\w+), (\w+), (\w+), (\w+), (\w+), (\w+),\s+\"((?:[^\"\\]|\\.)*)\"\)"
    return re.findall(pattern, text, re.MULTILINE)


def table():
    lines = ["| type | category | priority | severity | class | audience | origin | when |", "|---|---|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows()]
    return "\n".join(lines) + "\n"


def main():
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    if "--write" in sys.argv[1:]:
        DOCUMENT.write_text(before + BEGIN + table() + END + after)
        return 0
    if old != table():
        print("doc/events.md differs from events/types.def; run tests/docs/events_table.py --write")
        return 1
    print(f"{len(rows())} event types as documented")
    return 0


sys.exit(main())
