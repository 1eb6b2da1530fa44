"""The harness by itself: a named without the plugin starts, answers and stops. When this fails, look no further."""

import unittest

from harness import HarnessError, Named, Zone, wait_until


class HarnessTest(unittest.TestCase):
    def test_a_plain_named_starts_answers_and_stops(self):
        with Named({"example.com": Zone("www A 192.0.2.1")}, plugin=False) as named:
            self.assertEqual(named.query("www.example.com").answer[0][0].address, "192.0.2.1")
            self.assertIn("running", named.rndc("status"))
            named.write_zone("example.com", "www A 192.0.2.2", serial=2)
            named.rndc("reload", "example.com")
            wait_until(lambda: named.query("www.example.com").answer[0][0].address == "192.0.2.2", "the new address")
            folder = named.folder
        self.assertFalse(folder.exists())

    def test_a_dynamic_update_is_signed(self):
        zone = Zone(options="allow-update { key update-key; };")
        with Named({"example.com": zone}, plugin=False) as named:
            named.update("example.com", lambda update: update.add("new", 300, "A", "192.0.2.7"))
            self.assertEqual(named.query("new.example.com").answer[0][0].address, "192.0.2.7")

    def test_a_named_that_dies_is_noticed(self):
        with self.assertRaises(HarnessError):
            with Named(plugin=False) as named:
                named.kill()

    def test_a_faulty_configuration_is_noticed(self):
        with self.assertRaisesRegex(HarnessError, "no-such-option"):
            with Named(plugin=False, options="no-such-option yes;"):
                self.fail("named started")


if __name__ == "__main__":
    unittest.main(verbosity=2)
