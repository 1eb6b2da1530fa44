"""Things around named that a test needs: a slow forwarder, a receiver of webhooks, load by dnsperf, a steady asker."""

from __future__ import annotations

import collections
import http.server
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from harness import TIME_FACTOR, HarnessError, free_port, wait_until

LONGEST_ANSWER_S = 1 * TIME_FACTOR  # what nothing that befalls the plugin may make a question wait


class Background:
    """Something that goes on in a thread of its own, from entering it to leaving it: _run(), until self._ended is set."""

    def __init__(self):
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _run(self):
        raise NotImplementedError


class Forwarder(Background):
    """A small UDP name server: A records for every name, after a delay; names that begin with "fail" get SERVFAIL.

    Each answer has a time of its own, so many questions may wait at once.
    """

    def __init__(self, delay_s: float = 0.0, address: str = "192.0.2.99"):
        super().__init__()
        self.delay_s = delay_s
        self.address = address
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]

    def __exit__(self, *_):
        super().__exit__()
        self._socket.close()

    def _run(self):
        waiting: list[tuple[float, bytes, tuple]] = []
        while not self._ended.is_set():
            self._socket.settimeout(max(0.001, min([0.1] + [due - time.monotonic() for due, _, _ in waiting])))
            try:
                wire, client = self._socket.recvfrom(4096)
                waiting.append((time.monotonic() + self.delay_s, self._answer(wire), client))
            except (socket.timeout, dns.exception.DNSException):
                pass
            now = time.monotonic()
            for due, wire, client in [entry for entry in waiting if entry[0] <= now]:
                self._socket.sendto(wire, client)
            waiting = [entry for entry in waiting if entry[0] > now]

    def _answer(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        answer = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name = question.name.to_text()
        self.asked.append(name)
        if name.lower().startswith("fail"):
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif question.rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", self.address))
        return answer.to_wire()


Post = collections.namedtuple("Post", "path headers body")


class Receiver:
    """A receiver of webhooks: answers each post with the next of `answers`, then with 200; "hang" gives no answer until
    close(). Refuses connections until it listens.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            of = self.server.receiver
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with of.lock:
                of.posts.append(Post(self.path, self.headers, body))
                answer = of.answers.pop(0) if of.answers else 200
            if answer == "hang":
                of.closing.wait()
                return
            self.send_response(answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # a connection that named ended

    def __init__(self, answers=(), listens=True, tls: ssl.SSLContext | None = None):
        self.answers, self.posts = list(answers), []
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.tls, self.server = tls, None
        self.port = free_port()
        if listens:
            self.listen()

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http{'s' if self.tls else ''}://{host}:{self.port}/hook?key=a-secret-of-the-url"

    def target(self, host: str = "127.0.0.1") -> str:
        return self.url(host).split("/hook")[0]

    def listen(self):
        self.server = self.Server(("127.0.0.1", self.port), self.Handler)
        self.server.receiver = self
        if self.tls:  # the handshake comes with the first read, in the connection's own thread
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()


class Load:
    """dnsperf against named, in a process of its own, for `seconds` (or until stopped) or `count` queries."""

    def __init__(self, named, names: list[str], *, seconds: int | None = None, count: int | None = None,
                 rate: int | None = None, outstanding: int = 20):
        self.file = Path(named.folder) / f"load-{id(self)}.txt"
        lines = names if count is None else [names[i % len(names)] for i in range(count)]
        self.file.write_text("".join(f"{name} A\n" for name in lines))
        command = ["dnsperf", "-s", "127.0.0.1", "-p", str(named.port), "-d", str(self.file), "-q", str(outstanding)]
        command += ["-l", str(seconds)] if count is None else ["-n", "1"]
        if rate:
            command += ["-Q", str(rate)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def interrupt(self):
        """Ends it early; finish() then tells how far it came."""
        self._process.send_signal(2)

    def finish(self, timeout: float = 120) -> dict:
        """Waits for the end: sent, completed, lost, and the longest latency in seconds."""
        text, _ = self._process.communicate(timeout=timeout * TIME_FACTOR)

        def number(pattern):
            found = re.search(pattern, text)
            if not found:
                raise HarnessError(f"dnsperf said:\n{text}")
            return float(found.group(1))

        return {"sent": int(number(r"Queries sent:\s+(\d+)")), "completed": int(number(r"Queries completed:\s+(\d+)")),
                "lost": int(number(r"Queries lost:\s+(\d+)")),
                "longest_s": number(r"Average Latency \(s\):\s+[\d.]+ \(min [\d.]+, max ([\d.]+)\)")}


class Asker(Background):
    """Asks one question again and again from a thread of its own, and keeps the longest wait and the failures."""

    def __init__(self, named, name: str, pause_s: float = 0.002):
        super().__init__()
        self.longest_s = 0.0
        self.asked = 0
        self.failures: list[str] = []
        self._named, self._name, self._pause_s = named, name, pause_s

    def _run(self):
        while not self._ended.wait(self._pause_s):
            start = time.monotonic()
            try:
                answer = self._named.query(self._name)
                if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                    self.failures.append(dns.rcode.to_text(answer.rcode()))
            except (dns.exception.DNSException, OSError) as fault:
                self.failures.append(repr(fault))
            self.longest_s = max(self.longest_s, time.monotonic() - start)
            self.asked += 1

    def check(self):
        """Every question was answered, and soon."""
        wait_until(lambda: self.asked > 0, "the first question to be answered")
        if self.failures or self.longest_s >= LONGEST_ANSWER_S:
            raise HarnessError(f"of {self.asked} questions {len(self.failures)} failed ({self.failures[:5]}), "
                               f"the longest took {self.longest_s:.3f} s")
