"""Debian's Chromium, without a window, and a server of pages for it, for one test."""

import http.server
import os
import signal
import subprocess
import tempfile
import threading

from harness import TIME_FACTOR, HarnessError, wait_until


class Browser:
    """Chromium with a profile of its own, at one address."""

    def __init__(self, address: str):
        self._folder = tempfile.TemporaryDirectory(prefix="bindcast-browser-", ignore_cleanup_errors=True)
        self._log = open(os.path.join(self._folder.name, "log"), "w+b")
        command = ["setpriv", "--pdeathsig", "TERM", "chromium", "--headless", "--no-sandbox", "--disable-gpu",
                   "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
                   "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={self._folder.name}/profile", address]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                                         env={**os.environ, "HOME": self._folder.name}, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(10 * TIME_FACTOR)
            wait_until(self._group_is_gone, "the browser's processes to end")
        except (subprocess.TimeoutExpired, HarnessError):
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        except ProcessLookupError:
            pass  # it had ended by itself
        finally:
            self._log.close()
            self._folder.cleanup()

    def _group_is_gone(self) -> bool:
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def wait(self, condition, what: str):
        """As wait_until, for something that the page does."""
        try:
            wait_until(lambda: condition() or self._process.poll() is not None, what, 60)
        except HarnessError as fault:
            raise HarnessError(f"{fault}\n{self._said()}") from None
        if not condition():
            raise HarnessError(f"the browser ended with {self._process.returncode}:\n{self._said()}")

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-3000:]


class Pages(http.server.ThreadingHTTPServer):
    """Serves on a port of its own what a PageHandler answers, until the end of the `with`; `result` is the page's."""

    daemon_threads = True

    def __init__(self, handler: type["PageHandler"]):
        super().__init__(("127.0.0.1", 0), handler)
        self.result: dict | None = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class PageHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, kind: str, body: bytes, **headers: str):
        self.send_response(200)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
