#!/usr/bin/python3
"""seeds.py TARGET FOLDER: what a fuzz target begins with.

Writes the seeds into FOLDER, one a file, and the words that libFuzzer may put in into FOLDER.dict. Most of
them stand in the sources already, as the examples of the documents and the literals of the unit tests; others are made
here, and the rest is in tests/fuzz/seeds/TARGET.
"""
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TEXT = re.compile(r'R"\((.*?)\)"|"((?:[^"\\\n]|\\.)*)"', re.DOTALL)
ESCAPE = re.compile(r'\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)', re.DOTALL)
NAMED = {'n': '\n', 't': '\t', 'r': '\r', 'a': '\a', 'b': '\b', 'f': '\f', 'v': '\v'}


def unescaped(text: str) -> str:
    def one(match: re.Match) -> str:
        what = match[1]
        if what[0] in '01234567':
            return chr(int(what, 8) & 255)
        return chr(int(what[1:], 16)) if what[0] == 'x' and len(what) > 1 else NAMED.get(what, what)
    return ESCAPE.sub(one, text)


def literals(path: str) -> Iterator[str]:
    """The texts of a C++ source; adjacent ones are one text."""
    source = re.sub(r'^\s*(//.*|#include.*)$', '', (ROOT / path).read_text(), flags=re.MULTILINE)
    end, joined = -1, ''
    for match in TEXT.finditer(source):
        text = match[1] if match[1] is not None else unescaped(match[2])
        if end >= 0 and not source[end:match.start()].strip():
            joined += text
        else:
            if joined:
                yield joined
            joined = text
        end = match.end()
    yield joined


def fenced(path: str) -> Iterator[str]:
    """The examples of a document."""
    yield from re.findall(r'^```\w*\n(.*?)^```', (ROOT / path).read_text(), re.DOTALL | re.MULTILINE)


def yaml() -> Iterator[str | bytes]:
    yield (ROOT / 'config/example.yaml').read_text()
    # Without the comments, section by section: short enough to be changed in every place.
    plain = re.sub(r'^ *#.*\n', '', (ROOT / 'config/example.yaml').read_text(), flags=re.MULTILINE)
    yield from re.split(r'\n\n+', plain)
    yield from (text for text in literals('tests/unit/config_test.cpp') if ': ' in text)
    yield from (text for text in literals('tests/unit/config_fault_rows.hpp') if ':' in text and '[0]' not in text)


def filters() -> Iterator[str | bytes]:
    yield from (text for text in literals('tests/unit/filter_test.cpp') if len(text) > 6)
    yield from (text for text in fenced('doc/protocol.md') if 'category =' in text)
    yield 'qname under "example.com"\0www.Example.com'
    yield 'zone ~ "*.example" or tags in ("a", "b")\0b'


def messages() -> Iterator[str | bytes]:
    said = [text for test in ('session', 'messages', 'escalations')
            for text in literals(f'tests/unit/{test}_test.cpp') if text.startswith('{')]
    yield from said
    # Cut within a character when it is told of.
    yield '{"type":"subscribe","data":{"event_types":["x' + 40 * '\u00e9' + '"]}}'
    for user in ('!admin 0', '!operator 1', '!viewer 3', '!stranger', '!admin 2'):
        for at in range(0, len(said), 8):
            lines = [user, '{"type":"subscribe","data":{"name":"n"}}', *said[at:at + 8], '!emit 3', '!later 900', '!read',
                     '!emit 50', '!options 5', '!emit 12', '!offend', '!later 61000', '{"type":"get_statistics"}',
                     '!closed bye']
            yield '\n'.join(line.replace('\n', ' ') for line in lines)


def frame(payload: bytes, opcode: int = 1, final: bool = True) -> bytes:
    """Masked with zeros, so that its text stays readable."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xfe]) + size.to_bytes(2, 'big')
    return bytes([(0x80 if final else 0) | opcode]) + length + bytes(4) + payload


def http() -> Iterator[str | bytes]:
    headers = 'Host: localhost\r\n'
    upgrade = (headers + 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
               'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n')
    bearer = 'Authorization: Bearer TOKEN\r\n'
    for path in ('/healthz', '/api/v1/status', '/api/v1/status?token=TOKEN', '/ws', '/', '/%2e%2e/etc/passwd', '*'):
        for extra in ('', bearer):
            yield f'GET {path} HTTP/1.1\r\n{headers}{extra}\r\n'
    yield f'POST /api/v1/status HTTP/1.1\r\n{headers}{bearer}Content-Length: 9\r\n\r\n{{"a": 1}}\n'
    event = '{"type":"custom.seed","data":{"n":1}}'
    cloud = '{"specversion":"1.0","id":"1","source":"/s","type":"custom.seed","data":{}}'
    for path, kind, body in (('events', 'json', event), ('events', 'json', f'[{event},{event}]'),
                             ('events', 'cloudevents+json', cloud), ('events', 'cloudevents-batch+json', f'[{cloud}]'),
                             ('login', 'json', '{"user":"ann","password":"p"}'), ('logout', 'json', ''),
                             ('renew', 'json', '')):
        yield (f'POST /api/v1/{path} HTTP/1.1\r\n{headers}{bearer}Content-Type: application/{kind}\r\n'
               f'Idempotency-Key: k\r\nContent-Length: {len(body)}\r\n\r\n\x1e{body[:9]}\x1e{body[9:]}')
    for query in ('', '?limit=2&order=oldest', '?since=0-0&type=custom_event&filter=n%20%3D%201', '?cursor=x&until=2026'):
        yield f'GET /api/v1/events{query} HTTP/1.1\r\n{headers}{bearer}\r\n'
    yield f'PUT / HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'
    yield f'GET /healthz HTTP/1.1\r\n{headers}\r\nGET /api/v1/status HTTP/1.1\r\n{headers}{bearer}\r\n'
    yield 'GET / HTTP/1.1\n\nGET / HTTP/1.1\ncontent-length:1\n\n'
    yield f'GET /healthz HTTP/1.0\r\n{headers}Cookie: session=abc; b="c"\r\n\r\n'
    yield 'GET /healthz HTTP/1.1\r\nHo\x1est: local\x1ehost\r\n\r\n'
    for origin in ('http://localhost', 'https://dashboard.example', 'https://evil.example', 'null'):
        yield f'GET /ws HTTP/1.1\r\n{upgrade}{bearer}Origin: {origin}\r\n\r\n'
    frames = [frame(b'{"type":"subscribe","id":1,"data":{"categories":["connection"]}}'), frame(b'{"type":"ping"}'),
              frame(b'hello', 9), frame(b'', 10), frame(b'\x03\xe8bye', 8), frame(b'{"type":', 1, False),
              frame(b'"ping"}', 0), frame(bytes(20), 2), frame(b'\xff\xfe')]
    for protocol in ('', 'bindcast.v1.json', 'bindcast.v1.deflate', 'cloudevents.json', 'unknown'):
        line = f'Sec-WebSocket-Protocol: {protocol}\r\n' if protocol else ''
        head = f'GET /ws HTTP/1.1\r\n{upgrade}{bearer}{line}\r\n'.encode()
        yield head + b'\x1e' + b''.join(frames[:5])
        yield from (head + b'\x1e' + one + b'\x1e' + frames[1] for one in frames)
    stranger = f'GET /ws HTTP/1.1\r\n{upgrade}\r\n'.encode()
    yield stranger + b'\x1e' + frame(b'{"type":"authenticate","data":{"token":"TOKEN"}}') + frames[0]


def publish() -> Iterator[str | bytes]:
    said = [text for test in ('published_event', 'publishing') for text in literals(f'tests/unit/{test}_test.cpp')
            if text.startswith('{') and '"type"' in text]
    said = [text.replace('\n', ' ') for text in said]
    yield from said
    yield from ('!cloud\n' + text for text in said if 'specversion' in text)
    for user in ('!admin', '!job', '!other'):
        yield '\n'.join([user, *said[::3], '!later 1500', *said[::3]])
    step = '{"type":"import_%s","data":{"done":%d,"total":9},"metadata":{"correlation_id":"c"},"id":"%d"}'
    for pause in ('!later 100', '!later 700', '!later 19900', '!host 3'):
        lines = [step % ('started', 0, 0), *(step % ('progress', n, n) for n in range(1, 6)),
                 step % ('completed', 9, 9)]
        yield f'\n{pause}\n'.join([*lines, step % ('progress', 1, 10), step % ('started', 0, 11), '!later 30000'])
    yield '!key k-1\n{"type":"custom.x"}\n!key k-1\n{"type":"custom.y"}\n!later 99999\n!key k-1\n{"type":"custom.x"}'


def urls() -> Iterator[str | bytes]:
    yield from (text for text in literals('tests/unit/webhooks_test.cpp') if '://' in text)


def jwts() -> Iterator[str | bytes]:
    """'=': the claims of a signed token, '~': the header of one."""
    for text in literals('tests/unit/jwt_test.cpp'):
        if text.startswith('{'):
            yield '~' + text if '"alg"' in text else '=' + text
        elif text.startswith('"'):
            yield '={"realm":{"roles":["a",1]},"sub":"ann","iss":"x","aud":["y"],"exp":1795442600,' + text + '}'
    yield 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4iLCJleHAiOjE3OTU0NDI2MDB9.c2lnbmF0dXJl'


def log_lines() -> Iterator[str | bytes]:
    text = (ROOT / 'tests/unit/named_log_lines.txt').read_text()
    lines = [line for line in text.splitlines() if not line.startswith(('#', '  '))]
    yield from lines
    yield from ('\n'.join(lines[i:i + 20]) for i in range(0, len(lines), 20))
    yield from ('logging { ' + text + ' };' for text in literals('tests/unit/log_lines_test.cpp') if 'channel' in text)


def json() -> Iterator[str | bytes]:
    yield from (text for text in literals('tests/unit/json_test.cpp') if text.startswith('{'))
    yield '{"a":1,"b":[true,null,1.5e3,"\\u00e9\\n"],"c":{"d":{}}}'
    # Texts and numbers at the edges of UTF-8 and of what a double can be, as an event's data.
    infinity = b'\x7f\xf0' + bytes(6)
    for edge in (b'\xed\xa0\x80', b'\xed\xbf\xbf', b'\xe0\x9f\xbf', b'\xf4\x90\x80\x80', b'\xc1\xbf', b'\xe2\x82',
                 b'\xf0\x9f\x98\x80'):
        text = bytes([len(edge)]) + edge
        yield bytes(13) + 5 * text + b'\x00\x01k' + text + b'\x02\x01r' + infinity + b'\x02\x01r' + edge
    yield from noise(40, 300)


def noise(count: int, longest: int) -> Iterator[bytes]:
    """For targets whose every byte means something."""
    generator = random.Random(1)
    for _ in range(count):
        size = generator.randrange(longest)
        yield bytes(min(generator.randrange(256), generator.randrange(256)) for _ in range(size))


def diffs() -> Iterator[bytes]:
    """Programs of changes: how to compare, how many changes make the old zone, changes, commits (200 and above).

    Each is about few names and few kinds of records, so that its changes meet.
    """
    generator = random.Random(1)
    for how in range(0, 256, 2):
        names, kinds = generator.sample(range(25), 3), generator.sample(range(29), 5)

        def change() -> bytes:
            what = generator.choice((0, 0, 0, 0, 1, 2, 4, 4, 6, 7, 8, 9, 10, 11)) | generator.choice((0, 0, 16, 48))
            return bytes([what, generator.choice(names), generator.choice(kinds), generator.randrange(4)])
        base = generator.randrange(32)
        program = bytes([how + generator.randrange(2), base]) + b''.join(change() for _ in range(base))
        for _ in range(generator.randrange(40)):
            ends = generator.randrange(6) == 0
            program += bytes([generator.choice((200, 201, 210, 220, 250))]) if ends else b'\0' + change()
        yield program + bytes([generator.randrange(200, 256)])


TARGETS = {'yaml': (yaml, 'config/options_table.cpp config/entry_tables.cpp config/values.cpp'),
           'filter': (filters, 'events/filter_lexer.cpp events/filter_terms.cpp events/types.def'),
           'messages': (messages, 'plugin/server/session_requests.cpp plugin/server/session.cpp'),
           'publish': (publish, 'plugin/publish/published_event.cpp plugin/publish/bulk_operations.cpp '
                                'events/types.def'),
           'http': (http, 'plugin/server/upgrade.cpp plugin/server/exchanges.cpp'),
           'parameters': (lambda: iter(['config "/etc/bind/bindcast.yaml";']), 'shim/bind9/parameters.c'),
           'url': (urls, 'config/webhook_url.cpp'),
           'json': (json, ''),
           'jwt': (jwts, 'plugin/server/jwt.cpp'),
           'log_line': (log_lines, 'plugin/sources/named_log/log_table.cpp plugin/sources/named_log/log_line.hpp'),
           'records': (lambda: noise(60, 700), ''),
           'diff': (diffs, '')}


def main() -> None:
    target, folder = sys.argv[1], Path(sys.argv[2])
    make, sources = TARGETS[target]
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [seed.encode('utf-8', 'surrogateescape') if isinstance(seed, str) else seed for seed in make()]
    seeds += [path.read_bytes() for path in sorted((HERE / 'seeds' / target).glob('*'))]
    for number, seed in enumerate(seeds):
        (folder / f'seed-{number:03}').write_bytes(seed)
    words = {word for source in sources.split() for word in literals(source)}
    short = sorted(word.encode() for word in words if 1 < len(word) < 25 and word.isprintable())
    Path(f'{folder}.dict').write_text(''.join('"' + ''.join(f'\\x{b:02x}' for b in word) + '"\n' for word in short))


main()
