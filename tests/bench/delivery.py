#!/usr/bin/env python3
"""What delivery costs and how fast it is: tables of fan-out, throughput, urgent events and bytes on the wire.

  tests/bench/delivery.py [--rounds N] [--only fan_out,throughput,urgent,wire] [--json]

bench_host makes the events by the C ABI, bench_client counts them over real WebSockets; both are built in
build/tests/bench. Each line is measured with a host and clients of its own, so nothing is carried over. The lines of a
table take turns, every other round in reverse, and their medians are shown after the raw rows. A run in which something
is neither delivered nor told as missed fails; no figure does.
"""

COLUMNS = """
what the columns mean

  format        plain: no subprotocol, one JSON message for each event; json: bindcast.v1.json, batches; deflate:
                bindcast.v1.deflate, compressed batches.
  batch         the batch size that the client asked for; default: the server's. Where there is none, the server's too.
  queue         large: a million events, nothing is missed; default: the server's queues.max_events.
  delivered     of the events that the client wanted, the part it received; the rest was told as gaps.

fan_out: N clients take every query at --rate queries a second. "same": all with one subscription; "distinct": each with
a filter of its own that matches every query all the same.
  loop us/ev    CPU time of the runtime's loop thread for each query, in microseconds, from before the first until the
                last client has all. On loopback this is also the kernel's work of handing the bytes to the receiver.
  added us/ev   what each client after the first adds to that: (this line - the line of 1 client) / (clients - 1).
  of first      the same as a share of what the line of 1 client costs. That one pays for capture, event and JSON, and at
                a low rate for the loop's waking up, which clients share: compare it at one rate only.
  MB/s          bytes that all clients received, by the time of the queries.
  rss MB        resident memory of the host when all clients have all.

throughput: one client takes every query of a burst of --burst, which goes in as fast as the ring takes it.
  told/s        queries a second, from the first going in until the client was told of the last: received or missed.
  delivered/s   only those received.
  loop us/ev    as above, for each query.

urgent: one client takes every query and security_alert; idle: alerts alone, loaded: besides --load queries a second.
  p50, p99, max from the moment before bindcast_emit_fields until the client has read the bytes, in milliseconds.
  alerts        how many.

wire: one client, queries at a steady rate.
  bytes/ev      bytes of WebSocket frames, headers included, for each query.
  of plain      the same as a share of plain's in that round.
  ev/frame      queries for each frame.
"""

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import pathlib  # noqa: E402
import queue  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

BUILT = pathlib.Path(__file__).resolve().parents[2] / "build" / "tests" / "bench"

CONFIGURATION = """\
server: {{listen: "127.0.0.1:0", max_connections: 10000, max_connections_per_user: 10000, heartbeat: 10m}}
rate_limit: {{messages_per_minute: 100000, subscription_changes_per_minute: 100000}}
retry: {{acknowledge: []}}
{queues}
"""
LARGE_QUEUES = "queues: {max_events: 1000000, max_bytes: 1GiB, max_total_bytes: 8GiB}"  # nothing is missed, so all the work is measured
SUBPROTOCOLS = {"plain": "", "json": "bindcast.v1.json", "deflate": "bindcast.v1.deflate"}
QUERIES = {"event_types": ["dns_query_log"]}
# Never true of a query of bench_host, whose ports begin at 1024, so that every client gets every one.
DISTINCT = QUERIES | {"filter": "client_port != %d"}
WITH_ALERTS = {"event_types": ["dns_query_log", "security_alert"]}


class Failure(Exception):
    pass


class Process:
    """A program that answers each line of its stdin with one line of JSON; ended by its own id."""

    def __init__(self, *command):
        self.name = pathlib.Path(command[0]).name
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except OSError as fault:
            raise Failure(f"{command[0]}: {fault.strerror}; is it built?") from fault
        self._lines = queue.Queue()
        self._kept = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def tell(self, command):
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except OSError as fault:
            raise Failure(f"{self.name} is gone: {fault}") from fault

    def answer(self, command=None, timeout=60):
        """The next answer to that command; those to others are kept for later."""
        for kept in self._kept:
            if kept.get("command") == command:
                self._kept.remove(kept)
                return kept
        ends = time.monotonic() + timeout
        while True:
            try:
                answer = self._lines.get(timeout=max(0, ends - time.monotonic()))
            except queue.Empty:
                raise Failure(f"{self.name} does not answer {command or 'at all'}") from None
            if answer is None:
                raise Failure(f"{self.name} ended")
            if "error" in answer:
                raise Failure(f"{self.name}: {answer['error']}")
            if answer.get("command") == command:
                return answer
            self._kept.append(answer)

    def ask(self, command, timeout=60):
        self.tell(command)
        return self.answer(command.split()[0], timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._process.stdin.close()
        except OSError:
            pass
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Bench:
    """A host and its clients, subscribed and waiting."""

    def __init__(self, options, form, subscribe, clients=1, preferences=None, queues=LARGE_QUEUES):
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="bindcast-delivery-")
        configuration = pathlib.Path(self._folder.name) / "bindcast.yaml"
        configuration.write_text(CONFIGURATION.format(queues=queues))
        self._ends = [self._folder.cleanup]
        try:
            self.host = self._start(options.host, configuration)
            told = self.host.answer()
            # Unfolded, so that every query is one event, or told as lost.
            more = ["--preferences", json.dumps({"fold": False} | ({"batch": True} | preferences if preferences else {}))]
            self.client = self._start(
                options.client, "--port", str(told["port"]), "--token", told["token"], "--clients", str(clients),
                "--subprotocol", SUBPROTOCOLS[form], "--subscribe", json.dumps(subscribe),
                "--inflate", str(clients if options.smoke else 1), *more)
            if self.client.answer(timeout=90)["ready"] != clients:
                raise Failure("not all clients are subscribed")
            self.before = self.host.ask("cpu")
        except BaseException:
            self.__exit__()
            raise

    def _start(self, *command):
        process = Process(*map(str, command))
        self._ends.append(process.__exit__)
        return process

    def wait_told(self, made):
        """Until each counting client was told of all that was made, and nothing is on its way any more."""
        patience = self._options.patience
        report = last = self.client.ask(f"wait {made['accepted']} {patience * 1000}", timeout=patience + 30)
        began = quiet_since = time.monotonic()
        while time.monotonic() - began < patience:
            # Clients that only count bytes have all when no more come, for longer than a batch may wait. What the
            # capture lost is told by the way, maybe after the last query.
            quiet = last["counting"] == last["clients"] or time.monotonic() - quiet_since > 0.7
            if quiet and last["missed"].get("capture_overflow", 0) == made["refused"] * last["counting"]:
                break
            time.sleep(0.05)
            now = self.client.ask("report")
            if now["frames"] != last["frames"]:
                quiet_since = time.monotonic()
            last = now
        self.check(made, last)
        return last | {"at_ns": report["at_ns"]}, self.host.ask("cpu")

    def wait_alerts(self, emitted):
        ends = time.monotonic() + self._options.patience
        while (urgent := self.client.ask("report")["urgent"])["count"] < emitted and time.monotonic() < ends:
            time.sleep(0.05)
        if urgent["count"] != emitted:
            raise Failure(f"{emitted} alerts made, {urgent['count']} delivered")
        return urgent

    @staticmethod
    def check(made, report):
        """Delivered and missed are exactly what was made, for each client."""
        counting = report["counting"]
        missed = dict(report["missed"])
        lost_in_capture = missed.pop("capture_overflow", 0)
        if report["events"] == 0:
            raise Failure("nothing was delivered")
        if not report["told_least"] == report["told_most"] == made["accepted"]:
            raise Failure(f"of {made['accepted']} queries the clients were told of "
                          f"{report['told_least']} to {report['told_most']}")
        if report["events"] + sum(missed.values()) != made["accepted"] * counting:
            raise Failure(f"{report['events']} delivered and {missed} missed are not {made['accepted']} x {counting}")
        if lost_in_capture != made["refused"] * counting:
            raise Failure(f"{made['refused']} refused by the capture, {lost_in_capture} told to {counting} clients")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in reversed(self._ends):
            end()
        self._ends = []


def delivered_share(made, report):
    return report["events"] / (made["accepted"] * report["counting"])


def loop_us(before, after, events):
    return (after["loop_s"] - before["loop_s"]) * 1e6 / events


# ── The tables: each has its lines, a measurement of one of them, and what is compared within a round ──────────────────


class FanOut:
    title = "fan-out"
    columns = [("format", "format", "{}"), ("clients", "clients", "{}"), ("subscriptions", "subscriptions", "{}"),
               ("loop_us", "loop us/ev", "{:.2f}"), ("added_us", "added us/ev", "{:.3f}"),
               ("of_first", "of first", "{:.2%}"), ("mb_s", "MB/s", "{:.1f}"), ("rss_mb", "rss MB", "{:.1f}"),
               ("delivered", "delivered", "{:.2%}")]
    key = ("format", "clients", "subscriptions")

    def lines(self, options):
        for form in ("json", "deflate"):
            for clients in options.clients:
                for kind in ("same", "distinct") if clients > 1 else ("same",):
                    yield {"format": form, "clients": clients, "subscriptions": kind}

    def measure(self, options, line):
        subscribe = QUERIES if line["subscriptions"] == "same" else DISTINCT
        with Bench(options, line["format"], subscribe, line["clients"]) as bench:
            made = bench.host.ask(f"queries {options.rate} {options.seconds}", timeout=options.seconds + 30)
            report, after = bench.wait_told(made)
            return {"loop_us": loop_us(bench.before, after, made["accepted"]),
                    "mb_s": report["wire_bytes"] / options.seconds / 1e6,
                    "rss_mb": after["rss_kb"] / 1024,
                    "delivered": delivered_share(made, report)}

    def compare(self, rows):
        first = {row["format"]: row["loop_us"] for row in rows if row["clients"] == 1}
        for row in rows:
            one, more = first[row["format"]], row["clients"] - 1
            row["added_us"] = (row["loop_us"] - one) / more if more else None
            row["of_first"] = row["added_us"] / one if more else None


class Throughput:
    title = "throughput"
    columns = [("format", "format", "{}"), ("batch", "batch", "{}"), ("queue", "queue", "{}"),
               ("told_s", "told/s", "{:,.0f}"), ("delivered_s", "delivered/s", "{:,.0f}"),
               ("loop_us", "loop us/ev", "{:.2f}"), ("delivered", "delivered", "{:.2%}")]
    key = ("format", "batch", "queue")

    def lines(self, _):
        for form, batch in (("plain", None), ("json", None), ("json", 1000), ("deflate", None), ("deflate", 1000)):
            yield {"format": form, "batch": batch or ("default" if form != "plain" else None), "queue": "large"}
        yield {"format": "json", "batch": "default", "queue": "default"}

    def measure(self, options, line):
        preferences = None
        if line["batch"]:
            preferences = {"batch_timeout_ms": 10}  # or the last batch's waiting would count
            if line["batch"] != "default":
                preferences["max_batch_size"] = line["batch"]
        queues = LARGE_QUEUES if line["queue"] == "large" else ""
        with Bench(options, line["format"], QUERIES, preferences=preferences, queues=queues) as bench:
            bench.host.tell(f"burst {options.burst}")
            made = bench.host.answer("burst", timeout=120)
            report, after = bench.wait_told(made)
            seconds = (report["at_ns"] - made["began_ns"]) / 1e9
            return {"told_s": made["accepted"] / seconds, "delivered_s": report["events"] / seconds,
                    "loop_us": loop_us(bench.before, after, made["accepted"]),
                    "delivered": delivered_share(made, report)}

    def compare(self, rows):
        pass


class Urgent:
    title = "urgent events"
    columns = [("format", "format", "{}"), ("load", "load", "{}"), ("p50_ms", "p50 ms", "{:.3f}"),
               ("p99_ms", "p99 ms", "{:.3f}"), ("max_ms", "max ms", "{:.3f}"), ("alerts", "alerts", "{:.0f}"),
               ("delivered", "delivered", "{:.2%}")]
    key = ("format", "load")

    def lines(self, options):
        for form in ("json", "deflate"):
            for load in ("idle", f"{options.load}/s"):
                yield {"format": form, "load": load}

    def measure(self, options, line):
        per_second = 100
        alerts = round(0.8 * options.seconds * per_second)
        with Bench(options, line["format"], WITH_ALERTS) as bench:
            delivered = None
            if line["load"] == "idle":
                emitted = bench.host.ask(f"urgent {alerts} {per_second}")["emitted"]
            else:
                bench.host.tell(f"queries {options.load} {options.seconds}")
                time.sleep(0.1 * options.seconds)  # the load stands; the alerts end before it
                emitted = bench.host.ask(f"urgent {alerts} {per_second}")["emitted"]
                made = bench.host.answer("queries", timeout=options.seconds + 30)
                report, _ = bench.wait_told(made)
                delivered = delivered_share(made, report)
            urgent = bench.wait_alerts(emitted)
            return {"p50_ms": urgent["p50_us"] / 1000, "p99_ms": urgent["p99_us"] / 1000,
                    "max_ms": urgent["max_us"] / 1000, "alerts": emitted, "delivered": delivered}

    def compare(self, rows):
        pass


class Wire:
    title = "bytes on the wire"
    columns = [("format", "format", "{}"), ("batch", "batch", "{}"), ("bytes", "bytes/ev", "{:.1f}"),
               ("of_plain", "of plain", "{:.2%}"), ("per_frame", "ev/frame", "{:.1f}")]
    key = ("format", "batch")

    def lines(self, _):
        yield {"format": "plain", "batch": None}
        for form in ("json", "deflate"):
            for batch in (25, 100):
                yield {"format": form, "batch": batch}

    def measure(self, options, line):
        rate = 500 if options.smoke else 5000
        preferences = {"max_batch_size": line["batch"]} if line["batch"] else None
        with Bench(options, line["format"], QUERIES, preferences=preferences) as bench:
            made = bench.host.ask(f"queries {rate} {options.seconds}", timeout=options.seconds + 30)
            report, _ = bench.wait_told(made)
            return {"bytes": report["wire_bytes"] / report["events"], "per_frame": report["events"] / report["frames"]}

    def compare(self, rows):
        plain = next(row["bytes"] for row in rows if row["format"] == "plain")
        for row in rows:
            row["of_plain"] = row["bytes"] / plain


TABLES = {"fan_out": FanOut(), "throughput": Throughput(), "urgent": Urgent(), "wire": Wire()}


def medians(table, rows):
    grouped = {}
    for row in rows:
        grouped.setdefault(tuple(row[name] for name in table.key), []).append(row)
    result = []
    for group in grouped.values():
        middle = dict(group[0])
        for name, value in group[0].items():
            if name not in table.key and value is not None:
                middle[name] = statistics.median(row[name] for row in group)
        result.append(middle)
    return result


def text_table(table, rows):
    cells = [[header for _, header, _ in table.columns]]
    for row in rows:
        cells.append(["-" if row[name] is None else form.format(row[name]) for name, _, form in table.columns])
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in cells)


def run(table, options, say):
    lines = list(table.lines(options))
    raw = []
    for number in range(options.rounds):
        rows = {}
        order = list(enumerate(lines))
        for index, line in order if number % 2 == 0 else reversed(order):
            try:
                rows[index] = line | table.measure(options, line)
            except Failure as fault:
                raise Failure(f"{table.title}, {line}: {fault}") from fault
        rows = [rows[index] for index in sorted(rows)]
        table.compare(rows)
        say(f"{table.title}, round {number + 1}\n{text_table(table, rows)}\n")
        raw.append(rows)
    middle = medians(table, [row for rows in raw for row in rows])
    say(f"{table.title}, medians of {options.rounds}\n{text_table(table, middle)}\n")
    return {"rounds": raw, "medians": middle}


def parse():
    arguments = argparse.ArgumentParser(description=__doc__, epilog=COLUMNS,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)

    def numbers(text):
        return sorted({1, *(int(part) for part in text.split(","))})

    def names(text):
        unknown = set(text.split(",")) - set(TABLES)
        if unknown:
            raise argparse.ArgumentTypeError(f"no such table: {', '.join(sorted(unknown))}")
        return text.split(",")

    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=3, help="how long queries flow for one line (default 3)")
    arguments.add_argument("--rate", type=int, default=200, help="fan_out: queries a second (default 200)")
    arguments.add_argument("--clients", type=numbers, default=[1, 100, 1000], help="fan_out: how many (default 1,100,1000)")
    arguments.add_argument("--burst", type=int, default=200_000, help="throughput: queries (default 200000)")
    arguments.add_argument("--load", type=int, default=50_000, help="urgent: queries a second besides (default 50000)")
    arguments.add_argument("--only", type=names, default=list(TABLES), metavar="TABLES", help=", ".join(TABLES))
    arguments.add_argument("--json", action="store_true", help="one JSON object on stdout, the tables on stderr")
    arguments.add_argument("--smoke", action="store_true", help="tiny numbers: does it work, not how fast")
    arguments.add_argument("--host", default=BUILT / "bench_host", help="the program bench_host")
    arguments.add_argument("--client", default=BUILT / "bench_client", help="the program bench_client")
    options = arguments.parse_args()
    options.patience = 60  # seconds for what is on its way to arrive
    if options.smoke:
        options.patience = 10
        options.rounds, options.seconds, options.rate, options.clients = 1, 0.4, 200, [1, 8]
        options.burst, options.load = 5000, 2000
    return options


def main():
    options = parse()
    wanted = max(options.clients) + 128
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        sys.exit(f"{max(options.clients)} clients need {wanted} descriptors; ulimit -Hn says {hard}")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    output = sys.stderr if options.json else sys.stdout
    result = {"processors": os.cpu_count(), "rounds": options.rounds, "seconds": options.seconds, "rate": options.rate,
              "burst": options.burst, "load": options.load}
    try:
        for name in options.only:
            result[name] = run(TABLES[name], options, lambda text: print(text, file=output, flush=True))
    except Failure as fault:
        sys.exit(f"delivery.py: {fault}")
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        print()


main()
