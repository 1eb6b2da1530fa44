"""record_log_lines.py: brings a real named into every situation that plugin/sources/named_log has a pattern for, and
prints what it logged, each line once: the raw material of tests/unit/named_log_lines.txt. Run by hand, when BIND changes.
"""

from __future__ import annotations

import contextlib
import re
import sys
import time

import dns.exception
import dns.message
import dns.query
import dns.tsig
import dns.update

from harness import Named, UPDATE_KEY, UPDATE_SECRET, View, Zone, wait_until

CHANNEL = ('channel bindcast {{ file "bindcast.log" versions 2 size 20m; severity info; print-category yes; '
           'print-severity yes; print-time {time}; }}; category default {{ bindcast; harness; }};')
KEYED = "allow-update { key update-key; }; allow-transfer { key update-key; };"
OPEN = "allow-update { any; }; allow-transfer { any; };"
KEY = (UPDATE_KEY, UPDATE_SECRET)
WRONG = (UPDATE_KEY, "d3JvbmcgICAgICAgICAgICAgICAgICAgICAgICAgICA=")
STRANGE = ("strange-key", UPDATE_SECRET)


def keyed(message, key):
    message.use_tsig({dns.name.from_text(key[0]): dns.tsig.Key(key[0], key[1], dns.tsig.HMAC_SHA256)})
    return message


def send(named, message, tcp=True):
    with contextlib.suppress(dns.exception.DNSException, OSError):
        (dns.query.tcp if tcp else dns.query.udp)(message, "127.0.0.1", port=named.port, timeout=2)


def update(named, zone, build, key=KEY):
    message = dns.update.UpdateMessage(zone)
    build(message)
    send(named, keyed(message, key) if key else message)


def axfr(named, zone, key=None):
    message = dns.message.make_query(zone, "AXFR")
    send(named, keyed(message, key) if key else message)


def updates(named, zone="example.com"):
    update(named, zone, lambda u: [u.add("new", 300, "A", "192.0.2.10"), u.add("new", 300, "TXT", '"it\'s" "two; words"')])
    update(named, zone, lambda u: u.replace("new", 300, "A", "192.0.2.11"))
    update(named, zone, lambda u: u.delete("new", "A", "192.0.2.11"))
    update(named, zone, lambda u: u.delete("new"))
    update(named, zone, lambda u: u.add("denied", 300, "A", "192.0.2.12"), None)
    update(named, zone, lambda u: u.add("bad", 300, "A", "192.0.2.13"), WRONG)
    update(named, zone, lambda u: u.add("bad", 300, "A", "192.0.2.13"), STRANGE)
    update(named, "fixed.example", lambda u: u.add("x", 300, "A", "192.0.2.14"))
    update(named, "elsewhere.example", lambda u: u.add("x", 300, "A", "192.0.2.14"))
    update(named, zone, lambda u: [u.present("none"), u.add("x", 300, "A", "192.0.2.14")])
    update(named, zone, lambda u: u.add("@", 300, "CNAME", "www"))


def primary_lines(time_format: str) -> Named:
    zones = {"example.com": Zone("www A 192.0.2.1", options=KEYED + "also-notify { 127.0.0.1 port 9; }; notify explicit;"),
             "fixed.example": Zone("www A 192.0.2.1"), "closed.example": Zone("www A 1.2.3.4", options="allow-query { none; };"),
             "bad.example": Zone("www A 192.0.2.1"), "nons.example": Zone("www A 192.0.2.1"),
             "gone.example": Zone("www A 192.0.2.1"), "half.example": Zone("www A 192.0.2.1")}
    return Named(zones, options="rate-limit { responses-per-second 2; window 1; };",
                 channels=CHANNEL.format(time=time_format))


def record_primary(named: Named):
    updates(named)
    axfr(named, "example.com")
    axfr(named, "example.com", KEY)
    axfr(named, "example.com", WRONG)
    axfr(named, "absent.example")
    send(named, dns.message.make_query("www.closed.example", "A"))
    send(named, dns.message.make_query("www.example.com", "A"))
    named.zone_file("bad.example").write_text("$TTL 300\n@ SOA ns1 h 2 1 1 1 1\n@ NS ns1\nns1 A 127.0.0.1\nx A 1.2.3.400\n"
                                              "y FOO bar\n")
    named.zone_file("nons.example").write_text("$TTL 300\n@ SOA ns1 h 2 1 1 1 1\nns1 A 127.0.0.1\n")
    named.zone_file("half.example").write_text("$TTL 300\n@ SOA ns1 h 2 1 1 1 1\n@ NS ns1\nns1 A 127.0.0.1\nz A 1.2.3.4\n"
                                               "x MX 10 (\n")
    named.zone_file("gone.example").unlink()
    named.rndc("reload", check=False)
    for zone in ("bad.example", "nons.example", "gone.example", "half.example"):
        named.rndc("reload", zone, check=False)
    for _ in range(40):
        with contextlib.suppress(dns.exception.DNSException, OSError):
            named.query("www.example.com", timeout=0.05)
    time.sleep(1.5)
    named.query("www.example.com")
    named.query("www.example.com", tcp=True)
    notify = dns.message.make_query("example.com", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    send(named, notify, tcp=False)
    named.zone_file("half.example").write_text("$TTL 300\n@ SOA ns1 h 3 1 1 1 1\n@ NS ns1\nns1 A 127.0.0.1\ny FOO bar\n")
    named.rndc("reload", "half.example", check=False)
    named.extra = "nonsense;"
    named.write_configuration()
    named.rndc("reload", check=False)


def record_secondary(first: Named):
    primaries = f"primaries {{ 127.0.0.1 port {first.port} key update-key; }}; min-retry-time 1; max-retry-time 1; "
    zones = {"example.com": Zone(type="secondary", options=primaries),
             "absent.example": Zone(type="secondary", options=primaries),
             "fixed.example": Zone(type="secondary", options=f"primaries {{ 127.0.0.1 port {first.port}; }};"),
             "closed.example": Zone(type="secondary", options=f"primaries {{ 127.0.0.1 port {first.port}; }};"),
             "dead.example": Zone(type="secondary", options="primaries { 127.0.0.1 port 9; };")}
    with Named(zones, options="allow-transfer { none; };", channels=CHANNEL.format(time="iso8601-utc")) as second:
        wait_until(lambda: second.query("www.example.com").answer, "the transfer")
        update(first, "example.com", lambda u: u.add("later", 300, "A", "192.0.2.20"))
        second.rndc("refresh", "example.com")
        time.sleep(1)
        second.rndc("retransfer", "absent.example")
        second.rndc("retransfer", "fixed.example")
        second.rndc("retransfer", "dead.example")
        # What the primary refuses: a transfer without the key.
        second.zones["example.com"].options = f"primaries {{ 127.0.0.1 port {first.port}; }};"
        second.write_configuration()
        second.rndc("reconfig")
        second.rndc("retransfer", "example.com")
        notify = dns.message.make_query("example.com", "SOA")
        notify.set_opcode(dns.opcode.NOTIFY)
        for source in ("127.0.0.1", "127.0.0.77"):
            with contextlib.suppress(dns.exception.DNSException):
                dns.query.udp(notify, "127.0.0.1", port=second.port, source=source, timeout=1)
        time.sleep(2)
        show("secondary", second)


def record_views():
    views = {"inside": View(match="127.0.0.1", zones={"example.com": Zone("www A 192.0.2.1", options=KEYED)}),
             "out side": View(match="any", zones={"example.com": Zone("www A 192.0.2.1", options=OPEN)})}
    with Named(views=views, channels=CHANNEL.format(time="iso8601")) as named:
        updates(named)
        axfr(named, "example.com")
        show("views", named)


def record_dnssec(first: Named):
    """An answer without signatures where a trust anchor demands them."""
    anchor = ('trust-anchors { www.example.com static-key 257 3 13 "oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8'
              'KqXXFJkqmVfRvMGPmM1x8fGAa2XhSA=="; example.com initial-ds 1 13 2 "'
              + "00" * 32 + '"; };\n')
    with Named({}, options="", forwarder_port=first.port, extra=anchor,
               channels=CHANNEL.format(time="local")) as named:
        named.options = "validate-except { \"bind\"; };"
        text = named.configuration().replace("dnssec-validation no", "dnssec-validation yes")
        (named.folder / "named.conf").write_text(text)
        named.rndc("reconfig", check=False)
        for name in ("www.example.com", "ns1.example.com", "no.example.com"):
            with contextlib.suppress(dns.exception.DNSException):
                named.query(name, dnssec=True, timeout=5)
        show("dnssec", named)


def show(title: str, named: Named):
    print(f"# {title}")
    seen = set()
    for line in (named.folder / "bindcast.log").read_text(errors="replace").splitlines():
        alike = re.sub(r"0x[0-9a-f]+|\d+", "0", line)
        if alike not in seen:
            seen.add(alike)
            print(line)


def main():
    with primary_lines("local") as first:
        record_secondary(first)
        record_dnssec(first)
        record_primary(first)
        show("primary", first)
    record_views()


if __name__ == "__main__":
    sys.exit(main())
