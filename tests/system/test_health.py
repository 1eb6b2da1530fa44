"""What watches the machine and Bindcast itself: measured numbers are plausible and come at their interval, a component that
fails is named, in the stream, in the status and by /healthz, tries again by itself, and its recovery is told.
"""

import json
import socket
import sqlite3
import subprocess
import unittest
from pathlib import Path

from client import Client, RawSocket, reconfigured
from harness import Named, Zone, free_port, wait_until
from traffic import Asker

ZONES = {"example.com": Zone("www A 192.0.2.1")}
MEASURED = ["system_metrics", "resource_usage", "disk_metrics", "network_metrics", "network_interface_metrics"]
# However full the disk of this machine is, it is not what these tests are about.
QUICK = {"interval": "1s", "recovery": "1s", "hold": "1s", "disk_degraded": 100, "disk_unhealthy": 100}


def healthz(named, what="/healthz") -> tuple[int, dict]:
    with RawSocket(named) as raw:
        status, body = raw.http(what)
        return status, json.loads(body)


def component(client: Client, name: str) -> dict:
    return client.request("get_status")["data"]["health"]["components"].get(name, {})


class MetricsTest(unittest.TestCase):
    def test_numbers_are_plausible_and_come_at_their_interval(self):
        yaml = {"sources": {"metrics": {"interval": "1h"}, "named": {"interval": "1s"}}, "rate_limit": {"messages_per_minute": 10000}}
        with Named(ZONES, yaml=yaml) as named, Asker(named, "www.example.com", pause_s=0.02) as asker, Client(named) as client:
            client.subscribe_from_start(event_types=[*MEASURED, "config_change"])
            for kind in MEASURED:  # the first comes at the start, not after an hour
                client.wait_event(kind)
            self.assertEqual(1, len(client.of("system_metrics")))
            reconfigured(named, client, sources={"metrics": {"interval": "1s"}})
            client.wait_events(3, "system_metrics")
            client.wait_events(3, "resource_usage")

            system = client.of("system_metrics")[-1]["data"]
            self.assertAlmostEqual(1, system["interval_seconds"], delta=0.9)
            self.assertEqual(len([p for p in Path("/sys/devices/system/cpu").glob("cpu[0-9]*")]), system["cpu"]["count"])
            self.assertEqual(system["cpu"]["count"], len(system["cpu"]["cores"]))
            self.assertTrue(all(0 <= used <= 100 for used in [system["cpu"]["used_percent"], *system["cpu"]["cores"]]))
            total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
            self.assertAlmostEqual(total, system["memory"]["total_bytes"], delta=total / 100)
            self.assertLess(0, system["memory"]["available_bytes"])
            self.assertLess(system["memory"]["available_bytes"], total)
            self.assertLess(abs(float(Path("/proc/loadavg").read_text().split()[0]) - system["load"]["load1"]), 2)

            wait_until(lambda: client.of("system_metrics")[-1]["data"].get("dns", {}).get("queries_per_second", 0) > 1,
                       "named's own counters to have been read twice", timeout=30)
            self.assertEqual((0, 1000), tuple(client.of("system_metrics")[-1]["data"]["dns"][key] for key in (
                "recursive_clients", "recursive_clients_limit")))
            process = client.of("resource_usage")[-1]["data"]
            memory = process["memory_contexts"]
            self.assertEqual({"main", "zones", "caches"}, set(memory))
            self.assertTrue(all(0 < used < process["resident_bytes"] for used in memory.values()), memory)
            kib = named.memory_kib()
            self.assertAlmostEqual(kib, process["resident_bytes"] / 1024, delta=kib / 5)
            self.assertLessEqual(process["resident_bytes"], process["resident_peak_bytes"] * 1.01)
            self.assertAlmostEqual(len(named.threads()), process["threads"], delta=2)
            self.assertAlmostEqual(named.descriptors(), process["descriptors"], delta=6)
            self.assertLess(0, process["cpu_percent"])
            self.assertLess(process["cpu_percent"], 100 * system["cpu"]["count"] + 1)

            disk = next(e["data"] for e in client.of("disk_metrics") if "journal" in e["data"]["holds"])
            stat = subprocess.run(["stat", "-f", "-c", "%b %S", named.folder], capture_output=True, text=True, check=True)
            blocks, size = map(int, stat.stdout.split())
            self.assertEqual(blocks * size, disk["total_bytes"])
            self.assertIn("working_directory", disk["holds"])  # one file system is told once, whatever is on it
            paths = {e["data"]["path"] for e in client.of("disk_metrics")}
            self.assertEqual(len(paths), len({Path(path).stat().st_dev for path in paths}))

            loopback = client.of("network_interface_metrics", interface="lo")
            self.assertLess(loopback[0]["data"]["receive"]["bytes"], loopback[-1]["data"]["receive"]["bytes"])
            self.assertLess(0, loopback[-1]["data"]["receive"]["bytes_per_second"])
            self.assertEqual(set(socket_names()), {e["data"]["interface"] for e in client.of("network_interface_metrics")})

            status, text = metrics(named)
            self.assertEqual(200, status)
            for name in ("bindcast_process_resident_bytes", "bindcast_system_cpu_seconds_total{mode=\"idle\"}",
                         "bindcast_health_component_state{component=\"listener\"} 0"):
                self.assertIn(name, text)

            reconfigured(named, client, sources={"metrics": {"enabled": False}})
            client.take_events()
            wait_until(lambda: "disk_space" not in client.request("get_status")["data"]["health"]["components"],
                       "disk_space to be forgotten")
            client.subscribe(event_types=["health_update"])
            client.wait_event("health_update", timeout=40)
            self.assertEqual([], client.of("system_metrics"))
            asker.check()


def socket_names() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def metrics(named) -> tuple[int, str]:
    with RawSocket(named) as raw:
        status, body = raw.http("/metrics", {"Authorization": f"Bearer {named.token}"})
        return status, body.decode()


class HealthTest(unittest.TestCase):
    def test_a_listener_and_the_journal_fail_and_recover(self):
        taken = socket.create_server(("127.0.0.1", port := free_port()))
        listen = ["127.0.0.1:0", f"127.0.0.1:{port}"]
        yaml = {"server": {"listen": listen}, "health": QUICK, "rate_limit": {"messages_per_minute": 10000}}
        with Named(ZONES, yaml=yaml) as named, Asker(named, "www.example.com", pause_s=0.02) as asker, Client(named) as client:
            client.subscribe_from_start(categories=["health"])
            alert = client.wait_event("health_alert", component="listener", state="degraded", before="healthy")
            self.assertIn(f"127.0.0.1:{port}: address in use", alert["data"]["reason"])
            self.assertEqual(("high", "warning"), (alert["priority"], alert["severity"]))
            self.assertEqual((200, "degraded"), (healthz(named)[0], healthz(named)[1]["status"]))
            self.assertNotIn(str(port), json.dumps(healthz(named)[1]))
            wait_until(lambda: component(client, "listener").get("attempts", 0) >= 2, "another attempt")
            self.assertLess(component(client, "listener")["since"], component(client, "listener")["next_attempt"])
            status = client.wait_event("system_status", where=lambda e: e["data"]["state"] == "degraded")["data"]
            self.assertEqual([f"127.0.0.1:{port}"], status["listeners_failing"])
            self.assertEqual(named.process.pid, status["pid"])
            taken.close()
            back = client.wait_event("health_alert", component="listener", state="healthy", before="degraded")
            self.assertEqual(("normal", "info"), (back["priority"], back["severity"]))
            socket.create_connection(("127.0.0.1", port)).close()

            journal = named.folder / "nowhere"
            named.yaml["journal"] = {"path": str(journal / "bindcast.db")}
            named.write_configuration()
            named.rndc("reconfig")
            client.wait_event("health_alert", component="journal", state="degraded")
            self.assertEqual("degraded", healthz(named)[1]["status"])
            self.assertEqual(1, healthz(named)[1]["components"]["degraded"])
            update = client.wait_event("health_update", where=lambda e: e["data"]["state"] == "degraded" and any(
                c["component"] == "journal" and c["state"] == "degraded" for c in e["data"]["components"]))
            self.assertEqual(1, update["data"]["degraded"])
            self.assertLess(0, component(client, "journal")["attempts"])
            journal.mkdir()
            client.wait_event("health_alert", component="journal", state="healthy")
            wait_until(lambda: healthz(named) == (200, {"status": "ok", "components": healthz(named)[1]["components"]}),
                       "all to be well")
            asker.check()

    def test_who_loses_events_is_not_ready_but_alive(self):
        with Named(ZONES, yaml={"health": QUICK}, start="no") as named:
            database = sqlite3.connect(named.folder / "bindcast.db")
            database.executescript("CREATE TABLE mine (a)")
            database.close()
            named._start_as = "answering"
            named.start()
            with Client(named) as client:
                client.subscribe_from_start(event_types=["health_alert"])
                alert = client.wait_event("health_alert", component="journal", state="unhealthy")
                self.assertEqual(("critical", "critical"), (alert["priority"], alert["severity"]))
                self.assertNotIn("next_attempt", alert["data"])
                self.assertEqual((503, "unhealthy"), (healthz(named)[0], healthz(named)[1]["status"]))
                self.assertEqual((200, {"status": "ok"}), healthz(named, "/healthz?live"))
                named.query("www.example.com")


if __name__ == "__main__":
    unittest.main()
