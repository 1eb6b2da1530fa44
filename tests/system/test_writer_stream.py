"""A zone that is written to all the time while whole copies of it are compared: DNS goes on, no deadlock, no error.

What the events say, applied to the zone as it was, must give the zone as it is.
"""

import re
import unittest

import dns.query
import dns.rcode
import dns.zone

from client import watching
from harness import HarnessError, Named, Zone, wait_until
from traffic import Asker, Background

RECORDS = 20_000
ROUNDS = 6
LONGEST_S = 1.0


def addresses(named) -> dict[str, tuple]:
    """Every A RRset of the zone, by a zone transfer."""
    transfer = dns.query.xfr("127.0.0.1", "big.example", port=named.port, lifetime=60, relativize=False)
    zone = dns.zone.from_xfr(transfer, relativize=False)
    return {name.to_text(omit_final_dot=True): (rdataset.ttl, tuple(sorted(r.to_text() for r in rdataset)))
            for name, rdataset in zone.iterate_rdatasets("A")}


class Writer(Background):
    """Dynamic updates without a pause; refused ones (the zone is frozen) do not count."""

    def __init__(self, named):
        super().__init__()
        self.named = named
        self.written = 0
        self.fault = None

    def _run(self):
        i = 0
        while not self._ended.is_set():
            i += 1
            try:
                self.named.update("big.example", lambda u: (
                    u.replace(f"h{i % RECORDS}", 60, "A", f"172.16.{i // 250 % 250}.{i % 250}"),
                    u.add(f"w{i}", 60, "A", "192.0.2.1"),
                    u.delete(f"w{i - 20}")))
                self.written += 1
            except HarnessError as refused:
                if "REFUSED" not in str(refused):
                    self.fault = refused
            except Exception as fault:  # told by the test's thread
                self.fault = fault


class WriterStreamTest(unittest.TestCase):
    def test_full_comparisons_beside_a_writer(self):
        records = "\n".join(f"h{i} A 10.{i // 62500}.{i // 250 % 250}.{i % 250}" for i in range(RECORDS))
        zone = Zone(records, options="allow-update { key update-key; }; allow-transfer { any; };")
        yaml = {"events": {"zones": {"sweep": "50ms", "bulk_threshold": 1000000}},
                "queues": {"max_events": 1000000, "max_bytes": "256MiB"}}
        with Named({"big.example": zone}, yaml=yaml) as named, watching(named) as client:
            client.subscribe(categories=["dns"], filter='type != "dns_query_log"')
            named.update("big.example", lambda u: u.add("begin", 60, "A", "192.0.2.1"))
            client.wait_event("record_created", name="begin.big.example", timeout=30)
            known = addresses(named)
            client.events.clear()
            with Asker(named, "h1.big.example") as asker, Writer(named) as writer:
                for i in range(ROUNDS):
                    before = writer.written
                    wait_until(lambda: writer.fault or writer.written >= before + 50, "the writer to write", 60)
                    self.edit(named, i)
                    client.wait_event("record_created", name=f"edit{i}.big.example", timeout=60)
            self.assertIsNone(writer.fault)
            self.assertEqual([], asker.failures)
            self.assertGreater(asker.asked, 100)
            self.assertLess(asker.longest_s, LONGEST_S)

            named.update("big.example", lambda u: u.add("end", 60, "A", "192.0.2.1"))
            client.wait_event("record_created", name="end.big.example", timeout=60)
            self.assertEqual([], client.gaps())
            for event in client.events:
                self.apply(known, event)
            actual = addresses(named)
            self.assertEqual({}, {name: (known.get(name), actual.get(name)) for name in known.keys() | actual.keys()
                                  if known.get(name) != actual.get(name)})

    def edit(self, named, i):
        """By hand, as an admin does: freeze, edit the file, thaw. named reads it whole again."""
        named.rndc("freeze", "big.example")
        file = named.zone_file("big.example")
        serial = named.query("big.example", "SOA").answer[0][0].serial
        wait_until(lambda: re.search(rf"\b{serial}\s*; serial", file.read_text()), "named to write the zone's file")
        named.rndc("sync", "-clean", "big.example")  # removes the journal, which would no longer fit
        text = re.sub(r"(\d+)(\s*; serial)", lambda m: str(int(m.group(1)) + 1) + m.group(2), file.read_text(), count=1)
        file.write_text(text + f"edit{i}.big.example. 60 IN A 192.0.2.1\n")
        named.rndc("thaw", "big.example")

    def apply(self, known, event):
        data = event["data"]
        if event["type"] not in ("record_created", "record_updated", "record_deleted") or data["rtype"] != "A":
            return
        shown = known.get(data["name"])
        before = data.get("before")
        if before is not None:
            self.assertEqual(shown, (before["ttl"], tuple(sorted(before["rdata"]))), data)
        else:
            self.assertIsNone(shown, data)
        after = data.get("after")
        if after is None:
            del known[data["name"]]
        else:
            known[data["name"]] = (after["ttl"], tuple(sorted(after["rdata"])))


if __name__ == "__main__":
    unittest.main(verbosity=2)
