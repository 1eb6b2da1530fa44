"""bindcast, the command line tool, against the real named: what it shows, how it ends, and what it survives."""

import asyncio
import contextlib
import ctypes
import ctypes.util
import fcntl
import http.server
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import unittest
import urllib.parse
import zlib
from pathlib import Path

import websockets

import client
from client import Client, watching
from harness import ROOT, TIME_FACTOR, HarnessError, Named, Zone, free_port, wait_until
from traffic import Asker, Background

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


def witness_of(named, **options) -> Client:
    """A client of everything that has seen its own subscription, so that the next one is another's."""
    witness = watching(named, **options)
    witness.subscribe()
    witness.wait_event("subscription_created")
    return witness


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
        cls.witness = cls.enterClassContext(witness_of(cls.named))

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
            for name in ("www.example.com", "a.f.example.com", "b.f.example.com"):
                self.named.query(name)
            self.assertEqual(OK, tail.process.wait(10 * TIME_FACTOR))
            wait_until(lambda: len(tail.out) == 2, "its lines")
            self.assertEqual({"a.f.example.com", "b.f.example.com"}, {line.split()[3] for line in tail.out})

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


def in_terminal(*arguments, named=None, address=None, keys=b"", until=None, size=(24, 80), **more) -> str:
    """What the tool writes to a terminal, to its end; `until(text)`: then `keys` are typed."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    access = ["--url", address] if address else ["--url", url(named), "--token-file", named.token_file]
    command = [TOOL, arguments[0], *access, *arguments[1:]]
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


class ComebackTest(unittest.TestCase):
    def test_named_is_killed_and_comes_back(self):
        """Nothing durable that the server still has is lost, and what it has no more is told."""
        address = f"127.0.0.1:{free_port()}"
        wanted = "dns_query_log,service_started,record_created"
        with Named(ZONES, yaml={"server": {"listen": address}}) as named, contextlib.ExitStack() as stack:
            with witness_of(named, account=False) as witness:
                tail = stack.enter_context(tailing(named, witness, "--type", wanted))
                named.query("before.example.com")
                tail.wait_line("before.example.com")
                named.kill()
                witness.wait_closed()
            tail.wait_error(f"disconnected from ws://{address}")
            named.start()
            tail.wait_error("connected again after", timeout=20)
            # The plugin was up, and its start told, before the tool was back.
            tail.wait_line(r" gap +\d+ events missed: restart")
            tail.wait_line("service_started")
            named.update("example.com", lambda u: u.add("after", 60, "A", "192.0.2.1"))
            tail.wait_line("record_created +after.example.com")
            self.assertEqual(1, sum("service_started" in line for line in tail.out), tail.out)
            self.assertEqual(OK, tail.end())
            self.assertEqual(2, len(tail.err), tail.err)

    def test_a_connection_that_is_cut(self):
        """Durable events of the time between come once, in order; those before do not come again."""
        with Named(ZONES) as named, witness_of(named) as witness, Cutter(named) as cutter:
            arguments = ("--url", f"ws://127.0.0.1:{cutter.port}", "--token-file", named.token_file)
            before = len(witness.of("subscription_created"))
            with Running("tail", *arguments, "--type", "record_created") as tail:
                witness.wait_events(before + 1, "subscription_created")
                for i in range(12):
                    if i == 4:
                        cutter.cut()
                        tail.wait_error("disconnected")
                    if i == 8:
                        cutter.mend()
                    named.update("example.com", lambda u: u.add(f"cut{i}", 60, "A", "192.0.2.1"))
                    if i < 4:
                        tail.wait_line(f"cut{i}.example.com")
                    else:
                        witness.wait_event("record_created", name=f"cut{i}.example.com")
                tail.wait_line("cut11.example.com", timeout=20)
                self.assertEqual([f"cut{i}.example.com" for i in range(12)], [line.split()[2] for line in tail.out])


class Cutter(Background):
    """A way to named's listener that can be cut."""

    def __init__(self, named):
        super().__init__()
        self._to = named.address
        self._pairs: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self._cut = False

    def cut(self):
        self._cut = True
        for end in self._pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self._cut = False

    def _run(self):
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                near, _ = self._listener.accept()
                if self._cut:
                    near.close()
                    continue
                far = socket.create_connection(self._to)
                self._pairs += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()
        self.cut()
        for end in (*self._pairs, self._listener):
            end.close()

    @staticmethod
    def _pass_on(source, to):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)


class AccessTest(unittest.TestCase):
    """Where the server is, who one is, and what is said when that is wrong."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        yaml = {"server": {"listen": ["127.0.0.1:0", f"unix:{cls.folder}/socket"]}, "sources": {"named": {"interval": "1s"}}}
        cls.named = cls.enterClassContext(Named(ZONES, yaml=yaml))

    def fails(self, code: int, *arguments, says: str, **more):
        """One line, and it says what is wrong."""
        ended = run(*arguments, **more)
        self.assertEqual((code, "", 1), (ended.returncode, ended.stdout, ended.stderr.count("\n")), ended)
        self.assertRegex(ended.stderr, "^bindcast: .*" + says)

    def test_ways_to_the_server(self):
        token = self.named.token
        port = self.named.address[1]
        for way in (f"ws://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/ws", f"http://localhost:{port}/",
                    f"unix:{self.folder}/socket"):
            for command in (("status",), ("tail", "--since", "start", "--count", "1")):
                by_option = run(*command, "--url", way, BINDCAST_TOKEN=token)
                self.assertEqual((OK, ""), (by_option.returncode, by_option.stderr), way)
                self.assertTrue(by_option.stdout)
        self.assertEqual(OK, run("status", BINDCAST_URL=way, BINDCAST_TOKEN=token).returncode)

    def test_who_is_not_let_in(self):
        for command in (("status",), ("tail",), ("ack", "1-1"), ("top", "--for", "1")):
            with self.subTest(command):
                self.fails(UNAUTHENTICATED, *command, "--url", url(self.named), says="bad token|valid token",
                           BINDCAST_TOKEN="wrong-token")
                self.fails(UNAUTHENTICATED, *command, "--url", url(self.named), says="bad token|valid token")
        self.fails(UNAUTHENTICATED, "status", "--token-file", "/nowhere/token", says="/nowhere/token: No such file")
        self.fails(UNAUTHENTICATED, "status", says="no token", BINDCAST_TOKEN="two words")

    def test_where_nobody_is(self):
        for way in (f"ws://127.0.0.1:{free_port()}", f"unix:{self.folder}/nothing", "ws://nowhere.invalid"):
            for command in (("status",), ("tail",), ("ack", "1-1"), ("top", "--for", "1")):
                with self.subTest(way, command=command):
                    self.fails(UNREACHABLE, *command, "--url", way, "--insecure", says="connect|No such file|refused|nowhere.invalid",
                               BINDCAST_TOKEN="any")
        with socket.create_server(("127.0.0.1", 0)) as other:
            threading.Thread(target=http_server_of_another_kind, args=(other,), daemon=True).start()
            self.fails(UNREACHABLE, "tail", "--url", f"ws://127.0.0.1:{other.getsockname()[1]}", says="HTTP 404",
                       BINDCAST_TOKEN="any")

    def test_what_is_no_command(self):
        for command in ((), ("nonsense",), ("tail", "--nonsense"), ("tail", "--count", "many"), ("tail", "--sample", "0"),
                        ("tail", "--type", "dns_quer"), ("tail", "--category", "x"), ("tail", "--filter", "qname ="),
                        ("tail", "--min-severity", "bad"), ("tail", "--url", "gopher://x"), ("ack",), ("check",),
                        ("tail", "--url", "ws://ann:secret@host"), ("token", "--name", "two words"),
                        ("config", "--json", "journal"), ("config", "--json", "--changed")):
            with self.subTest(command):
                self.fails(USAGE, *command, says="")
                self.assertNotIn("secret", run(*command).stderr)

    def test_a_token_goes_to_no_other_machine_unencrypted(self):
        self.fails(USAGE, "status", "--url", "ws://192.0.2.1", says="unencrypted", BINDCAST_TOKEN="any")

    def test_status(self):
        # What named counted is there once it was asked.
        text = wait_until(lambda: (said := run_for(self.named, "status").stdout) and "queries/s" in said and said,
                          "named's counters")
        with Client(self.named) as client:
            told = client.request("get_status")["data"]
        as_json = json.loads(run_for(self.named, "status", "--json").stdout)
        self.assertEqual(set(told), set(as_json))
        self.assertEqual(told["epoch"], as_json["epoch"])
        self.assertIn(f"at {told['epoch']}-", text)
        self.assertIn(f"unix:{self.folder}/socket", text)
        self.assertRegex(text, r"(?m)^health +healthy, \d+ components$")
        self.assertRegex(text, r"(?m)^named +[\d.]+ queries/s, (?:[\d.]+ % from the cache, )?up \d+:\d\d:\d\d, version 9\.18")
        self.assertRegex(text, r"(?m)^limits .*recursive_clients \d+ of \d+")
        self.assertRegex(text, r"(?m)^cache +\d+ names, \d+ of \d+ bytes$")

    def test_a_component_that_is_not_well(self):
        status = {"health": {"state": "unhealthy", "components": {
            "journal": {"state": "unhealthy", "reason": "the disk is full\x1b[2J"}, "capture": {"state": "healthy"}}}}
        with http_server(lambda *_: (200, status)) as server:
            text = run("status", "--url", server.url).stdout
        self.assertRegex(text, r"(?m)^health +unhealthy: journal unhealthy \(the disk is full\\x1b\[2J\)$")
        self.assertNotRegex(text, "(?m)^named")

    def test_config(self):
        socket = f"unix:{self.folder}/socket"
        whole = run_for(self.named, "config").stdout.splitlines()
        self.assertRegex(whole[0], rf"^# {self.named.folder}/bindcast\.yaml, read at 20\S+Z$")
        listen = next(line for line in whole if line.startswith("server.listen: "))
        self.assertIn(socket, listen)
        self.assertTrue(listen.endswith("  # default: 127.0.0.1:8353"), listen)
        self.assertIn("journal.path: bindcast.db", whole)
        differs = run_for(self.named, "config", "--changed").stdout.splitlines()
        self.assertIn(listen, differs)
        self.assertNotIn("journal.path: bindcast.db", differs)
        below = run_for(self.named, "config", "journal").stdout.splitlines()[1:]
        self.assertTrue(below and all(line.startswith("journal.") for line in below), below)
        self.assertEqual(["journal.path: bindcast.db"], run_for(self.named, "config", "journal.path").stdout.splitlines()[1:])
        self.assertEqual(REFUSED, run_for(self.named, "config", "journa").returncode)
        as_json = json.loads(run_for(self.named, "config", "--json").stdout)
        self.assertEqual(len(whole) - 1, len(as_json["options"]))

    def test_encrypted(self):
        certificate, key, other = (self.folder / name for name in ("cert.pem", "key.pem", "other.pem"))
        for file in (other, certificate):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-keyout", key, "-out", file, "-days", "2", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
        tls = {"server": {"listen": ["127.0.0.1:0", "127.0.0.2:0"],
                          "tls": {"certificate": str(certificate), "key": str(key)}}}
        with Named(ZONES, yaml=tls) as named:
            port = named.address[1]
            (another,) = re.findall(r"listening on (127\.0\.0\.2:\d+)", named.log())
            token = {"BINDCAST_TOKEN": named.token}
            commands = (("status",), ("tail", "--since", "start", "--count", "1"))
            for command in commands:
                for host in ("127.0.0.1", "localhost"):
                    there = ("--url", f"wss://{host}:{port}")
                    self.assertEqual(OK, run(*command, *there, "--cacert", certificate, **token).returncode)
                    self.fails(UNREACHABLE, *command, *there, says="TLS: ", **token)
                    self.fails(UNREACHABLE, *command, *there, "--cacert", other, says="TLS: ", **token)
                    self.assertEqual(OK, run(*command, *there, "--insecure", **token).returncode)
                self.fails(UNREACHABLE, *command, "--url", f"wss://{another}", "--cacert", certificate,
                           says="TLS: the certificate is not one of 127.0.0.2", **token)


def http_server_of_another_kind(listener: socket.socket):
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


class SecretsTest(unittest.TestCase):
    def test_a_password_verifies(self):
        made = run("passwd", "--user", "ann", "--role", "admin,operator", stdin="correct horse\n")
        self.assertEqual((OK, ""), (made.returncode, made.stderr))
        password_hash, line = made.stdout.splitlines()
        self.assertTrue(password_hash.startswith("$y$"))
        libcrypt = ctypes.CDLL(ctypes.util.find_library("crypt"))
        libcrypt.crypt.restype = ctypes.c_char_p
        self.assertEqual(password_hash.encode(), libcrypt.crypt(b"correct horse", password_hash.encode()))
        self.assertNotEqual(password_hash.encode(), libcrypt.crypt(b"correct hors", password_hash.encode()))
        self.assertEqual(f'- {{name: ann, password: "{password_hash}", roles: [admin, operator]}}', line)
        self.assertNotEqual(password_hash, run("passwd", stdin="correct horse\n").stdout.splitlines()[0])

    def test_no_password(self):
        for given in ("", "\n", "x" * 600 + "\n", "a\0b\n"):
            self.assertEqual(REFUSED, run("passwd", stdin=given).returncode, given)

    def test_a_password_is_asked_for_twice_and_not_shown(self):
        for second, code in (("secret-1", OK), ("secret-2", REFUSED)):
            process, text = typed(["passwd", "--user", "ann"], [("Password: ", "secret-1\n"), ("Again: ", second + "\n")])
            self.assertEqual(code, process.returncode, text)
            self.assertNotIn("secret", text)
            self.assertEqual(code == OK, "$y$" in text)

    def test_the_configuration_that_is_made_lets_its_holder_in(self):
        token, token_line = run("token", "--name", "watcher", "--role", "viewer").stdout.splitlines()
        user_line = run("passwd", "--user", "ann", stdin="correct horse\n").stdout.splitlines()[1]
        yaml = ("server:\n  listen: 127.0.0.1:0\nauth:\n  users:\n    " + user_line + "\n  tokens:\n    " + token_line + "\n")
        with Named(ZONES, yaml=yaml) as named:
            with Client(named, token=token) as client:
                self.assertEqual(["viewer"], client.wait_message("connection_established")["data"]["roles"])
            self.assertNotIn(token, named.log() + (named.folder / "bindcast.yaml").read_text())
            self.assertEqual(OK, run("status", "--url", url(named), BINDCAST_TOKEN=token).returncode)


def typed(arguments, conversation):
    """Runs the tool in a terminal and types each answer after its question; the process and what was shown."""
    master, slave = pty.openpty()
    process = subprocess.Popen([TOOL, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment())
    os.close(slave)
    text = ""
    try:
        def reads() -> bool:
            nonlocal text
            if select.select([master], [], [], 0.02)[0]:
                try:
                    text += os.read(master, 65536).decode()
                except OSError:  # the other end is closed
                    return False
            return True

        for question, answer in conversation:
            wait_until(lambda: reads() and text.endswith(question), f"the question {question!r}")
            os.write(master, answer.encode())
        wait_until(lambda: not reads(), "the tool to end")
        process.wait(10 * TIME_FACTOR)
    finally:
        process.kill()
        os.close(master)
    return process, text


class CheckTest(unittest.TestCase):
    def test_the_same_faults_as_named_checkconf(self):
        faulty = 'server: {listen: "0.0.0.0:1", nonsense: 1}\nevents:\n  filter: "qname ="\nbatching: {max_batch_size: 0}\n'
        with Named(ZONES, yaml=faulty, start="no") as named:
            file = named.folder / "bindcast.yaml"
            checked = run("check", file)
            self.assertEqual(REFUSED, checked.returncode)
            faults = re.findall(rf"{file}:\d.*", checked.stderr)
            self.assertEqual(4, len(faults), checked)
            self.assertEqual(faults, re.findall(rf"{file}:\d.*", "".join(named.checkconf().stdout)), named.checkconf())
            file.write_text("server: {listen: 127.0.0.1:0}\n")
            self.assertEqual((OK, f"{file}: no faults\n", ""), (lambda c: (c.returncode, c.stdout, c.stderr))(
                run("check", file)))
            self.assertEqual(REFUSED, run("check", named.folder / "nothing.yaml").returncode)


class TopTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        yaml = {"events": {"rpz": {"feeds": {"malware.feed": "malware"}}}, "sources": {"named": {"interval": "1s"}}}
        cls.named = cls.enterClassContext(Named(ZONES, options=RPZ, yaml=yaml))

    def test_on_a_terminal(self):
        with Asker(self.named, "asked.example.com", pause_s=0.01), Asker(self.named, "bad.test", pause_s=0.3):
            seen = lambda text: all(part in text for part in ("asked.example.com", "malware_blocked", " queries/s, "))
            text = in_terminal("top", named=self.named, keys=b"q", until=seen)
        self.assertTrue(text.startswith("\x1b[?1049h"))
        self.assertTrue(text.endswith("\x1b[?1049l"))
        screens = text.split("\x1b[H")
        self.assertGreater(len(screens), 1)
        for screen in screens[1:]:
            lines = re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", screen).split("\r\n")
            self.assertLessEqual(len(lines), 24)
            self.assertLessEqual(max(map(len, lines)), 80)
        for part in ("queries/s", "NOERROR|NXDOMAIN", "p50", "127.0.0.1", "q quits", r"named on \S+, \d+ connections",
                     r"named +[1-9][\d.]* queries/s", r"health +healthy, \d+ components"):
            self.assertRegex(screens[-1], part)

    def test_elsewhere(self):
        with Asker(self.named, "asked.example.com", pause_s=0.01):
            with Running("top", named=self.named) as top:
                line = top.wait_line("asked.example.com")
                self.assertEqual(OK, top.end())
        self.assertNotIn("\x1b", "".join(top.out))
        rate, name_rate = map(float, re.search(r"queries/s ([\d.]+) .*asked\.example\.com ([\d.]+)/s", line).groups())
        self.assertGreater(rate, 5)
        self.assertGreater(name_rate, 5)


class WebSocketServer:
    """A server of the test's own that lets everybody in, and to each subscription sends the frames it was given, but no
    events up to the id that is asked for."""

    def __init__(self, *frames, close_code=None):
        self.frames, self._close_code = frames, close_code
        self.asked: list[dict] = []
        self.connections = 0
        self.close_codes: list[int] = []

    def __enter__(self):
        async def serve():
            return await websockets.serve(self._client, "127.0.0.1", 0, subprotocols=["bindcast.v1.deflate"],
                                          compression=None, max_size=None)
        self._server = on_loop(serve())
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_):
        async def end():
            self._server.close()
            await self._server.wait_closed()
        on_loop(end())

    async def _client(self, socket_):
        self.connections += 1
        with contextlib.suppress(websockets.ConnectionClosed):
            await self._serve(socket_)
        self.close_codes.append(socket_.close_code)

    async def _serve(self, socket_):
        await socket_.send(json.dumps({"type": "connection_established", "data": {"epoch": "abc", "offset": 5}}))
        async for text in socket_:
            message = json.loads(text)
            self.asked.append(message)
            if message["type"] == "subscribe":
                await socket_.send(json.dumps({"type": "subscription_updated", "reply_to": message["id"], "data": {}}))
                since = message["data"].get("since", "")
                for frame in self.frames:
                    if not since or "abc-" not in str(frame) or json.loads(frame)["id"] > since:
                        await socket_.send(frame)
                if self._close_code:
                    await socket_.close(self._close_code)

    def subscriptions(self) -> list[dict]:
        return [message["data"] for message in list(self.asked) if message["type"] == "subscribe"]


def event(number: int, data: dict, **more) -> dict:
    return {"id": f"abc-{number:012}", "type": "custom.x", "category": "custom", "severity": "info",
            "timestamp": "2026-11-23T14:02:11.031415Z", "data": data, **more}


class HostileServerTest(unittest.TestCase):
    EVIL = {"text": "\x1b]0;title\x07 \x9b31m \u202egpj \x00 \u2066 \ufeff", "\x1b[2J": ["\x9b", {"\x85": "\u2028"}],
            "long": "x" * 100_000}

    def test_what_others_wrote_is_shown_and_does_nothing(self):
        evil = event(1, self.EVIL, type="\x1b[5m", severity="\x1b[7m", timestamp="\x1b[8m")
        raw = json.dumps(evil, ensure_ascii=False, separators=(",", ":"))
        gap = {"type": "gap", "timestamp": "\x9b", "data": {"reason": "\x1b", "count": 1, "by_type": {"\x1b": 1}}}
        with WebSocketServer(raw, json.dumps(gap, ensure_ascii=False), json.dumps(event(2, {}))) as server:
            shown = run("tail", "--url", server.url, "--count", "2")
            self.assertEqual(OK, shown.returncode, shown.stderr)
            self.assertRegex(shown.stdout, r"^[\x20-\x7e\n]+$")
            self.assertEqual(3, shown.stdout.count("\n"))
            wait_until(lambda: server.close_codes == [1000], "a close frame, in order")
            self.assertIn(r"\x1b]0;title\x07 \x9b31m \u{202e}gpj \x00", shown.stdout)
            # For another program the very bytes; for a terminal the same in escapes.
            self.assertEqual(raw, run("tail", "--url", server.url, "--json", "--count", "1").stdout.rstrip("\n"))
            text = in_terminal("tail", "--json", "--count", "1", address=server.url)
            self.assertRegex(text, r"^[\x20-\x7e]+\r\n$")
            self.assertEqual(evil, json.loads(text))

    def test_what_is_no_message(self):
        packed = zlib.compress(json.dumps({"type": "batched_events", "events": [event(n, {"n": n}) for n in (1, 2)]}).encode())
        frames = ("no JSON", "[]", "3", "{}", "[" * 100_000, '{"type":3}', '{"type":"batched_events","events":3}',
                  '{"type":"batched_events","events":[3,[],{}]}', '{"type":"gap"}', '{"type":"error"}', packed,
                  json.dumps(event(3, {"n": 3})))
        with WebSocketServer(*frames) as server:
            for how in ((), ("--json",)):
                done = run("tail", "--url", server.url, "--filter", "has n", "--count", "6", *how)
                self.assertEqual(OK, done.returncode, done.stderr)
                self.assertIn("n=3" if not how else '"n": 3', done.stdout.splitlines()[-1])
            self.assertEqual(OK, run("top", "--url", server.url, "--for", "1.5").returncode)

    def test_frames_that_cannot_be_unpacked(self):
        """The connection is made again, and memory is bounded."""
        bomb = zlib.compressobj(9)
        bomb = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(200)) + bomb.flush()
        for frame, why in ((b"no zlib", "not compressed as it should be"), (bomb, "not compressed as it should be"),
                           (zlib.compress(b"{}")[:-3], "not compressed as it should be")):
            with WebSocketServer(frame) as server, Running("tail", "--url", server.url) as tail:
                tail.wait_error(why)
                wait_until(lambda: server.connections >= 2, "another connection")
                memory = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{tail.process.pid}/status").read_text()).group(1))
                self.assertLess(memory, 300 * 1024)
                self.assertEqual(OK, tail.end())

    def test_connecting_again_asks_for_what_was_missed_once(self):
        """From the last event on, and not from a repetition of one before; with growing pauses."""
        frames = [json.dumps(event(n, {})) for n in (7, 8)] + [json.dumps(event(6, {}, metadata={"attempt": 2}))]
        with WebSocketServer(*frames, close_code=1001) as server, Running("tail", "--url", server.url) as tail:
            wait_until(lambda: len(server.subscriptions()) >= 4, "the fourth connection")
            self.assertEqual([None] + ["abc-000000000008"] * 3, [data.get("since") for data in server.subscriptions()[:4]])
            self.assertEqual(OK, tail.end())
        with WebSocketServer(close_code=1001) as server, Running("tail", "--url", server.url) as tail:
            wait_until(lambda: len(server.subscriptions()) >= 2, "the second connection")
            self.assertEqual([None, "abc-5"], [data.get("since") for data in server.subscriptions()[:2]])
            self.assertEqual(OK, tail.end())

    def test_what_is_pressing_overtakes_and_is_told_once(self):
        """What it overtook is asked for after connecting again, and it does not come twice; nor in a later run."""
        frames = [json.dumps(event(n, {"n": n}, priority=priority))
                  for n, priority in ((7, "normal"), (10, "urgent"), (9, "critical"), (8, "low"))]
        seven_ten_nine = "abc-000000000007 abc-000000000010 abc-000000000009"
        with tempfile.TemporaryDirectory() as state, WebSocketServer(*frames[:3], close_code=1001) as server:
            with Running("tail", "--url", server.url, "--since", "last", XDG_STATE_HOME=state) as tail:
                wait_until(lambda: len(server.subscriptions()) >= 3, "the third connection")
                self.assertEqual([None, "abc-000000000007", "abc-000000000007"],
                                 [data.get("since") for data in server.subscriptions()[:3]])
                self.assertEqual(OK, tail.end())
            self.assertEqual(["n=7", "n=10", "n=9"], [line.split()[-1] for line in tail.out])
            (file,) = Path(state).glob("bindcast/*")
            self.assertEqual(seven_ten_nine, file.read_text().strip())
            server.frames = frames
            again = run("tail", "--url", server.url, "--since", "last", "--count", "1", XDG_STATE_HOME=state)
            self.assertEqual(["n=8"], [line.split()[-1] for line in again.stdout.splitlines()])
            self.assertEqual("abc-000000000008 abc-000000000010 abc-000000000009", file.read_text().strip())

    def test_what_was_not_shown_is_not_skipped(self):
        events = [event(6, {"n": 6}), event(9, {"n": 9}, priority="urgent"), event(7, {"n": 7}), event(8, {"n": 8})]
        batch = json.dumps({"type": "batched_events", "events": events})
        with tempfile.TemporaryDirectory() as state, WebSocketServer(batch) as server:
            ended = run("tail", "--url", server.url, "--since", "last", "--count", "3", XDG_STATE_HOME=state)
            self.assertEqual(["n=6", "n=9", "n=7"], [line.split()[-1] for line in ended.stdout.splitlines()])
            (file,) = Path(state).glob("bindcast/*")
            self.assertEqual("abc-000000000007 abc-000000000009", file.read_text().strip())

    def test_close_codes_that_mean_no(self):
        for code, ends in ((4401, UNAUTHENTICATED), (4403, UNAUTHENTICATED), (4409, REFUSED), (1008, REFUSED)):
            with WebSocketServer(close_code=code) as server:
                self.assertEqual(ends, run("tail", "--url", server.url).returncode, code)


def on_loop(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, client._loop).result(15 * TIME_FACTOR)


class Answering(http.server.BaseHTTPRequestHandler):
    """A server that answers with what answer(method, path, query, body) returns: a status, and JSON."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size).decode()
        path, _, query = self.path.partition("?")
        self.server.asked.append((self.command, path, urllib.parse.parse_qs(query), body, self.headers))
        status, answer = self.server.answer(self.command, path, urllib.parse.parse_qs(query), body)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def http_server(answer):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.answer, server.asked = answer, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class PublishedTest(unittest.TestCase):
    """Against a server of the test's own, which can be made to refuse."""

    def test_one(self):
        with http_server(lambda *_: (201, {"id": "1-7"})) as server:
            done = run("emit", "backup_failed", "--url", server.url, "target=nas", "size:=12", "--data", '{"a": [1]}',
                       "--id", "b1", "--priority", "urgent", "--severity", "critical", "--correlation-id", "c",
                       BINDCAST_TOKEN="secret-token")
            self.assertEqual((OK, "1-7\n", ""), (done.returncode, done.stdout, done.stderr))
            ((method, path, _, body, headers),) = server.asked
            self.assertEqual(("POST", "/api/v1/events", "Bearer secret-token", "application/json"),
                             (method, path, headers["Authorization"], headers["Content-Type"]))
            self.assertEqual({"type": "backup_failed", "id": "b1", "priority": "urgent", "severity": "critical",
                              "data": {"a": [1], "target": "nas", "size": 12}, "metadata": {"correlation_id": "c"}},
                             json.loads(body))

    def test_refused(self):
        for status, code in ((400, REFUSED), (401, UNAUTHENTICATED), (403, REFUSED), (429, REFUSED), (503, REFUSED)):
            with http_server(lambda *_: (status, {"error": "no\x1b[31m", "code": "X"})) as server:
                done = run("emit", "custom.x", "--url", server.url)
                self.assertEqual((code, ""), (done.returncode, done.stdout), status)
                self.assertIn("no\\x1b[31m", done.stderr)
        for wrong in (("nonsense",), ("custom.x", "novalue"), ("custom.x", "a:=b"), ("custom.x", "--data", "[1]"),
                      ("-", "a=b")):
            self.assertEqual(USAGE, run("emit", *wrong, "--url", "ws://127.0.0.1:1").returncode, wrong)

    def test_lines(self):
        refused_once = set()

        def answer(_method, _path, _query, body):
            results = []
            for event in json.loads(body):
                number = event["data"]["n"]
                if number == 3:
                    results.append({"error": "not this one", "code": "INVALID_EVENT"})
                elif number == 5 and number not in refused_once:
                    refused_once.add(number)
                    results.append({"error": "too many", "code": "RATE_LIMITED", "retry_after": 0.05})
                else:
                    results.append({"id": f"1-{number}"})
            return 207, {"results": results}

        lines = [json.dumps({"type": "custom.x", "data": {"n": n}}) for n in range(250)]
        with http_server(answer) as server:
            done = run("emit", "-", "--url", server.url, stdin="\n".join(lines[:100] + ["", "no event"] + lines[100:]))
            self.assertLess(len(server.asked), 10)
        self.assertEqual(REFUSED, done.returncode)
        self.assertEqual({f"1-{n}" for n in range(250) if n != 3}, set(done.stdout.split()))
        self.assertEqual({"bindcast: line 4: not this one", "bindcast: line 102: not an event as a JSON object",
                          "bindcast: 2 events were refused"}, set(done.stderr.splitlines()))

    def test_a_line_is_sent_when_it_is_there(self):
        with http_server(lambda *_: (200, {"results": [{"id": "1-1"}]})) as server:
            process = subprocess.Popen([TOOL, "emit", "-", "--url", server.url], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, env=environment())
            for _ in range(3):
                process.stdin.write('{"type": "custom.x"}\n')
                process.stdin.flush()
                self.assertEqual("1-1\n", process.stdout.readline())
            process.stdin.close()
            self.assertEqual(OK, process.wait(10 * TIME_FACTOR))
            process.stdout.close()


class RealPublishingTest(unittest.TestCase):
    def test_what_is_published_is_told(self):
        with Named(ZONES, yaml={"publish": {"events_per_second": 2000, "burst": 200}}) as named, \
                witness_of(named) as witness:
            one = run_for(named, "emit", "custom.deployed", "version=1.4", "hosts:=12", "--priority", "high")
            self.assertEqual(OK, one.returncode, one.stderr)
            told = witness.wait_event("custom.deployed")
            self.assertEqual((one.stdout.strip(), {"version": "1.4", "hosts": 12}, "high"),
                             (told["id"], told["data"], told["priority"]))
            # More than the server takes at once: the tool waits, and none is lost.
            lines = [json.dumps({"type": "custom.many", "data": {"n": n}}) for n in range(600)]
            many = run_for(named, "emit", "-", stdin="\n".join([*lines, '{"type": "dns_query_nonsense"}']))
            self.assertEqual((REFUSED, 2), (many.returncode, many.stderr.count("\n")), many.stderr)
            events = witness.wait_events(600, "custom.many")
            self.assertEqual(set(range(600)), {event["data"]["n"] for event in events})
            self.assertEqual({event["id"] for event in events}, set(many.stdout.split()))
            started = json.loads(run_for(named, "emit", "backup_started", "target=nas", "--json").stdout)
            done = run_for(named, "emit", "backup_completed", "--correlation-id", started["correlation_id"])
            self.assertEqual(OK, done.returncode, done.stderr)


class HistoryTest(unittest.TestCase):
    def test_pages(self):
        events = [{"id": f"1-{n:012}", "type": "zone_created", "category": "dns", "severity": "info",
                   "timestamp": "2026-11-23T14:02:11.031415Z", "data": {"zone": f"z{n}.example"}} for n in range(1200)]

        def answer(_method, _path, query, _body):
            begin = int(query.get("cursor", ["0"])[0])
            end = min(begin + int(query["limit"][0]), len(events))
            return 200, {"events": events[begin:end], **({"cursor": str(end)} if end < len(events) else {})}

        with http_server(answer) as server:
            asked = ("history", "--url", server.url, "--json", "--type", "zone_created,zone_deleted", "--category", "dns",
                     "--filter", 'zone ~ "z*"', "--since", "1-0", "--until", "2026-11-24T00:00:00Z", "--order", "oldest")
            done = run(*asked, "--limit", "1100")
            self.assertEqual(OK, done.returncode, done)
            self.assertEqual(events[:1100], [json.loads(line) for line in done.stdout.splitlines()])
            self.assertEqual([["500"], ["500"], ["100"]], [query["limit"] for _, _, query, *_ in server.asked])
            query = server.asked[0][2]
            self.assertEqual((["zone_created,zone_deleted"], ["dns"], ['zone ~ "z*"'], ["1-0"], ["2026-11-24T00:00:00Z"],
                              ["oldest"]), tuple(query[key] for key in ("type", "category", "filter", "since", "until",
                                                                        "order")))
            self.assertEqual(1200, len(run(*asked, "-n", "5000").stdout.splitlines()))
            text = run("history", "--url", server.url).stdout.splitlines()
            self.assertEqual(100, len(text))
            self.assertRegex(text[0], r"^14:02:11\.031 zone_created +z0\.example$")


class LoginTest(unittest.TestCase):
    def test_a_session(self):
        user = run("passwd", "--user", "ann", "--role", "admin", stdin="correct horse\n").stdout.splitlines()[1]
        with Named(ZONES, yaml="server: {listen: '127.0.0.1:0'}\nauth:\n  users:\n    " + user + "\n") as named, \
                tempfile.TemporaryDirectory() as state:
            def here(*arguments, stdin=""):
                return run(*arguments, "--url", url(named), stdin=stdin, XDG_STATE_HOME=state)

            wrong = here("login", "ann", stdin="wrong\n")
            self.assertEqual((UNAUTHENTICATED, f"bindcast: {url(named)}: wrong user or password\n"),
                             (wrong.returncode, wrong.stderr))
            done = here("login", "ann", stdin="correct horse\n")
            self.assertEqual((OK, "", ""), (done.returncode, done.stdout, done.stderr))
            (file,) = Path(state).glob("bindcast/*")
            self.assertEqual((0o600, 0o700), (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777))
            self.assertEqual(OK, here("status").returncode)
            self.assertIn("user_login", here("tail", "--since", "start", "--type", "user_login", "--count", "1").stdout)
            session = file.read_text().strip()
            self.assertEqual(OK, here("logout").returncode)
            self.assertFalse(file.exists())
            self.assertEqual(UNAUTHENTICATED, run("status", "--url", url(named), BINDCAST_TOKEN=session).returncode)
            self.assertEqual(REFUSED, here("logout").returncode)


class AcknowledgeTest(unittest.TestCase):
    def test_an_alert(self):
        yaml = {"events": {"rpz": {"feeds": {"malware.feed": "malware"}}}}
        with Named(ZONES, options=RPZ, yaml=yaml) as named, witness_of(named) as witness:
            named.query("bad.test")
            alert = witness.wait_event("malware_blocked")["id"]
            done = run_for(named, "ack", alert, "--note", "seen to")
            self.assertEqual((OK, f"{alert} acknowledged by admin\n"), (done.returncode, done.stdout), done)
            told = witness.wait_event("notification_acknowledged")
            self.assertEqual("seen to", told["data"]["note"])
            again = run_for(named, "ack", alert)
            self.assertEqual((REFUSED, ""), (again.returncode, again.stdout))
            self.assertIn(alert, again.stderr)


class ManualTest(unittest.TestCase):
    """The man page and the completion know what the tool knows."""

    FOLDER = ROOT / "contrib/tool"

    def helps(self) -> dict[str, str]:
        """What --help says, of the tool and of each command."""
        main = run("--help").stdout
        commands = re.findall(r"^  ([a-z]+)  ", main[main.index("Subcommands:"):], re.MULTILINE)
        self.assertIn("tail", commands)
        return {"": main, **{command: run(command, "--help").stdout for command in commands}}

    def test_every_command_and_option_is_in_the_man_page(self):
        page = (self.FOLDER / "bindcast.1").read_text()
        known = set(re.findall(r"Fl -([a-z-]+)", page))
        helps = self.helps()
        options = {option for text in helps.values() for option in re.findall(r"^  .*?--([a-z-]+)", text, re.MULTILINE)}
        self.assertEqual(options, known)
        for command in filter(None, helps):
            self.assertRegex(page, rf"Cm {command}\b")
        short = {option for text in helps.values() for option in re.findall(r"^  -([a-z]),", text, re.MULTILINE)}
        self.assertEqual(short, set(re.findall(r"Fl ([a-z])\b", page)))

    def test_the_man_page_is_well_formed(self):
        if shutil.which("mandoc") is None:
            self.skipTest("mandoc is not installed")
        linted = subprocess.run(["mandoc", "-Tlint", "-Wstyle", self.FOLDER / "bindcast.1"], capture_output=True, text=True,
                                check=False)
        self.assertEqual((0, ""), (linted.returncode, linted.stdout))

    def completed(self, *words: str) -> set[str]:
        script = (f"source {self.FOLDER}/completion/bindcast.bash; COMP_WORDS=({TOOL} {' '.join(words[:-1])} '{words[-1]}');"
                  f" COMP_CWORD={len(words)}; _bindcast; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True,
                              timeout=30 * TIME_FACTOR, check=True, env=environment())
        return set(done.stdout.split())

    def test_completion(self):
        helps = self.helps()
        self.assertEqual(set(filter(None, helps)) | {"--help", "--version"}, self.completed(""))
        self.assertEqual({"tail"}, self.completed("ta"))
        for command in filter(None, helps):
            options = set(re.findall(r"^  .*?(--[a-z-]+)", helps[command], re.MULTILINE))
            self.assertEqual(options, self.completed(command, "--"), command)
        self.assertEqual({"dns_query_log"}, self.completed("tail", "--type", "dns_query_l"))
        self.assertEqual({"security", "system"}, self.completed("tail", "-c", "s"))
        self.assertEqual({"backup_completed", "backup_failed", "backup_started"}, self.completed("emit", "backup_"))
        self.assertEqual({"critical"}, self.completed("tail", "--min-severity", "c"))

    def test_what_is_installed(self):
        with tempfile.TemporaryDirectory() as prefix:
            subprocess.run(["cmake", f"-DCMAKE_INSTALL_PREFIX={prefix}", "-P", TOOL.parent / "cmake_install.cmake"],
                           check=True, capture_output=True)
            files = {str(file.relative_to(prefix)) for file in Path(prefix).rglob("*") if file.is_file()}
            self.assertEqual({"bin/bindcast", "share/man/man1/bindcast.1", "share/bash-completion/completions/bindcast"},
                             files)
            self.assertEqual(OK, subprocess.run([f"{prefix}/bin/bindcast", "--version"], stdout=subprocess.DEVNULL,
                                                check=False).returncode)

    def test_types_are_those_of_the_table(self):
        listed = [line.split()[:4] for line in run("types").stdout.splitlines()]
        table = re.findall(r"^\| (\w+) \| (\w+) \| (\w+) \| (\w+) \| (?:live|durable) ", (ROOT / "doc/events.md").read_text(),
                           re.MULTILINE)
        self.assertEqual([list(row) for row in table], listed)


class JournalTest(unittest.TestCase):
    """What the real server has stored, also after a crash."""

    def test_history_and_tail_after_a_crash(self):
        with Named(ZONES) as named:
            with Client(named, account=False) as client:
                client.subscribe(event_types=["record_created"])
                seen = []
                for i in range(3):
                    named.update("example.com", lambda update, i=i: update.add(f"kept{i}", 300, "A", f"192.0.2.{i}"))
                    seen.append(client.wait_event("record_created", name=f"kept{i}.example.com")["id"])
                durable = lambda: client.request("get_status")["data"]["journal"].get("durable_through", "")
                wait_until(lambda: durable() >= seen[-1], "the last one to be stored")
                named.kill()
            named.start()
            asked = run_for(named, "history", "--json", "--type", "record_created", "--order", "oldest", "--filter",
                            'name under "example.com"', "--limit", "2")
            self.assertEqual((OK, ""), (asked.returncode, asked.stderr))
            self.assertEqual(seen[:2], [json.loads(line)["id"] for line in asked.stdout.splitlines()])
            tailed = run_for(named, "tail", "--json", "--type", "record_created", "--since", seen[0], "--count", "2")
            self.assertEqual(OK, tailed.returncode, tailed.stderr)
            lines = [json.loads(line) for line in tailed.stdout.splitlines()]
            self.assertEqual(seen[1:], [line["id"] for line in lines if line["type"] != "gap"])


if __name__ == "__main__":
    unittest.main()
