"""The dashboard in Chromium, driven by playwright-core from Node.js, and the other side of it: what happens to named."""

from __future__ import annotations

import http.client
import json
import subprocess
import urllib.parse
from pathlib import Path

from client import Client
from harness import TIME_FACTOR, Named, wait_until
from traffic import Load

DASHBOARD = Path(__file__).resolve().parents[2] / "contrib/dashboard"


class Scenario:
    """A scenario of contrib/dashboard/e2e in Chromium, and what it asks for: a method by its name."""

    def __init__(self, named: Named):
        self.named = named

    def run(self, name: str, *arguments: str):
        """To its end; it fails with the scenario."""
        host, port = self.named.address
        command = ["setpriv", "--pdeathsig", "TERM", "node", str(DASHBOARD / "e2e" / name), f"http://{host}:{port}/",
                   *arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                wanted = json.loads(line)
                answer = getattr(self, wanted.pop("do"))(**wanted)
                process.stdin.write(json.dumps(answer or {}) + "\n")
                process.stdin.flush()
        if process.returncode != 0:
            raise AssertionError(f"{name} ended with {process.returncode}")

    def query(self, name: str):
        self.named.query(name)

    def burst(self):
        """400 queries as fast as they are answered, for a hundred names."""
        names = [f"name{number}.example.com" for number in range(100)]
        with Load(self.named, names, count=400) as load:
            return {"answered": load.finish()["completed"]}

    def recorded(self, name: str):
        """Waits until the history has the creation of a record."""
        path = "/api/v1/events?" + urllib.parse.urlencode({"filter": f'type = "record_created" and name = "{name}"'})
        wait_until(lambda: self._http("GET", path)["events"], f"{name} in the history")

    def update_txt(self, name: str, text: str):
        self.named.update("example.com", lambda update: update.add(name, 60, "TXT", f'"{text}"'))

    def history(self, types: str):
        return self._http("GET", f"/api/v1/events?type={types}")

    def backups(self, count: int):
        """So many begin, at once."""
        self._http("POST", "/api/v1/events", [{"type": "backup_started", "data": {"name": f"backup {number}"},
                                               "metadata": {"correlation_id": str(number)}} for number in range(count)])

    def publish(self, **event):
        self._http("POST", "/api/v1/events", event)

    def _http(self, method: str, path: str, body: dict | list | None = None) -> dict:
        host, port = self.named.address
        connection = http.client.HTTPConnection(host, port, timeout=20 * TIME_FACTOR)
        connection.request(method, path, body and json.dumps(body), {
            "Authorization": f"Bearer {self.named.token}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status not in (200, 201):
            raise AssertionError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text)

    def disconnect(self, user: str):
        with Client(self.named, account=False) as client:
            client.request("disconnect_user", {"user": user})

    def kill(self):
        self.named.kill()

    def start(self):
        self.named.start()
        return self.token()

    def token(self):
        return {"token": self.named.token}


class Flood(Scenario):
    """load.mjs: Live while `rate` queries a second are asked for `seconds`. `figures` is what it measured."""

    def __init__(self, named: Named, seconds: int, rate: int):
        super().__init__(named)
        self.rate = rate
        self.figures: dict = {}
        self._load: Load | None = None
        try:
            self.run("load.mjs", str(seconds))
        finally:
            if self._load is not None:
                self._load.__exit__()

    def load(self, seconds: int):
        # So many at once that the rate is held while this machine has something else to do for some milliseconds.
        names = [f"name{number}.example.com" for number in range(2000)]
        self._load = Load(self.named, names, seconds=seconds, rate=self.rate, outstanding=200)

    def load_ends(self):
        return self._load.finish()

    def measured(self, figures: dict):
        self.figures = figures
