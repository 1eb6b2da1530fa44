"""Runs a real named with the plugin, in a folder of its own, for one test.

    with Named(zones={"example.com": Zone("www A 192.0.2.1")}) as named:
        answer = named.query("www.example.com")
        named.rndc("reload")

Leaving the block stops named with `rndc stop` and fails the test when it did not end with exit code 0, or when its log
holds a failed assertion or a sanitizer's report. Whatever happens, the process is ended by its id and the folder
removed. There are no sleeps: everything waits with wait_until().

Environment:
  BINDCAST_SO           the plugin (default: build/shim/bindcast.so of this checkout)
  BINDCAST_PRELOAD      libraries preloaded into named, for a sanitizer
  BINDCAST_TIME_FACTOR  multiplies every time limit (sanitizers are slow)
  BINDCAST_KEEP         keep the folders of named and print where they are
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = Path(os.environ.get("BINDCAST_SO", ROOT / "build/shim/bindcast.so")).resolve()
TIME_FACTOR = float(os.environ.get("BINDCAST_TIME_FACTOR", "1"))
NAMED = "/usr/sbin/named"

# Keys of the tests; they protect nothing.
RNDC_SECRET = "c2VjcmV0IG9mIHRoZSBybmRjIGtleSBpbiB0ZXN0cw=="
UPDATE_KEY = "update-key"
UPDATE_SECRET = "c2VjcmV0IG9mIHRoZSB1cGRhdGUga2V5IGluIHRlc3Q="

# What must never stand in named's log.
FAULTS = re.compile(
    r"assertion|\b(REQUIRE|INSIST|ENSURE|INVARIANT|RUNTIME_CHECK)\(|\bleak|Sanitizer|runtime error:|back trace",
    re.IGNORECASE,
)


class HarnessError(AssertionError):
    """Something around the test failed: named did not start, did not stop, or misbehaved."""


def wait_until(condition, what: str, timeout: float = 10.0):
    """Returns the first true value of condition(); raises HarnessError when there is none in time."""
    end = time.monotonic() + timeout * TIME_FACTOR
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise HarnessError(f"waited {timeout * TIME_FACTOR:g} s in vain for {what}")
        time.sleep(0.02)


def free_port() -> int:
    """A port free for UDP and TCP on 127.0.0.1, outside the range that the kernel gives out by itself."""
    for _ in range(200):
        port = random.randint(10000, 32000)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
                udp.bind(("127.0.0.1", port))
                tcp.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue
    raise HarnessError("no free port")


def zone_text(records: str = "", serial: int = 1, times: str = "3600 600 86400 60") -> str:
    """A zone file: an SOA and a name server, then the given records. `times`: refresh retry expire minimum."""
    head = f"$TTL 300\n@ SOA ns1 hostmaster {serial} {times}\n@ NS ns1\nns1 A 127.0.0.1\n"
    return head + "\n".join(line.strip() for line in records.strip().splitlines()) + "\n"


@dataclass
class Zone:
    """One zone statement. A primary gets a file of `records`; other types only the statements in `options`."""

    records: str = ""
    type: str = "primary"
    options: str = ""
    serial: int = 1
    times: str = "3600 600 86400 60"


@dataclass
class View:
    """One view: who is in it, its zones, and whether it carries the plugin."""

    match: str = "any"
    zones: dict[str, Zone] = field(default_factory=dict)
    plugin: bool = True
    options: str = ""


def named_program(folder: Path) -> str:
    """named itself or, where AppArmor would keep it out of our folder, a copy (its profile goes by the path)."""
    try:
        confined = Path("/sys/module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        confined = False
    if not confined:
        return NAMED
    copy = folder / "named"
    if not copy.exists():
        shutil.copy(NAMED, copy)
    return str(copy)


def merged(base: dict, more: dict) -> dict:
    """`more` over `base`, mapping by mapping."""
    result = dict(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


class Named:
    """One named process. Change the attributes and call write_configuration() before rndc reconfig or reload.

    yaml: the plugin's configuration: a mapping (the listener gets port 0 unless it says otherwise), the text of a file,
          or None for no file at all.
    plugin: False leaves the plugin out. so: another .so.  dyndb: the optional second line.
    options, extra: more text inside options { } and at the end of named.conf.
    environment: variables of named's environment besides those of the test's own.
    workers: named's worker threads. under: a command that runs named, a profiler for one.
    channels: text inside logging { }, which may use the channel "harness", that is log_file. Without it (-g) all of named's
              log stands there, and named would not look at logging { }.
    start: "answering" waits for an answer, "running" only for the process, "no" writes the files and starts nothing.
    """

    def __init__(self, zones=None, *, yaml=(), plugin=True, so=None, dyndb=False, views=None, options="", extra="",
                 forwarder_port=9, environment=None, workers=2, under=(), start="answering", log_level=0,
                 channels=""):
        self.zones = dict(zones or {})
        self.yaml = {} if yaml == () else yaml
        self.plugin = plugin
        self.so = Path(so) if so else PLUGIN
        self.dyndb = dyndb
        self.views = views
        self.options = options
        self.extra = extra
        self.forwarder_port = forwarder_port
        self.environment = dict(environment or {})
        self.workers = workers
        self.under = list(under)
        self.log_level = log_level
        self.channels = channels
        self.process = None
        self._run_begins = 0
        self._start_as = start
        if plugin and not self.so.exists():
            raise HarnessError(f"{self.so} is not built")
        self.folder = Path(tempfile.mkdtemp(prefix="bindcast-test-"))
        self.log_file = self.folder / "named.log"
        self.log_file.touch()
        self.choose_ports()

    # ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────

    def choose_ports(self):
        self.port = free_port()
        self.rndc_port = free_port()

    def _plugin_line(self) -> str:
        if not self.plugin:
            return ""
        body = "" if self.yaml is None else f'{{ config "{self.folder}/bindcast.yaml"; }}'
        return f'plugin query "{self.so}" {body};\n'

    def _zone_statement(self, name: str, zone: Zone, prefix: str = "") -> str:
        file = self.zone_file(name, prefix)
        if zone.type == "primary" and not file.exists():
            self.write_zone(name, zone.records, zone.serial, zone.times, prefix)
        file_line = f'file "{file.name}"; ' if zone.type in ("primary", "secondary", "mirror") else ""
        return f'zone "{name}" {{ type {zone.type}; {file_line}{zone.options} }};\n'

    def zone_file(self, name: str, view: str = "") -> Path:
        return self.folder / f"{view + '-' if view else ''}{name.replace('/', '-').strip('.') or 'root'}.db"

    def write_zone(self, name: str, records: str, serial: int = 1, times: str = "3600 600 86400 60", view: str = ""):
        """Writes a primary zone's file. The old one is replaced at once, so named never reads half of it."""
        file = self.zone_file(name, view)
        new = file.with_suffix(".new")
        new.write_text(zone_text(records, serial, times))
        new.rename(file)
        # named compares the file's time with that of the last load: never let both fall into one tick.
        stamp = time.time() - 3600 + serial
        os.utime(file, (stamp, stamp))

    def configuration(self) -> str:
        folder = self.folder
        text = (
            f'key "rndc-key" {{ algorithm hmac-sha256; secret "{RNDC_SECRET}"; }};\n'
            f'key "{UPDATE_KEY}" {{ algorithm hmac-sha256; secret "{UPDATE_SECRET}"; }};\n'
            f"controls {{ inet 127.0.0.1 port {self.rndc_port} allow {{ 127.0.0.1; }} keys {{ \"rndc-key\"; }}; }};\n"
            f'options {{\n  directory "{folder}"; pid-file "{folder}/named.pid";\n'
            f'  session-keyfile "{folder}/session.key"; lock-file none; managed-keys-directory "{folder}";\n'
            f"  listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n"
            f"  dnssec-validation no; allow-new-zones yes; notify no; max-cache-size 32m; recursion yes;\n"
            f"  forward only; forwarders {{ 127.0.0.1 port {self.forwarder_port}; }};\n"
            f"  {self.options}\n}};\n"
        )
        if self.dyndb:
            text += f'dyndb "bindcast" "{self.so}" {{ }};\n'
        if self.views is None:
            text += self._plugin_line()
            text += "".join(self._zone_statement(name, zone) for name, zone in self.zones.items())
        else:
            for view, v in self.views.items():
                zones = "".join("  " + self._zone_statement(name, zone, view) for name, zone in v.zones.items())
                line = self._plugin_line() if v.plugin else ""
                text += f'view "{view}" {{\n  match-clients {{ {v.match}; }};\n  {v.options}\n  {line}{zones}}};\n'
        if self.channels:
            harness = f'channel harness {{ file "{self.log_file}"; severity dynamic; print-category yes; print-severity yes; }};'
            text += f"logging {{ {harness} {self.channels} }};\n"
        return text + self.extra + "\n"

    def write_configuration(self):
        (self.folder / "named.conf").write_text(self.configuration())
        (self.folder / "rndc.conf").write_text(
            f'key "rndc-key" {{ algorithm hmac-sha256; secret "{RNDC_SECRET}"; }};\n'
            f'options {{ default-key "rndc-key"; default-server 127.0.0.1; default-port {self.rndc_port}; }};\n'
        )
        if isinstance(self.yaml, str):
            (self.folder / "bindcast.yaml").write_text(self.yaml)
        elif self.yaml is not None:
            # JSON is YAML.
            # Where named forwards to, nothing listens in most tests: that is told by the one test that asks.
            options = merged({"server": {"listen": "127.0.0.1:0"}, "sources": {"forwarders": {"enabled": False}}},
                             self.yaml)
            (self.folder / "bindcast.yaml").write_text(json.dumps(options, indent=1) + "\n")

    def checkconf(self) -> subprocess.CompletedProcess:
        """named-checkconf on the files as they are."""
        return subprocess.run(["env", *self._preload(), "named-checkconf", str(self.folder / "named.conf")],
                              capture_output=True, text=True, timeout=60 * TIME_FACTOR, check=False)

    # ── The process ──────────────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _preload() -> list[str]:
        """Arguments of env(1) that bring a sanitizer into named, and into no other program."""
        preload = os.environ.get("BINDCAST_PRELOAD", "")
        return [f"LD_PRELOAD={preload}"] if preload else []

    def start(self):
        """Starts named; another process may have taken a port meanwhile, so it tries with others then."""
        for attempt in range(5):
            self.write_configuration()
            self._run_begins = self.log_file.stat().st_size
            # named dies with us even when we are killed, and Ctrl-C is for us alone to handle.
            variables = [f"{name}={value}" for name, value in self.environment.items()]
            command = ["setpriv", "--pdeathsig", "KILL", "env", *self._preload(), *variables,
                       *self.under, named_program(self.folder),
                       *(["-f", "-L", str(self.log_file)] if self.channels else ["-g"]), "-n", str(self.workers), "-d",
                       str(self.log_level), "-c", str(self.folder / "named.conf")]
            with open(self.log_file, "ab") as log:
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                cwd=self.folder, start_new_session=True)
            if self._start_as == "running":
                return self
            try:
                wait_until(self._answers_or_ended, "named to answer", 30)
            except HarnessError as fault:
                raise HarnessError(f"{fault}\n{self.log()[-4000:]}") from None
            if self.process.poll() is None:
                return self
            if "address in use" not in self.run_log() or attempt == 4:
                raise HarnessError(f"named ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            self.choose_ports()
        return self

    def _answers_or_ended(self) -> bool:
        if self.process.poll() is not None:
            return True
        if "creating IPv4 interface" in self.run_log() and "address in use" in self.run_log():
            self.kill()
            return True
        try:
            self.query("harness.invalid", flags=0, timeout=0.2)
        except (dns.exception.DNSException, OSError):
            return False
        return self.rndc_answers() and "all zones loaded" in self.run_log()

    def rndc_answers(self) -> bool:
        """The control channel opens a moment after the first answer can be had."""
        return "command channel listening" in self.run_log()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self, command: str = "stop"):
        """Stops named in order and looks at how it ended."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.rndc(command, check=False)  # named may have ended before rndc has its answer
            self.wait_for_end()
        self.check_end()

    def wait_for_end(self, timeout: float = 20):
        try:
            self.process.wait(timeout * TIME_FACTOR)
        except subprocess.TimeoutExpired:
            self.kill()
            raise HarnessError(f"named did not end in {timeout * TIME_FACTOR:g} s:\n{self.log()[-4000:]}") from None

    def check_end(self):
        self.check_log()
        if self.process.returncode != 0:
            raise HarnessError(f"named ended with {self.process.returncode}:\n{self.log()[-6000:]}")

    def check_log(self):
        """No failed assertion, no leak, no sanitizer's report."""
        log = self.log()
        fault = FAULTS.search(log)
        if fault:
            raise HarnessError(f"named's log has a fault:\n{log[max(0, fault.start() - 500):fault.start() + 8000]}")

    def __enter__(self):
        if self._start_as == "no":
            self.write_configuration()
            return self
        try:
            return self.start()
        except BaseException:
            self.discard()
            raise

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
            elif self.process is not None and self.process.poll() is not None:
                value.add_note(f"named had ended with {self.process.returncode}:\n{self.log()[-8000:]}")
            elif self.process is not None:
                value.add_note(f"the end of named's log:\n{self.log()[-3000:]}")
        finally:
            self.discard()

    def discard(self):
        self.kill()
        if "BINDCAST_KEEP" in os.environ:
            print(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ── Talking to it ────────────────────────────────────────────────────────────────────────────────────────────

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def run_log(self) -> str:
        """What the current process has logged; log() holds that of those before it too."""
        return self.log_file.read_bytes()[self._run_begins:].decode(errors="replace")

    def wait_log(self, text: str, timeout: float = 10, count: int = 1):
        wait_until(lambda: self.log().count(text) >= count, f"named to log {text!r}", timeout)

    def rndc(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(["rndc", "-c", str(self.folder / "rndc.conf"), *command], capture_output=True, text=True,
                              timeout=60 * TIME_FACTOR, check=False)
        if check and done.returncode != 0:
            raise HarnessError(f"rndc {' '.join(command)}: {done.stdout}{done.stderr}\n{self.log()[-3000:]}")
        return done.stdout + done.stderr

    def query(self, name: str, rdtype: str = "A", *, tcp=False, timeout: float = 10, source="127.0.0.1",
              edns=-1, dnssec=False, key=None, flags=None, payload=1232):
        """One question and its answer, by dnspython."""
        if self.process.poll() is not None:
            raise HarnessError(f"named has ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        message = dns.message.make_query(name, rdtype, use_edns=False if edns < 0 else edns,
                                         want_dnssec=dnssec, payload=payload if edns >= 0 or dnssec else None)
        if flags is not None:
            message.flags = flags
        if key:
            message.use_tsig({dns.name.from_text(key[0]): dns.tsig.Key(key[0], key[1], dns.tsig.HMAC_SHA256)})
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(message, "127.0.0.1", port=self.port, timeout=timeout * TIME_FACTOR, source=source)

    def update(self, zone: str, build, tcp: bool = True):
        """A dynamic update, signed with the tests' key: build(update) adds what it changes. Returns the rcode."""
        key = dns.tsig.Key(UPDATE_KEY, UPDATE_SECRET, dns.tsig.HMAC_SHA256)
        update = dns.update.UpdateMessage(zone, keyring=key, keyname=key.name)
        build(update)
        ask = dns.query.tcp if tcp else dns.query.udp
        answer = ask(update, "127.0.0.1", port=self.port, timeout=30 * TIME_FACTOR)
        if answer.rcode() != dns.rcode.NOERROR:
            raise HarnessError(f"update of {zone}: {dns.rcode.to_text(answer.rcode())}")

    # ── The plugin in it ─────────────────────────────────────────────────────────────────────────────────────────

    def addresses(self) -> list[str]:
        """Every address the plugin has said it listens on, oldest first."""
        return re.findall(r"bindcast: listening on (127\.0\.0\.1:\d+)", self.run_log())

    @property
    def address(self) -> tuple[str, int]:
        known = wait_until(self.addresses, "the plugin to listen")
        host, port = known[-1].rsplit(":", 1)
        return host, int(port)

    @property
    def token_file(self) -> Path:
        return self.folder / "bindcast.token"

    @property
    def token(self) -> str:
        return wait_until(lambda: self.token_file.exists() and self.token_file.read_text().strip(), "the token")

    def memory_kib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def settled_descriptors(self) -> int:
        """The same when the start is over: those of the journal come last."""
        wait_until((self.folder / "bindcast.db-shm").exists, "the journal")
        return self.descriptors()

    def threads(self) -> list[str]:
        """The names of its threads."""
        names = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that has just ended
                names.append(task.joinpath("comm").read_text().strip())
        return names
