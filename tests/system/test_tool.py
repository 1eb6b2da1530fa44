"""bindcast, the command line tool, against the real named: what it shows, how it ends, and what it survives."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import unittest
from pathlib import Path

from client import Client, watching
from harness import ROOT, TIME_FACTOR, HarnessError, Named, Zone, wait_until

TOOL = Path(os.environ.get("BINDCAST_TOOL", ROOT / "build/contrib/tool/bindcast")).resolve()
ZONES = {"example.com": Zone("www A 192.0.2.1", options="allow-update { key update-key; };"),
         "malware.feed": Zone("bad.test CNAME .")}
RPZ = 'response-policy { zone "malware.feed"; } qname-wait-recurse no;'
OK, REFUSED, USAGE, UNREACHABLE, UNAUTHENTICATED = range(5)


def environment(**more) -> dict:
    """Ours without what steers the tool, and more."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BINDCAST_") and k not in ("NO_COLOR", "TERM")}
    return {**kept, "TZ": "UTC", **more}


def url(named) -> str:
    return "ws://{}:{}".format(*named.address)


def run(*arguments, stdin="", **more) -> subprocess.CompletedProcess:
    return subprocess.run([TOOL, *map(str, arguments)], input=stdin, capture_output=True, text=True,
                          timeout=30 * TIME_FACTOR, env=environment(**more), check=False)


def run_for(named, command, *arguments, **more) -> subprocess.CompletedProcess:
    return run(command, "--url", url(named), "--token-file", named.token_file, *arguments, **more)


class Running:
    """The tool in the background; its lines as they come."""

    def __init__(self, *arguments, named=None, **more):
        if named is not None:
            arguments = (arguments[0], "--url", url(named), "--token-file", named.token_file, *arguments[1:])
        self.process = subprocess.Popen([TOOL, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment(**more))
        self.out, self.err = [], []
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                         for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(pipe, lines):
        for line in pipe:
            lines.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def wait_line(self, pattern: str, timeout: float = 10) -> str:
        """The first line of its output with that in it."""
        return self._wait(self.out, pattern, timeout)

    def wait_error(self, pattern: str, timeout: float = 10) -> str:
        return self._wait(self.err, pattern, timeout)

    def _wait(self, lines, pattern, timeout):
        try:
            return wait_until(lambda: next((line for line in list(lines) if re.search(pattern, line)), None),
                              f"the tool to say {pattern!r}", timeout)
        except HarnessError as fault:
            raise HarnessError(f"{fault}; it said {self.out[-20:]} and {self.err[-20:]}") from None

    def end(self, how=signal.SIGINT) -> int:
        self.process.send_signal(how)
        return self.process.wait(10 * TIME_FACTOR)


@contextlib.contextmanager
def tailing(named, witness, *arguments, **more):
    """bindcast tail, subscribed: its subscription is an event, which the witness has seen."""
    before = len(witness.of("subscription_created"))
    with Running("tail", *arguments, named=named, **more) as tail:
        try:
            witness.wait_events(before + 1, "subscription_created")
        except HarnessError as fault:
            raise HarnessError(f"{fault}; the tool said {tail.err}") from None
        yield tail


class TailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        feeds = {"server": {"max_connections_per_user": 50}, "events": {"rpz": {"feeds": {"malware.feed": "malware"}}}}
        cls.named = cls.enterClassContext(Named(ZONES, options=RPZ, yaml=feeds))
        cls.witness = cls.enterClassContext(watching(cls.named))
        cls.witness.subscribe()

    def test_what_happens_now_is_a_line_each(self):
        with tailing(self.named, self.witness) as tail:
            self.named.query("www.example.com", tcp=True)
            self.assertRegex(tail.wait_line("www.example.com A "),
                             r"^\d\d:\d\d:\d\d\.\d{3} dns_query_log +127\.0\.0\.1 www\.example\.com A NOERROR "
                             r"\d+\.\d ms tcp$")
            self.named.query("bad.test")
            self.assertRegex(tail.wait_line("malware_blocked"),
                             r"127\.0\.0\.1 bad\.test A -> nxdomain by malware\.feed, rule bad\.test\.malware\.feed "
                             r"\(qname\)")
            self.named.update("example.com", lambda u: u.replace("www", 60, "A", "192.0.2.7"))
            self.assertRegex(tail.wait_line("record_updated"),
                             r"www\.example\.com A: 300 192\.0\.2\.1 -> 60 192\.0\.2\.7 \(update\)$")
            self.assertRegex(tail.wait_line("zone_updated"), r"example\.com primary, serial \d+->\d+, records \+1 -1")
            self.named.update("example.com", lambda u: u.replace("www", 300, "A", "192.0.2.1"))
            self.assertEqual(OK, tail.end())
            self.assertEqual([], tail.err)
            self.assertNotIn("\x1b", "".join(tail.out))

    def test_filter_type_count(self):
        with tailing(self.named, self.witness, "--type", "dns_query_log", "--filter", 'qname under "f.example.com"',
                     "--count", "2") as tail:
            for name in ("www.example.com", "a.f.example.com", "b.f.example.com", "c.f.example.com"):
                self.named.query(name)
            self.assertEqual(OK, tail.process.wait(10 * TIME_FACTOR))
            tail.wait_line("b.f.example.com")
            self.assertEqual(["a.f.example.com", "b.f.example.com"], [line.split()[3] for line in tail.out])

    def test_json_is_what_another_client_gets(self):
        with tailing(self.named, self.witness, "--json", "--type", "dns_query_log") as tail:
            with Client(self.named) as other:
                other.subscribe(event_types=["dns_query_log"])
                names = [f"json{i}.example.com" for i in range(20)]
                for name in names:
                    self.named.query(name)
                tail.wait_line("json19")
                other.wait_event("dns_query_log", qname="json19.example.com")
                self.assertEqual([text for text in other.text if '"dns_query_log"' in text and '"id"' in text and
                                  "json" in text and "subscription" not in text], tail.out)

    def test_it_ends_by_itself(self):
        self.assertEqual(OK, run_for(self.named, "tail", "--for", "0.2").returncode)

    def test_its_reader_goes(self):
        # As in `bindcast tail | head -1`: no fault, and no word of one.
        with Running("tail", "--type", "dns_query_log", named=self.named) as first, \
                subprocess.Popen([TOOL, "tail", "--url", url(self.named), "--token-file", self.named.token_file,
                                  "--since", "start"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=environment()) as tail:
            tail.stdout.readline()
            tail.stdout.close()
            self.asking("pipe.example.com", lambda: tail.poll() is not None)
            self.assertEqual((OK, b""), (tail.returncode, tail.stderr.read()))
            self.assertEqual(OK, first.end(signal.SIGTERM))

    def asking(self, name, until):
        """Asks for a name until something has come of it."""
        wait_until(lambda: self.named.query(name) and until(), f"what {name} brings about")

    def test_since(self):
        self.named.update("example.com", lambda u: u.add("since1", 60, "A", "192.0.2.1"))
        first = self.witness.wait_event("record_created", name="since1.example.com")
        self.named.update("example.com", lambda u: u.add("since2", 60, "A", "192.0.2.1"))
        self.witness.wait_event("record_created", name="since2.example.com")
        ended = run_for(self.named, "tail", "--since", first["id"], "--type", "record_created", "--count", "1")
        self.assertEqual(OK, ended.returncode, ended.stderr)
        self.assertIn("since2.example.com", ended.stdout)
        everything = run_for(self.named, "tail", "--since", "start", "--for", "0.3")
        self.assertIn("zone_loaded", everything.stdout)
        self.assertIn("since1.example.com", everything.stdout)
        wrong = run_for(self.named, "tail", "--since", "nonsense", "--for", "1")
        self.assertEqual((REFUSED, 1), (wrong.returncode, wrong.stderr.count("\n")), wrong.stderr)

    def test_since_last(self):
        with tempfile.TemporaryDirectory() as state:
            last = ("tail", "--since", "last", "--type", "record_created", "--for", "0.3")
            self.assertEqual("", run_for(self.named, *last, XDG_STATE_HOME=state).stdout)
            self.named.update("example.com", lambda u: u.add("last1", 60, "A", "192.0.2.1"))
            self.witness.wait_event("record_created", name="last1.example.com")
            self.assertIn("last1.example.com", run_for(self.named, *last, XDG_STATE_HOME=state).stdout)
            self.assertEqual("", run_for(self.named, *last, XDG_STATE_HOME=state).stdout)

    def test_hostile_names(self):
        """Control bytes, C1 in UTF-8, a bidirectional override, and a name as long as names may be."""
        hostile = ["\\027[31mred.example.com", "\\194\\155\\051\\049m.example.com", "\\226\\128\\174gpj.example.com",
                   "a\\013\\010b.example.com", ".".join(["\\007" * 63] * 3) + ".example.com"]
        with tailing(self.named, self.witness, "--type", "dns_query_log") as tail:
            for name in hostile:
                self.named.query(name)
            self.named.query("end.example.com")
            tail.wait_line("end.example.com")
            self.assertEqual(len(hostile) + 1, len(tail.out))
            for line in tail.out:
                self.assertRegex(line, r"^[\x20-\x7e]+$")
            self.assertLess(max(map(len, tail.out)), 2500)

    def test_colours_are_for_terminals_that_want_them(self):
        show = ("tail", "--since", "start", "--count", "3")
        self.assertIn("\x1b[36mservice_started\x1b[0m", in_terminal(*show, named=self.named))
        self.assertNotIn("\x1b", in_terminal(*show, "--no-color", named=self.named))
        for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", in_terminal(*show, named=self.named, **variables))


def in_terminal(*arguments, named, keys=b"", until=None, size=(24, 80), **more) -> str:
    """What the tool writes to a terminal, to its end; `until(text)`: then `keys` are typed."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    command = [TOOL, arguments[0], "--url", url(named), "--token-file", named.token_file, *arguments[1:]]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, close_fds=True,
                               env=environment(**{"TERM": "xterm", **more}))
    os.close(slave)
    text = b""
    try:
        def ended():
            nonlocal text, keys
            if select.select([master], [], [], 0.02)[0]:
                try:
                    text += os.read(master, 65536)
                except OSError:  # the other end is closed
                    return True
            if until and keys and until(text.decode(errors="replace")):
                os.write(master, keys)
                keys = b""
            return False
        wait_until(ended, f"the tool to end; it wrote {text[-2000:]!r}", 15)
        if process.wait(10 * TIME_FACTOR) != OK:
            raise HarnessError(f"the tool ended with {process.returncode}: {process.stderr.read()}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stderr.close()
        os.close(master)
    return text.decode()


if __name__ == "__main__":
    unittest.main()
