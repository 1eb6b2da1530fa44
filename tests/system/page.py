"""The dashboard in Chromium, driven by playwright-core from Node.js, and the other side of it: what happens to named."""

from __future__ import annotations

import http.client
import json
import subprocess
from pathlib import Path

from client import Client
from harness import TIME_FACTOR, Named

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

    def update_txt(self, name: str, text: str):
        self.named.update("example.com", lambda update: update.add(name, 60, "TXT", f'"{text}"'))

    def publish(self, **event):
        host, port = self.named.address
        connection = http.client.HTTPConnection(host, port, timeout=20 * TIME_FACTOR)
        connection.request("POST", "/api/v1/events", json.dumps(event), {
            "Authorization": f"Bearer {self.named.token}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 201:
            raise AssertionError(f"publish {event}: {answer.status} {answer.read()}")
        connection.close()

    def disconnect(self, user: str):
        with Client(self.named, account=False) as client:
            client.request("disconnect_user", {"user": user})

    def kill(self):
        self.named.kill()

    def start(self):
        self.named.start()
        return {"token": self.named.token}
