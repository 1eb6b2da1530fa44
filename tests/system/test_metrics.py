"""/metrics, as Prometheus and its tools read it, and the Grafana dashboard that is drawn from it."""

import json
import re
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

from prometheus_client.openmetrics import parser as openmetrics

from client import Client, RawSocket
from harness import ROOT, TIME_FACTOR, Named, Zone, free_port, wait_until

ZONES = {"example.com": Zone("www A 192.0.2.1")}
# What has numbers only while it is on; a forwarder that refuses.
EVERYTHING = {"sources": {"analytics": {"enabled": True, "interval": "1s"}, "detectors": {"enabled": True},
                          "forwarders": {"enabled": True, "interval": "1s"}, "metrics": {"interval": "1s"},
                          "named": {"interval": "1s"}}}
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def scrape(named, accept: str = "") -> str:
    headers = {"Authorization": f"Bearer {named.token}"} | ({"Accept": accept} if accept else {})
    with RawSocket(named) as raw:
        status, body = raw.http("/metrics", headers)
    assert status == 200, (status, body)
    return body.decode()


class MetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.named = cls.enterClassContext(Named(ZONES, yaml=EVERYTHING, forwarder_port=9))
        cls.client = cls.enterClassContext(Client(cls.named))
        cls.client.subscribe(event_types=["dns_query_log"])

    def value(self, name: str, **labels) -> float:
        for family in openmetrics.text_string_to_metric_families(scrape(self.named, OPENMETRICS)):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return 0

    def test_promtool_finds_no_fault(self):
        told = subprocess.run(["promtool", "check", "metrics"], input=scrape(self.named), text=True,
                              capture_output=True, timeout=30 * TIME_FACTOR, check=False)
        self.assertEqual((0, ""), (told.returncode, told.stdout + told.stderr))

    def test_an_independent_parser_reads_every_family(self):
        families = list(openmetrics.text_string_to_metric_families(scrape(self.named, OPENMETRICS)))
        self.assertGreater(len(families), 30)
        for family in families:
            self.assertTrue(family.documentation, family.name)

    def test_events_are_counted(self):
        before = self.value("bindcast_events_total", type="dns_query_log")
        for i in range(7):
            self.named.query(f"n{i}.example.com")
        self.client.wait_event("dns_query_log", qname="n6.example.com")
        self.assertEqual(before + 7, self.value("bindcast_events_total", type="dns_query_log"))
        self.assertGreaterEqual(self.value("bindcast_connections"), 1)

    def test_it_wants_a_token(self):
        with RawSocket(self.named) as raw:
            self.assertEqual(401, raw.http("/metrics", {})[0])

    def test_prometheus_scrapes_it(self):
        host, port = self.named.address
        own = free_port()
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder, "prometheus.yml")
            config.write_text(json.dumps({  # JSON is YAML
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [{
                    "job_name": "bindcast", "static_configs": [{"targets": [f"{host}:{port}"]}],
                    "authorization": {"credentials_file": str(self.named.token_file)}}]}))
            prometheus = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{own}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                def scraped():
                    try:
                        with urllib.request.urlopen(f"http://127.0.0.1:{own}/api/v1/targets", timeout=5) as answer:
                            targets = json.load(answer)["data"]["activeTargets"]
                    except OSError:
                        return None
                    return targets[0] if targets and targets[0]["health"] != "unknown" else None
                target = wait_until(scraped, "Prometheus to scrape", 30)
                self.assertEqual(("up", ""), (target["health"], target["lastError"]))
            finally:
                prometheus.kill()
                prometheus.wait()

    def test_the_dashboard_shows_what_there_is(self):
        """Each number that the Grafana dashboard draws is one that is served."""
        dashboard = (ROOT / "contrib/grafana/bindcast.json").read_text()
        json.loads(dashboard)
        drawn = set(re.findall(r"bindcast_[a-z0-9_]+", dashboard))
        self.assertGreater(len(drawn), 25)
        self.named.query("www.example.com")

        def missing():
            return drawn - set(re.findall(r"^# TYPE (\S+)", scrape(self.named), re.MULTILINE))
        wait_until(lambda: not missing(), "every number, but there is none of " + " ".join(missing()))


if __name__ == "__main__":
    unittest.main()
