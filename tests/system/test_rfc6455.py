"""RFC 6455, case by case, on raw sockets: what a client may send that a library never would, and what comes back.

Every row says what is sent, what has to come, and by which section. Where libwebsockets 4.1.6 does otherwise, `came` is
what really comes and `rfc` what should, and why it may be so: such a row fails when the library is mended, too.
"""

import base64
import hashlib
import json
import os
import re
import socket
import struct
import time
import typing
import unittest
from pathlib import Path

from client import Client, RawSocket
from harness import TIME_FACTOR, HarnessError, Named, Zone, wait_until

ZONES = {"example.com": Zone("www A 192.0.2.1")}
MAX_MESSAGE_BYTES = 64 * 1024  # the default
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # 1.3
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # the example of 1.3
MASK = b"\x37\xfa\x21\x3d"  # the example of 5.7

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Row(typing.NamedTuple):
    """One case. A list is sent part by part, each when the server has read the one before; AWAIT waits for a frame of
    the server's, FIN ends our side.

    came: "101", with the subprotocol if one is named, or the status of a refusal, with the version that is wanted if it
        says one; then for each frame
        "answer <id>", "error <code>", "pong <payload>" or "close <code>", and "end" when the connection has ended.
    """

    name: str
    section: str
    send: bytes | list
    came: list[str]
    rfc: str = ""


FIN, AWAIT = object(), object()

# What the RFC has instead, and what is to say of it.
NO_STATUS = "an answer with a status; there is none, only the end"
TOO_SOON = "the client has to wait for the 101; what a small buffer holds is forgiven"
NO_MASK = "close 1002; masks guard proxies against scripts, and every browser masks"
LONG_FORM = "close 1002, the shortest form is a must; there is one way to read it"
NO_CODE = "close 1002 or 1007; there is no close frame, only the end"


# ── What is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────


def frame(payload: bytes = b"", opcode: int = TEXT, *, fin: bool = True, rsv: int = 0, mask: bytes | None = MASK,
          form: int = 0, length: int | None = None) -> bytes:
    """One frame. form: 126 or 127 for that form of the length, whatever it is; length: what is said it is."""
    length = len(payload) if length is None else length
    form = form or (length if length < 126 else 126 if length < 65536 else 127)
    head = bytes([fin << 7 | rsv << 4 | opcode, (mask is not None) << 7 | form])
    head += struct.pack(">H", length) if form == 126 else struct.pack(">Q", length) if form == 127 else b""
    if mask is None:
        return head + payload
    key = mask * (len(payload) // 4 + 1)
    return head + mask + bytes(a ^ b for a, b in zip(payload, key))


def ask(name: bytes | str = "a", size: int = 0) -> bytes:
    """A message whose answer says `name`; padded to `size`."""
    name = name.encode() if isinstance(name, str) else name
    return (b'{"type":"ping","id":"' + name + b'"}').ljust(size)


def split(payload: bytes, *at: int) -> list[bytes]:
    edges = (0, *at, len(payload))
    return [payload[a:b] for a, b in zip(edges, edges[1:])]


def in_fragments(payload: bytes, *at: int) -> bytes:
    """A text message in fragments that end there."""
    parts = split(payload, *at)
    return b"".join(frame(part, CONTINUATION if i else TEXT, fin=i == len(parts) - 1) for i, part in enumerate(parts))


def fragments(payload: bytes, count: int) -> bytes:
    """A text message in so many fragments of like size."""
    return in_fragments(payload, *(len(payload) * i // count for i in range(1, count)))


def bytewise(data: bytes) -> list[bytes]:
    return split(data, *range(1, len(data)))


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    return frame(b"" if code is None else struct.pack(">H", code) + reason, CLOSE)


class Handshake:
    """The head of a good handshake but for what is given: headers by name (None leaves one out), more lines behind."""

    def __init__(self, named):
        self.host, self.port = named.address
        self.token = named.token

    def __call__(self, *more: str, method="GET", version="HTTP/1.1", path="/ws", case=str, **headers) -> bytes:
        lines = {"Host": f"{self.host}:{self.port}", "Upgrade": "websocket", "Connection": "Upgrade",
                 "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13", "Authorization": f"Bearer {self.token}"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        texts = [f"{method} {path} {version}"]
        texts += [f"{case(name)}: {value}" for name, value in lines.items() if value is not None]
        return "\r\n".join([*texts, *more, "", ""]).encode("latin-1")


def handshake_rows(good: Handshake) -> list[Row]:
    return [
        Row("as it should be", "4.1", good(), ["101"]),
        Row("a key of our own", "4.2.2 5.4", good(Sec_WebSocket_Key=base64.b64encode(os.urandom(16)).decode()),
            ["101"]),
        Row("lower case names", "4.2.1", good(case=str.lower), ["101"]),
        Row("upper case names", "4.2.1", good(case=str.upper), ["101"]),
        Row("upper case values", "4.2.1", good(Upgrade="WEBSOCKET", Connection="UPGRADE"), ["101"]),
        Row("several Connection tokens", "4.2.1", good(Connection="keep-alive, Upgrade"), ["101"]),
        Row("several Connection tokens, no space", "4.2.1", good(Connection="keep-alive,upgrade,TE"), ["101"]),
        Row("spaces before values", "RFC 7230 3.2.4", good(Upgrade="  websocket", Connection="  Upgrade"), ["101"]),
        Row("no spaces before values", "RFC 7230 3.2.4", good("X-Name:value"), ["101"]),
        Row("spaces behind values", "RFC 7230 3.2.4", good(Upgrade="websocket  "), ["403"],
            "101; they are not taken off"),
        Row("two Connection headers", "RFC 7230 3.2.2", good("Connection: Upgrade", Connection="keep-alive"), ["101"]),
        Row("several Upgrade tokens", "4.2.1", good(Upgrade="websocket, h2c"), ["403"], "101; nobody asks for two"),
        Row("another Upgrade", "4.2.1", good(Upgrade="h2c"), ["400"]),
        Row("no Upgrade", "4.2.1", good(Upgrade=None), ["426 13"]),
        Row("another Connection", "4.2.1", good(Connection="keep-alive"), ["400"]),
        Row("the beginning of a Connection token", "4.2.1", good(Connection="up"), ["400"]),
        Row("no Connection", "4.2.1", good(Connection=None), ["400"]),
        Row("no version", "4.2.1", good(Sec_WebSocket_Version=None), ["426 13"]),
        Row("version 8", "4.2.2 4.4", good(Sec_WebSocket_Version="8"), ["426 13"]),
        Row("version 0", "4.2.2 4.4", good(Sec_WebSocket_Version="0"), ["426 13"]),
        Row("version x", "4.2.2 4.4", good(Sec_WebSocket_Version="x"), ["426 13"]),
        Row("no key", "4.2.1", good(Sec_WebSocket_Key=None), ["400"]),
        Row("an empty key", "4.2.1", good(Sec_WebSocket_Key=""), ["400"]),
        Row("a short key", "4.2.1", good(Sec_WebSocket_Key="c2hvcnQ="), ["400"]),
        Row("a long key", "4.2.1", good(Sec_WebSocket_Key="A" * 200), ["400"]),
        Row("a key that is not base64", "4.2.1", good(Sec_WebSocket_Key="!" * 22 + "=="), ["400"]),
        Row("no Host", "4.2.1", good(Host=None), ["400"]),
        Row("POST", "4.2.1", good(method="POST"), ["405"]),
        Row("an unknown method", "4.2.1", good(method="BREW"), ["403"]),
        Row("HTTP/1.0", "4.2.1", good(version="HTTP/1.0"), ["400"]),
        Row("a query", "3", good(path="/ws?from=here"), ["101"]),
        Row("one subprotocol", "4.2.2 5.5", good(Sec_WebSocket_Protocol="bindcast.v1.json"), ["101 bindcast.v1.json"]),
        Row("a known subprotocol second", "4.2.2 5.5", good(Sec_WebSocket_Protocol="chat, cloudevents.json"),
            ["101 cloudevents.json"]),
        Row("two known subprotocols", "4.2.2 5.5",
            good(Sec_WebSocket_Protocol="cloudevents.json, bindcast.v1.json"), ["101 cloudevents.json"]),
        Row("two subprotocol headers", "11.3.4",
            good("Sec-WebSocket-Protocol: cloudevents.json", Sec_WebSocket_Protocol="chat"), ["101 cloudevents.json"]),
        Row("unknown subprotocols", "4.2.2 5.5", good(Sec_WebSocket_Protocol="chat, superchat"), ["400"]),
        Row("the start of a known subprotocol", "4.2.2 5.5", good(Sec_WebSocket_Protocol="bindcast.v1"), ["400"]),
        Row("a list of subprotocols that is too long", "4.2.2 5.5",
            good(Sec_WebSocket_Protocol=", ".join(f"chat{i}" for i in range(40))), ["400"]),
        Row("a subprotocol that is no token", "4.1 10", good(Sec_WebSocket_Protocol="cha(t"), ["400"]),
        Row("an unknown extension", "9.1", good(Sec_WebSocket_Extensions="x-unknown; depth=3"), ["101"]),
        Row("permessage-deflate", "9.1", good(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"),
            ["101"]),
        Row("200 headers", "4.2.1", good(*(f"X-{i}: {i}" for i in range(200))), ["101"]),
        Row("a header of 4000 bytes", "4.2.1", good("X-Long: " + "x" * 4000), ["101"]),
        Row("a header of 20000 bytes", "4.2.1", good("X-Long: " + "x" * 20000), ["end"], NO_STATUS),
        Row("a cookie of 20000 bytes", "4.2.1", good("Cookie: " + "x" * 20000), ["end"], NO_STATUS),
        Row("a header without a colon", "RFC 7230 3.2", [good("no colon here"), FIN], ["end"],
            NO_STATUS + ", and not before the client does or 10 s have passed"),
        Row("bytes over 127 in a header", "RFC 7230 3.2.4", good("X-Name: \xe9\xff"), ["101"]),
        Row("a frame right behind the handshake", "4.1", good() + frame(ask()), ["101", "answer a"]),
        Row("five frames right behind the handshake", "4.1", good() + b"".join(frame(ask(str(i))) for i in range(5)),
            ["101", *(f"answer {i}" for i in range(5))]),
        Row("ten frames right behind the handshake", "4.1", good() + b"".join(frame(ask(str(i))) for i in range(10)),
            ["101", "end"], TOO_SOON),
        Row("a frame of 3000 bytes right behind the handshake", "4.1", good() + frame(ask(size=3000)),
            ["101", "close 1007", "end"], TOO_SOON + "; what libwebsockets makes of it is no text"),
        Row("ten frames behind the 101", "4.1", [good(), b"".join(frame(ask(str(i))) for i in range(10))],
            ["101", *(f"answer {i}" for i in range(10))]),
        Row("half a frame right behind the handshake", "4.1",
            [good() + frame(ask())[:9], frame(ask())[9:]], ["101", "answer a"]),
        Row("byte by byte, with a message", "5.2", bytewise(good() + frame(ask())), ["101", "answer a"]),
    ]


MASKING = [
    Row("the zero key", "5.3", frame(ask(), mask=bytes(4)), ["answer a"]),
    Row("a key with a zero", "5.3", frame(ask(), mask=b"\0\0\0\1"), ["answer a"]),
    Row("a random key", "5.3", frame(ask(), mask=os.urandom(4)), ["answer a"]),
    Row("another key for each frame", "5.3", frame(ask("a"), mask=os.urandom(4)) + frame(ask("b"), mask=bytes(4)) +
        frame(ask("c"), mask=os.urandom(4)), ["answer a", "answer b", "answer c"]),
    Row("no mask", "5.1", frame(ask(), mask=None), ["answer a"], NO_MASK),
    Row("a ping without a mask", "5.1", frame(b"ping", PING, mask=None), ["pong ping"], NO_MASK),
]

RESERVED = [
    *(Row(f"RSV {rsv:03b}", "5.2", frame(ask(), rsv=rsv), ["close 1002", "end"]) for rsv in range(1, 8)),
    Row("RSV1 on a continuation", "5.2", frame(b"{", fin=False) + frame(b"}", CONTINUATION, rsv=4),
        ["close 1002", "end"]),
    Row("RSV1 on a ping", "5.2", [frame(b"", PING, rsv=4), AWAIT, FIN], ["close 1002", "end"]),
    *(Row(f"opcode {opcode}", "5.2", frame(ask(), opcode), ["close 1002", "end"])
      for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    Row("opcode 11 of no bytes", "5.2", frame(b"", 11), ["close 1002", "end"]),
]

LENGTHS = [
    Row("0 bytes", "5.2", frame(b""), ["error INVALID_MESSAGE"]),
    *(Row(f"{size} bytes", "5.2", frame(ask(size=size)), ["answer a"])
      for size in (124, 125, 126, 127, 128, 16384, 16385, 65534, 65535, 65536)),
    Row("65537 bytes, over max_message_bytes", "7.4.1", frame(ask(size=65537)), ["error TOO_LARGE"]),
    Row("the 16-bit form for 30 bytes", "5.2", frame(ask(size=30), form=126), ["answer a"], LONG_FORM),
    Row("the 16-bit form for 125 bytes", "5.2", frame(ask(size=125), form=126), ["answer a"], LONG_FORM),
    Row("the 16-bit form for no bytes", "5.2", frame(form=126), ["error INVALID_MESSAGE"], LONG_FORM),
    Row("the 64-bit form for 30 bytes", "5.2", frame(ask(size=30), form=127), ["answer a"], LONG_FORM),
    Row("the 64-bit form for 65535 bytes", "5.2", frame(ask(size=65535), form=127), ["answer a"], LONG_FORM),
    Row("the 64-bit form for no bytes", "5.2", frame(form=127), ["error INVALID_MESSAGE"], LONG_FORM),
    Row("the 16-bit form for no bytes, no mask", "5.2", frame(form=126, mask=None) + frame(ask()),
        ["answer a"], NO_MASK + "; the empty message is passed over"),
    Row("the top bit of a 64-bit length", "5.2", frame(ask(), form=127, length=1 << 63), ["end"], NO_CODE),
    Row("every bit of a 64-bit length", "5.2", frame(ask(), form=127, length=(1 << 64) - 1), ["end"], NO_CODE),
    Row("half a frame, then the end", "7.1.5", [frame(ask())[:9], FIN], ["end"]),
]

CONTROL = [
    Row("a ping of 0 bytes", "5.5.2", frame(b"", PING), ["pong "]),
    Row("a ping of 125 bytes", "5.5.2", frame(b"x" * 125, PING), ["pong " + "x" * 125]),
    Row("a ping of binary bytes", "5.5.2", frame(b"\xff\x00\xfe", PING), ["pong \xff\x00\xfe"]),
    Row("a ping of 126 bytes", "5.5", frame(b"x" * 126, PING), ["end"], NO_CODE),
    Row("a ping of 65536 bytes", "5.5", frame(b"x" * 65536, PING), ["end"], NO_CODE),
    Row("a ping in the 16-bit form", "5.5", frame(b"x", PING, form=126), ["end"], NO_CODE),
    Row("a ping in fragments", "5.5", frame(b"x", PING, fin=False) + frame(b"y", CONTINUATION), ["close 1002", "end"]),
    Row("a ping byte by byte", "5.5.2", bytewise(frame(b"abc", PING)), ["pong abc"]),
    Row("a pong out of the blue", "5.5.3", frame(b"unasked", PONG), []),
    Row("a pong of no bytes", "5.5.3", frame(b"", PONG), []),
    Row("a pong of 126 bytes", "5.5", frame(b"x" * 126, PONG), ["end"], NO_CODE),
    Row("a pong of binary bytes", "5.5.3", frame(b"\xff\xfe", PONG), []),
    Row("a pong of binary bytes after a text", "5.5.3", [frame(ask()), AWAIT, frame(b"\xff\xfe", PONG)],
        ["answer a"]),
    Row("two pings before the first is answered", "5.5.3", frame(b"one", PING) + frame(b"two", PING), ["pong one"],
        "pong two, with or without pong one; the second is dropped"),
    Row("two pings, one by one", "5.5.2", [frame(b"one", PING), AWAIT, frame(b"two", PING)], ["pong one", "pong two"]),
    Row("a ping before a message", "5.5.2", frame(b"p", PING) + frame(ask()), ["pong p", "answer a"]),
    Row("a ping between fragments", "5.4",
        frame(ask()[:9], fin=False) + frame(b"p", PING) + frame(ask()[9:], CONTINUATION), ["pong p", "answer a"]),
    Row("a ping of binary bytes between fragments", "5.4",
        frame(ask("é")[:-3], fin=False) + frame(b"\xff", PING) + frame(ask("é")[-3:], CONTINUATION),
        ["pong \xff", "answer é"]),
    Row("a pong between fragments", "5.4",
        frame(ask()[:9], fin=False) + frame(b"p", PONG) + frame(ask()[9:], CONTINUATION), ["answer a"]),
    Row("a pong in the middle of a character", "5.4",
        frame(ask("é")[:-3], fin=False) + frame(b"\0", PONG) + frame(ask("é")[-3:], CONTINUATION),
        ["answer é"]),
    Row("a ping behind each of 20 fragments", "5.4", [
        *(part for i, byte in enumerate(bytewise(ask(size=20) + b" "))
          for part in (frame(byte, CONTINUATION if i else TEXT, fin=False), frame(str(i).encode(), PING), AWAIT)),
        frame(b"", CONTINUATION)], [*(f"pong {i}" for i in range(len(ask()) + 1)), "answer a"]),
]

FRAGMENTS = [
    *(Row(f"{count} fragments", "5.4", fragments(ask(size=100), count), ["answer a"]) for count in (2, 3, 100)),
    Row("2 fragments of 32 KiB", "5.4", fragments(ask(size=65536), 2), ["answer a"]),
    Row("an empty first fragment", "5.4", frame(b"", fin=False) + frame(ask(), CONTINUATION), ["answer a"]),
    Row("an empty last fragment", "5.4", frame(ask(), fin=False) + frame(b"", CONTINUATION), ["answer a"]),
    Row("an empty fragment between", "5.4",
        frame(ask()[:9], fin=False) + frame(b"", CONTINUATION, fin=False) + frame(ask()[9:], CONTINUATION),
        ["answer a"]),
    Row("nothing but empty fragments", "5.4", fragments(b"", 3), ["error INVALID_MESSAGE"]),
    Row("100 empty fragments", "5.4", frame(ask()[:9], fin=False) + frame(b"", CONTINUATION, fin=False) * 100 +
        frame(ask()[9:], CONTINUATION), ["answer a"]),
    Row("two messages in fragments", "5.4", fragments(ask("a"), 3) + fragments(ask("b"), 2), ["answer a", "answer b"]),
    Row("a continuation of nothing", "5.4", frame(ask(), CONTINUATION), ["close 1002", "end"]),
    Row("a continuation of nothing, not the last", "5.4", frame(ask(), CONTINUATION, fin=False),
        ["close 1002", "end"]),
    Row("a continuation of a message that has ended", "5.4", [frame(ask()), AWAIT, frame(b"x", CONTINUATION)],
        ["answer a", "close 1002", "end"]),
    Row("a continuation right behind a message", "5.5.1", frame(ask()) + frame(b"x", CONTINUATION),
        ["close 1002", "answer a", "end"], "no answer after the close frame; the library asks us for data still"),
    Row("a text inside a message", "5.4", frame(ask()[:9], fin=False) + frame(ask()), ["close 1002", "end"]),
    Row("a binary inside a message", "5.4", frame(ask()[:9], fin=False) + frame(b"x", BINARY), ["close 1002", "end"]),
    Row("fragments beyond max_message_bytes", "5.4", fragments(ask(size=MAX_MESSAGE_BYTES + 5000), 5),
        ["error TOO_LARGE"]),
    Row("a binary message in fragments", "5.6", frame(b"\xff" * 9, BINARY, fin=False) + frame(b"\xfe", CONTINUATION),
        ["error INVALID_MESSAGE"]),
]

CHARACTERS = {"2 bytes": "é", "3 bytes": "€", "4 bytes": "😀", "the last one": "\U0010ffff",
              "just below the surrogates": "\ud7ff", "just above the surrogates": "\ue000", "no character": "\ufffe"}
INVALID = {
    "a lone continuation byte": b"\x80", "an overlong slash of 2 bytes": b"\xc0\xaf",
    "an overlong slash of 3 bytes": b"\xe0\x80\xaf", "an overlong slash of 4 bytes": b"\xf0\x80\x80\xaf",
    "the last overlong of 2 bytes": b"\xc1\xbf", "an overlong of 3 bytes": b"\xe0\x9f\xbf",
    "an overlong of 4 bytes": b"\xf0\x8f\xbf\xbf",
    "the first surrogate": b"\xed\xa0\x80", "the last surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80", "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "a first byte of F5": b"\xf5\x80\x80\x80", "a sequence of 5 bytes": b"\xf8\x88\x80\x80\x80",
    "FE": b"\xfe", "FF": b"\xff", "a character cut off by another": b"\xe2\x82a"}

UTF8 = [
    *(Row(f"a character of {name}" if "bytes" in name else name, "8.1", frame(ask(text)), [f"answer {text}"])
      for name, text in CHARACTERS.items()),
    *(Row(f"{name}, split across fragments at byte {at}", "5.6", in_fragments(ask(text), 21 + at), [f"answer {text}"])
      for name, text in list(CHARACTERS.items())[:3] for at in range(1, len(text.encode()))),
    Row("each byte a fragment", "5.6", fragments(ask("é€😀"), len(ask("é€😀"))), ["answer é€😀"]),
    Row("split across segments", "5.6", split(frame(ask("😀€")), 6 + 21 + 1, 6 + 21 + 2, 6 + 21 + 5),
        ["answer 😀€"]),
    Row("byte by byte", "5.6", bytewise(frame(ask("é😀"))), ["answer é😀"]),
    Row("split at a buffer's end", "5.6", frame(b" " * (16384 - 22) + ask("é")), ["answer é"]),
    *(Row(name, "8.1", frame(ask(data)), ["close 1007", "end"]) for name, data in INVALID.items()),
    Row("invalid in the first fragment", "8.1", frame(ask(b"\xff")[:-1], fin=False), ["close 1007", "end"]),
    Row("invalid across two fragments", "8.1", in_fragments(ask(b"\xe2\x28"), 22), ["close 1007", "end"]),
    Row("invalid across two segments", "8.1", split(frame(ask(b"\xe2\x28")), 6 + 22), ["close 1007", "end"]),
    Row("cut off at the end", "8.1", frame(ask() + b"\xe2\x82"), ["close 1007", "end"]),
    Row("cut off at the end of the last fragment", "8.1", in_fragments(ask() + b"\xe2\x82", 10), ["close 1007", "end"]),
    Row("cut off before an empty last fragment", "8.1",
        frame(ask() + b"\xe2\x82", fin=False) + frame(b"", CONTINUATION), ["close 1007", "end"]),
]

CLOSES = [
    Row("empty", "5.5.1", close(), ["close", "end"]),
    *(Row(f"code {code}", "7.4", close(code), [f"close {code}", "end"])
      for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)),
    *(Row(f"code {code}, which is registered by now", "7.4", close(code), ["close 1002", "end"],
          "the code; these came after the RFC")
      for code in (1012, 1013, 1014)),
    *(Row(f"code {code}", "7.4", close(code), ["close 1002", "end"])
      for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999)),
    *(Row(f"code {code}, which is out of range", "7.4", close(code), [f"close {code}", "end"], "close 1002; an echo")
      for code in (5000, 65535)),
    Row("a code and a reason", "7.1.6", close(1000, b"enough"), ["close 1000 enough", "end"]),
    Row("the longest reason", "5.5", close(1000, b"x" * 123), ["close 1000 " + "x" * 123, "end"]),
    Row("a reason that is too long", "5.5", close(1000, b"x" * 124), ["end"], NO_CODE),
    Row("a reason of several bytes a character", "7.1.6", close(1000, "é€😀".encode()), ["close 1000 é€😀", "end"]),
    Row("a reason that is not UTF-8", "7.1.6", close(1000, b"\xff\xfe"), ["close 1000 \ufffd\ufffd", "end"],
        "close 1007; an echo"),
    Row("a reason cut off in a character", "7.1.6", close(1000, b"\xe2\x82"), ["close 1000 \ufffd", "end"],
        "close 1007; an echo"),
    Row("one byte", "5.5.1", frame(b"\x03", CLOSE), ["close 03", "end"], "close 1002; an echo"),
    Row("in fragments", "5.5", [frame(b"\x03\xe8", CLOSE, fin=False), AWAIT, close()], ["close 1002", "end"]),
    Row("byte by byte", "5.5.1", bytewise(close(1000, b"bye")), ["close 1000 bye", "end"]),
    Row("behind a message", "5.5.1", frame(ask()) + close(1000), ["close 1000", "end"]),
    Row("a message behind it", "5.5.1", close(1000) + frame(ask()), ["close 1000", "end"]),
    Row("a ping behind it", "5.5.1", close(1000) + frame(b"p", PING), ["close 1000", "end"]),
    Row("two of them", "5.5.1", close(1000) + close(1001), ["close 1000", "end"]),
    Row("during a message in fragments", "5.4", frame(ask()[:9], fin=False) + close(1000), ["close 1000", "end"]),
    Row("during a character", "5.4", frame(ask("é")[:22], fin=False) + close(1000, b"bye"), ["close 1000 bye", "end"]),
    Row("behind a ping", "5.5.1", frame(b"p", PING) + close(1000), ["close 1000", "end"]),
    Row("the end of TCP alone", "7.1.5", [FIN], ["end"]),
    Row("the end of TCP during a message", "7.1.5", [frame(ask()[:9], fin=False), FIN], ["end"]),
]


# ── What comes back ──────────────────────────────────────────────────────────────────────────────────────────────────


class Peer(RawSocket):
    """A raw connection that tells what comes as the rows have it."""

    def __init__(self, named):
        super().__init__(named)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = struct.unpack("<I", socket.inet_aton(self.host))[0]
        ours = self.socket.getsockname()[1]
        self._theirs = f"{address:08X}:{self.port:04X} {address:08X}:{ours:04X} "
        self.closes_first = False
        self.came: list[str] = []

    def _unread(self) -> bool:
        """Whether the server's side of this connection has bytes that it has not read."""
        for line in Path("/proc/net/tcp").read_text().splitlines():
            if self._theirs in line:
                return int(line.split()[4].split(":")[1], 16) > 0
        return False

    def send_parts(self, parts: bytes | list):
        """What cannot be sent any more is not: what came says why."""
        try:
            for part in [parts] if isinstance(parts, bytes) else parts:
                self._send_part(part)
        except ConnectionError:
            pass

    def _send_part(self, part):
        end = time.monotonic() + 10 * TIME_FACTOR
        while self._unread():
            if time.monotonic() > end:
                raise HarnessError("the server does not read")
        if part is FIN:
            self.socket.shutdown(socket.SHUT_WR)
        elif part is AWAIT:
            self._see_frame()
        else:
            self.send(part)

    def handshake_came(self, key: bytes) -> str:
        try:
            status, headers = self._head()
        except ConnectionError:
            return "end"
        if status != 101:
            return " ".join([str(status), headers.get("sec-websocket-version", "")]).strip()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        if headers["sec-websocket-accept"] != accept:
            return "101 with a wrong Sec-WebSocket-Accept"
        if (headers["upgrade"].lower(), headers["connection"].lower()) != ("websocket", "upgrade"):
            return f"101 with {headers}"
        return " ".join(["101", *(headers[name] for name in ("sec-websocket-protocol", "sec-websocket-extensions")
                                  if name in headers)])

    def _see_frame(self):
        """The next frame, past the welcome; a close frame is answered unless ours was first."""
        while not (told := self._told(*self.read_frame())):
            pass
        self.came.append(told)
        if told.startswith("close") and not self.closes_first:
            self.send(close(1000))

    def frames_came(self, open_after: bool) -> list[str]:
        """Everything until the connection has ended or, where it shall stay open, until it has answered once more."""
        try:
            if open_after:
                self.send(frame(ask("still there")))
            while True:
                self._see_frame()
                if self.came[-1] == "answer still there":
                    return self.came[:-1]
        except socket.timeout:
            return [*self.came, "nothing more"]
        except (ConnectionError, OSError):
            return [*self.came, "end"]

    @staticmethod
    def _told(opcode: int, payload: bytes) -> str:
        if opcode == PONG:
            return f"pong {payload.decode('latin-1')}"
        if opcode == CLOSE:
            code = str(struct.unpack(">H", payload[:2])[0]) if len(payload) > 1 else payload.hex()
            reason = "" if code in ("1002", "1007") else payload[2:].decode("utf-8", "replace")  # libwebsockets' words
            return " ".join(["close", code, reason]).strip()
        if opcode != TEXT:
            return f"opcode {opcode} {payload!r}"
        message = json.loads(payload)
        if message["type"] == "connection_established":
            return ""
        return f"answer {message['reply_to']}" if message["type"] == "pong" else f"error {message['data']['code']}"


class Rfc6455Test(unittest.TestCase):
    """One named and one bystander for all of them; after each row it answers both DNS and the bystander."""

    @classmethod
    def setUpClass(cls):
        cls.named = cls.enterClassContext(Named(ZONES, yaml={
            "server": {"max_connections_per_user": 60}, "rate_limit": {"messages_per_minute": 10_000}}))
        cls.bystander = cls.enterClassContext(Client(cls.named))
        cls.bystander.subscribe(event_types=["dns_query_log"])
        cls.good = Handshake(cls.named)
        cls.descriptors = cls.named.settled_descriptors()

    def tearDown(self):
        wait_until(lambda: self.named.descriptors() <= self.descriptors, "the descriptors to come back")

    def check_bystanders(self):
        self.assertTrue(self.named.query("www.example.com").answer)
        self.assertEqual("pong", self.bystander.request("ping")["type"])

    def test_handshakes(self):
        for row in handshake_rows(self.good):
            with self.subTest(row.name, section=row.section), Peer(self.named) as peer:
                peer.send_parts(row.send)
                parts = [row.send] if isinstance(row.send, bytes) else row.send
                sent = b"".join(part for part in parts if isinstance(part, bytes))
                key = re.search(rb"(?i)sec-websocket-key: *([^\r]*)", sent)
                came = [peer.handshake_came(key[1] if key else b"")]
                if came[0].startswith("101"):
                    came += peer.frames_came(open_after="end" not in row.came)
                self.assertEqual(row.came, came, row.rfc)
            self.check_bystanders()

    def check_frames(self, rows: list[Row]):
        for row in rows:
            with self.subTest(row.name, section=row.section), Peer(self.named) as peer:
                peer.send(self.good())
                self.assertEqual("101", peer.handshake_came(KEY.encode()))
                peer.closes_first = rows is CLOSES
                peer.send_parts(row.send)
                came = peer.frames_came(open_after="end" not in row.came)
                self.assertEqual(row.came, came, row.rfc)
            self.check_bystanders()

    def test_masking(self):
        self.check_frames(MASKING)

    def test_reserved_bits_and_opcodes(self):
        self.check_frames(RESERVED)

    def test_lengths(self):
        self.check_frames(LENGTHS)

    def test_control_frames(self):
        self.check_frames(CONTROL)

    def test_fragments(self):
        self.check_frames(FRAGMENTS)

    def test_utf8(self):
        self.check_frames(UTF8)

    def test_closes(self):
        self.check_frames(CLOSES)


if __name__ == "__main__":
    unittest.main(verbosity=2)
