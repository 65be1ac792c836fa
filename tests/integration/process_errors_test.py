#!/usr/bin/env python3
"""What a process says when it can not start, or is out of disk: each error names the thing."""

import os
import re
import shutil
import socket
import subprocess
import unittest

from harness import (DATABASE, DE, US, Server, await_that, free_ports, new_folder, refusal_of, refused,
                     run,
                     topology, write_topology)


class StartTest(unittest.TestCase):

    def setUp(self):
        self.folder = new_folder()
        self.file = write_topology(os.path.join(self.folder, "topology.yaml"), topology([DE]))
        self.data = os.path.join(self.folder, "data")

    def serve(self, *flags, file=None, region="eu-central-1", data=None, listen="127.0.0.1:0",
              internal="127.0.0.1:0"):
        ended = run("serve", "--topology", file or self.file, "--region", region,
                    "--data", data or self.data, "--listen", listen, "--internal-listen", internal,
                    *flags)
        self.assertNotEqual(ended.returncode, 0, ended.stderr)
        self.assertNotIn("terminate called", ended.stderr)
        self.assertGreater(ended.returncode, 0, "ended by a signal")
        return ended

    def test_a_misspelt_field_is_named_with_file_line_and_path(self):
        text = ("cluster: test\n"
                "regions:\n"
                "  - name: eu-central-1\n"
                "    contry: DE\n"
                "    latitude: 50.1\n"
                "    longitude: 8.7\n"
                "    gateways: [\"127.0.0.1:7011\"]\n"
                "    replicas:\n"
                "      - {name: a, address: \"127.0.0.1\"}\n"
                "namespaces:\n"
                "  - name: demo\n"
                "    regions: [eu]\n")
        path = write_topology(os.path.join(self.folder, "bad.yaml"), text)
        for said in (self.serve(file=path).stderr, run("config", "check", path).stderr):
            self.assertIn(f"{path}:4: regions[0].contry: ", said)
            self.assertIn("country", said)
            self.assertIn(f"{path}:9: regions[0].replicas[0].address: ", said)
            self.assertIn(f"{path}:12: namespaces[0].regions[0]: ", said)
        self.assertFalse(os.path.exists(self.data), "a refused start made a data directory")

    def test_a_missing_topology_is_named(self):
        path = os.path.join(self.folder, "nowhere.yaml")
        self.assertIn(path, self.serve(file=path).stderr)

    def test_an_unknown_region_is_named_with_those_that_are_there(self):
        said = self.serve(region="eu-centrl-1").stderr
        self.assertIn("--region", said)
        self.assertIn("'eu-centrl-1'", said)
        self.assertIn("eu-central-1", said)

    def test_an_unknown_flag_is_named(self):
        said = self.serve("--regoin", "x")
        self.assertEqual(said.returncode, 2)
        self.assertIn("--regoin", said.stderr)

    def test_a_busy_port_is_named_whichever_it_is(self):
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            address = f"127.0.0.1:{busy.getsockname()[1]}"
            for number, flags in enumerate(({"listen": address}, {"internal": address})):
                said = self.serve(data=os.path.join(self.folder, f"d{number}"), **flags).stderr
                self.assertIn(address, said)
                self.assertRegex(said, "(?i)in use")
            said = self.serve("--metrics", address).stderr
            self.assertIn(address, said)
            self.assertRegex(said, "(?i)in use")

    def test_a_public_address_without_tls_is_refused_naming_the_flag(self):
        said = self.serve(listen="0.0.0.0:0").stderr
        self.assertIn("0.0.0.0", said)
        self.assertIn("--insecure-plaintext", said)

    def test_a_data_directory_of_another_replica_is_refused_and_left_as_it_is(self):
        two = write_topology(os.path.join(self.folder, "two.yaml"), topology([DE, US]))
        server = Server(two, DE, data=self.data).start()
        server.client().put("mine", b"v")
        self.assertEqual(server.terminate(), 0)
        said = self.serve(file=two, region="us-east-1").stderr
        self.assertIn(self.data, said)
        self.assertIn("eu-central-1/a", said)
        self.assertIn("us-east-1/a", said)
        other = write_topology(os.path.join(self.folder, "cluster.yaml"),
                               topology([DE], cluster="another"))
        said = self.serve(file=other).stderr
        self.assertIn(self.data, said)
        self.assertIn("another", said)
        server = Server(two, DE, data=self.data).start()
        self.assertEqual(server.client().get("mine").item.value, b"v")
        self.assertEqual(server.terminate(), 0)

    def test_a_data_directory_in_use_is_refused_and_its_owner_serves_on(self):
        server = Server(self.file, DE, data=self.data).start()
        said = self.serve().stderr
        self.assertIn(self.data, said)
        self.assertRegex(said, "in use")
        server.client().put("still", b"v")
        self.assertEqual(server.terminate(), 0)

    def test_a_data_directory_that_is_a_file_is_named(self):
        with open(self.data, "w", encoding="utf-8") as file:
            file.write("not a directory")
        self.assertIn(self.data, self.serve().stderr)

    def test_a_damaged_data_directory_is_refused_not_opened_with_less(self):
        server = Server(self.file, DE, data=self.data).start()
        client = server.client()
        for number in range(50):
            client.put(f"r{number}", b"x" * 1000)
        server.kill()
        logs = [name for name in os.listdir(self.data) if re.fullmatch(r"\d+\.log", name)]
        self.assertTrue(logs)
        path = max((os.path.join(self.data, name) for name in logs), key=os.path.getsize)
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
        said = self.serve().stderr
        self.assertIn(self.data, said)
        self.assertRegex(said, "(?i)damaged|corrupt")

    def test_a_damaged_database_is_named_and_it_serves_without(self):
        path = os.path.join(self.folder, "damaged.mmdb")
        shutil.copy(DATABASE, path)
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) // 2)
        file = write_topology(os.path.join(self.folder, "geo.yaml"),
                              topology([DE], geo={"databases": [{"path": "damaged.mmdb"}]}))
        server = Server(file, DE).start()
        client = server.client()
        client.put("x", b"v")
        answer = client.locate("8.8.8.8")
        self.assertEqual(answer.source, 5, answer)  # DEFAULT
        self.assertEqual(answer.region, "eu-central-1")
        self.assertTrue(answer.warning)
        warnings = list(client.status().warnings)
        self.assertTrue(any("damaged.mmdb" in warning for warning in warnings), warnings)
        self.assertTrue(any("damaged.mmdb" in str(line) for line in server.log_lines()))
        server.kill()

    def test_every_line_of_the_log_is_one_json_object_without_values_or_tokens(self):
        server = Server(self.file, DE, flags=["--debug"]).start()
        client = server.client()
        token = client.put("id", b"the-secret-value").session_token
        client.get("id", session_token=token)
        refused(client.get, "id", namespace="nope")
        self.assertEqual(server.terminate(), 0)
        self.assertNotIn("the-secret-value", server.log())
        for line in server.log_lines():
            self.assertIsInstance(line, dict)
            self.assertIn("level", line)


class FullDiskTest(unittest.TestCase):
    """On a small disk of its own."""

    SIZE_MIB = 192

    def setUp(self):
        self.disk = os.path.join(new_folder(), "disk")
        os.mkdir(self.disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE_MIB}m", "none",
                                  self.disk], capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("needs to mount a tmpfs: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)

    def test_writes_are_refused_reads_go_on_and_it_recovers_by_itself(self):
        file = write_topology(os.path.join(new_folder(), "topology.yaml"),
                              topology([DE], storage={"disk_reserve_bytes": "48MiB"}))
        data = os.path.join(self.disk, "data")
        server = Server(file, DE, data=data).start()
        self.addCleanup(server.kill)
        client = server.client()
        client.put("before", b"kept")
        ballast = os.path.join(self.disk, "others")
        free = os.statvfs(self.disk)
        with open(ballast, "wb") as other:
            os.posix_fallocate(other.fileno(), 0, free.f_bavail * free.f_frsize - (8 << 20))

        def put_refusal():
            try:
                client.put("more", b"x")
            except Exception as error:  # pylint: disable=broad-except
                return error
            return None

        await_that("a refusal", put_refusal)
        refusal = refused(client.put, "more", b"x")
        self.assertEqual((refusal.code, refusal.reason), ("RESOURCE_EXHAUSTED", "DISK_FULL"),
                         refusal)
        self.assertEqual(refusal.metadata.get("path"), data)
        self.assertEqual(client.get("before").item.value, b"kept")
        self.assertTrue(any("writes are refused" in w for w in client.status().warnings))
        self.assertTrue(client.status().replica.writes_refused)
        os.remove(ballast)
        await_that("writes again", lambda: put_refusal() is None)
        self.assertEqual(client.get("more").item.value, b"x")
        self.assertFalse(client.status().replica.writes_refused)
        self.assertEqual(server.terminate(), 0)

    def test_storage_that_failed_on_a_full_disk_takes_writes_by_itself_once_there_is_room(self):
        file = write_topology(os.path.join(new_folder(), "topology.yaml"),
                              topology([DE], storage={"disk_reserve_bytes": "1MiB"}))
        server = Server(file, DE, data=os.path.join(self.disk, "data")).start()
        self.addCleanup(server.kill)
        client = server.client()
        ballast = os.path.join(self.disk, "others")
        free = os.statvfs(self.disk)
        # Above the reserve, so that the storage itself meets the end before the next look at it.
        with open(ballast, "wb") as other:
            os.posix_fallocate(other.fileno(), 0, free.f_bavail * free.f_frsize - (40 << 20))
        acknowledged = []
        value = os.urandom(1 << 20)

        def full():
            try:
                client.put(f"{len(acknowledged)}", value)
            except Exception as error:  # pylint: disable=broad-except
                return refusal_of(error).reason
            acknowledged.append(f"{len(acknowledged)}")
            return None

        await_that("a full disk", full)
        for name in acknowledged:
            self.assertEqual(client.get(name).item.value, value)
        os.remove(ballast)
        await_that("writes again", lambda: full() is None)
        # The ports are the same, and nothing is missing.
        for name in acknowledged:
            self.assertEqual(client.get(name).item.value, value)
        self.assertEqual(server.terminate(), 0)

    def test_a_disk_filled_to_the_last_byte_by_writes_loses_none_that_was_acknowledged(self):
        file = write_topology(os.path.join(new_folder(), "topology.yaml"),
                              topology([DE], storage={"disk_reserve_bytes": "1MiB"}))
        data = os.path.join(self.disk, "data")
        server = Server(file, DE, data=data).start()
        self.addCleanup(server.kill)
        client = server.client()
        acknowledged = 0
        # Not compressible, so that each takes its size.
        for number in range(self.SIZE_MIB * 2):
            try:
                client.put(f"{number:06}", os.urandom(1 << 20))
            except Exception as error:  # pylint: disable=broad-except
                # By the reserve before it is full, or by a compaction that met the end first.
                self.assertIn(refusal_of(error).reason, ("DISK_FULL", "OUTCOME_UNKNOWN"),
                              server.log()[-3000:])
                break
            acknowledged += 1
        else:
            self.fail("the disk never was full")
        self.assertGreater(acknowledged, 10)
        self.assertEqual(len(client.get("000000").item.value), 1 << 20)
        server.kill()
        server = Server(file, DE, data=data).start()
        self.addCleanup(server.kill)
        client = server.client()
        for number in range(acknowledged):
            self.assertEqual(len(client.get(f"{number:06}").item.value), 1 << 20, number)


if __name__ == "__main__":
    unittest.main()
