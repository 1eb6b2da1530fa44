#!/usr/bin/env python3
"""Writes recorded.jsonl anew: the frames of a connection to the real named, a line of JSON each. Wants BINDCAST_SO."""

import asyncio
import base64
import json
import sys
from pathlib import Path

import websockets

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[3] / "tests/system"))
from harness import Named, Zone  # noqa: E402


async def record(named: Named) -> list[dict]:
    host, port = named.address
    frames: list[dict] = []
    async with websockets.connect(f"ws://{host}:{port}/ws", subprotocols=["bindcast.v1.deflate"], compression=None,
                                  extra_headers={"Authorization": f"Bearer {named.token}"}) as socket:
        await socket.recv()
        await socket.send(json.dumps({"type": "subscribe", "data": {
            "name": "queries", "event_types": ["dns_query_log"], "sample": 2}}))
        for number in range(60):
            await asyncio.to_thread(named.query, f"name{number}.example.com")
        told = 0
        while told < 2:  # what was sampled is told as a gap, which is the end of it
            frame = await asyncio.wait_for(socket.recv(), 10)
            told += isinstance(frame, str) and '"gap"' in frame or len(frames) > 30
            frames.append({"base64": base64.b64encode(frame).decode()} if isinstance(frame, bytes) else {"text": frame})
    return frames


def main():
    with Named({"example.com": Zone("* A 192.0.2.1")}) as named:
        frames = asyncio.run(record(named))
    (HERE / "recorded.jsonl").write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    print(f"{len(frames)} frames, {sum('base64' in frame for frame in frames)} of them compressed")


main()
