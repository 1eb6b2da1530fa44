"""A client of every query at named's full speed: each query is delivered, folded or told as missed, to the last one."""

import unittest

from client import Counter
from harness import Named, Zone, wait_until
from traffic import Load

NAMES = [f"n{i}.example.com" for i in range(200)]
ZONES = {"example.com": Zone("\n".join(f"n{i} A 192.0.2.1" for i in range(200)))}
QUERIES = 100_000
QUEUES = {"max_events": 100_000, "max_bytes": "64MiB"}


class EveryQueryTest(unittest.TestCase):
    def count(self, yaml: dict, **options) -> Counter:
        """What a client was told of so many queries, asked as fast as named answers."""
        with Named(ZONES, yaml=yaml, workers=1) as named:
            counter = Counter(named, **options)
            self.addCleanup(counter.close)
            with Load(named, NAMES, count=QUERIES, outstanding=100) as load:
                done = load.finish()
            self.assertEqual(QUERIES, done["completed"])
            wait_until(lambda: counter.told >= QUERIES, "the client to be told of every query", 30)
            self.assertEqual(QUERIES, counter.told)
            return counter

    def test_in_batches(self):
        counter = self.count({"queues": QUEUES})
        self.assertEqual(0, counter.folded)
        self.assertGreater(counter.events, QUERIES / 10)

    def test_compressed(self):
        counter = self.count({"queues": QUEUES}, compressed=True)
        self.assertGreater(counter.events, QUERIES / 10)

    def test_one_in_a_hundred(self):
        counter = self.count({"queues": QUEUES, "events": {"queries": {"sample": 100}}})
        self.assertEqual((QUERIES // 100, 0), (counter.events, counter.folded))

    def test_so_many_a_second_and_the_rest_folded(self):
        counter = self.count({"queues": QUEUES, "rate_limit": {"events_per_second": 100, "burst": 100}}, fold=True)
        self.assertLess(counter.events, QUERIES / 4)
        self.assertGreater(counter.folded, QUERIES / 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
