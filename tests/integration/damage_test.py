#!/usr/bin/env python3
"""A damaged data directory: moved aside and filled anew from the peers, or refused where nobody has
the same."""

import os
import random
import re
import unittest

from harness import (BR, DE, Mesh, Server, US, await_that, new_folder, refusal_of, run, topology,
                     write_topology)

COUNT = 60


def value_of(number):
    return random.Random(number).randbytes(1000)  # not compressible, so that tables are large


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def largest(data, pattern):
    found = [os.path.join(data, name) for name in os.listdir(data) if re.fullmatch(pattern, name)]
    return max(found, key=os.path.getsize)


def reads_everything(server):
    client = server.client()
    try:
        return all(client.get(f"k{number}", local_only=True, consistency=1).item.value
                   == value_of(number) for number in range(COUNT))
    except Exception as error:  # pylint: disable=broad-except
        if refusal_of(error).reason in ("CATCHING_UP", "STORAGE_FAILED", "DRAINING") or \
                refusal_of(error).code == "UNAVAILABLE":
            return False
        raise
    finally:
        client.close()


class RebuildTest(unittest.TestCase):

    def setUp(self):
        self.mesh = Mesh((US, BR, DE))
        self.addCleanup(self.mesh.kill)
        client = self.mesh[0].client()
        for number in range(COUNT):
            client.put(f"k{number}", value_of(number))
        client.close()
        self.victim = self.mesh[0]
        for server in self.mesh.servers:
            await_that(f"everything at {server.region}", lambda s=server: reads_everything(s))

    def await_rebuilt(self):
        aside = os.path.join(self.victim.data, "damaged-000001")
        await_that("the damaged store aside", lambda: os.path.exists(aside))
        await_that("everything again", lambda: reads_everything(self.victim))
        self.assertTrue(any(line.get("moved_to") == aside for line in self.victim.log_lines()),
                        self.victim.log()[-3000:])
        client = self.victim.client()
        self.assertTrue(any(aside in warning for warning in client.status().warnings))
        client.put("after", b"v")
        client.close()

    def test_a_damaged_log_is_moved_aside_at_the_start_and_the_peers_fill_it_anew(self):
        self.victim.kill()
        path = largest(self.victim.data, r"\d+\.log")
        flip(path, os.path.getsize(path) // 2)
        self.victim.start()
        self.await_rebuilt()

    def damage_tables(self):
        self.victim.kill()
        self.victim.start()  # what was in the log is in tables
        self.victim.kill()
        for name in os.listdir(self.victim.data):
            path = os.path.join(self.victim.data, name)
            if name.endswith(".sst") and os.path.getsize(path) > COUNT * 100:
                flip(path, 100)
        self.victim.start()

    def test_a_table_that_nobody_reads_is_found_damaged_and_filled_anew(self):
        self.damage_tables()
        await_that("the damage found", lambda: os.path.exists(
            os.path.join(self.victim.data, "damaged-000001")))
        self.await_rebuilt()

    def test_a_table_found_damaged_by_a_read_is_filled_anew_without_an_operator(self):
        self.damage_tables()
        await_that("the damage met, and everything again", lambda: reads_everything(self.victim)
                   and os.path.exists(os.path.join(self.victim.data, "damaged-000001")))
        self.await_rebuilt()


class RefusalTest(unittest.TestCase):

    def refuse(self, regions, *flags):
        file = write_topology(os.path.join(new_folder(), "topology.yaml"), topology(regions))
        server = Server(file, DE).start()
        client = server.client()
        for number in range(COUNT):
            client.put(f"k{number}", value_of(number), local_only=True)
        client.close()
        server.kill()
        path = largest(server.data, r"\d+\.log")
        flip(path, os.path.getsize(path) // 2)
        before = sorted(os.listdir(server.data))
        ended = run("serve", "--topology", file, "--region", DE.name, "--data", server.data,
                    "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0", *flags)
        self.assertGreater(ended.returncode, 0, ended.stderr)
        self.assertIn(server.data, ended.stderr)
        self.assertIn("damaged", ended.stderr)
        self.assertEqual([name for name in os.listdir(server.data) if "damaged" in name], [])
        self.assertTrue({"CURRENT", os.path.basename(path)} <= set(before))
        return ended.stderr

    def test_the_only_replica_is_not_begun_anew_and_says_what_to_do(self):
        self.assertIn("sound copy", self.refuse([DE]))

    def test_keep_damaged_refuses_and_changes_nothing(self):
        self.assertIn("--keep-damaged", self.refuse([DE, US], "--keep-damaged"))


if __name__ == "__main__":
    unittest.main()
