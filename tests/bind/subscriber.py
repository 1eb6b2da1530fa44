#!/usr/bin/python3
"""Subscribes to everything at every named whose socket appears in a folder, until SIGTERM; then prints one line of JSON:
how many servers it was connected to, and what came of them.

    subscriber.py FOLDER

Sockets are called PID.sock (every_view.c); the token is read in that process's working directory.
"""

from __future__ import annotations

import asyncio
import collections
import json
import signal
import sys
import zlib
from pathlib import Path

import websockets

CATEGORIES = ["health", "dns", "security", "user", "system", "connection", "bulk_operation", "error", "audit", "custom"]

counts: collections.Counter[str] = collections.Counter(servers=0, events=0, gaps=0)


async def token_of(process: Path) -> str:
    """The token, once the plugin has written it; raises FileNotFoundError when the process is gone."""
    while True:
        try:
            return (process / "cwd/bindcast.token").read_text().strip()
        except FileNotFoundError:
            (process / "cwd").readlink()
            await asyncio.sleep(0.05)


def take(frame: str | bytes):
    message = json.loads(zlib.decompress(frame) if isinstance(frame, bytes) else frame)
    if message["type"] == "batched_events":
        counts["events"] += message["batch_size"]
    elif message["type"] == "gap":
        counts["gaps"] += message["data"]["count"]
    elif "category" in message:
        counts["events"] += 1


async def follow(path: Path):
    """One server, from its start to its end."""
    process = Path("/proc") / path.stem
    try:
        headers = {"Authorization": f"Bearer {await token_of(process)}"}
        async with websockets.unix_connect(str(path), "ws://localhost/ws", extra_headers=headers, compression=None,
                                           max_size=None, subprotocols=["bindcast.v1.deflate"]) as socket:
            await socket.send(json.dumps({"type": "subscribe", "data": {"categories": CATEGORIES}}))
            counts["servers"] += 1
            async for frame in socket:
                take(frame)
    except (OSError, websockets.WebSocketException):
        pass  # it ended


async def main(folder: Path):
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    followed: dict[Path, asyncio.Task] = {}
    while not ended.is_set():
        for path in folder.glob("*.sock"):
            if path not in followed:
                followed[path] = asyncio.create_task(follow(path))
        try:
            await asyncio.wait_for(ended.wait(), 0.1)
        except asyncio.TimeoutError:
            pass
    print(json.dumps(counts), flush=True)


asyncio.run(main(Path(sys.argv[1])))
