#!/usr/bin/env python3
"""Writes that wait for other regions, several replicas in a region, and regions that come and go."""

import json
import os
import signal
import subprocess
import unittest

from harness import (AU, BR, DE, JP, PATIENCE, PROGRAM, US, WORLD, Load, Mesh, Region, Server,
                     await_that, free_ports, grpc, new_folder, refusal_of, refused, run,
                     topology, write_topology)

SE = Region("eu-north-1", "SE", 59.3293, 18.0686)
STREAMING = 3
SERVING, LEAVING = 3, 4


def links_of(server):
    client = server.client()
    try:
        return {link.peer: link for link in client.status().replica.links}
    finally:
        client.close()


def await_links(servers):
    for server in servers:
        await_that(f"links of {server.region}", lambda s=server: all(
            link.state == STREAMING for link in links_of(s).values()))


class WideWritesTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh((US, BR, DE))
        await_links(cls.mesh.servers)
        cls.client = cls.mesh[0].client()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.mesh.kill()

    def write(self, id, regions, **options):
        return self.client.put(id, b"v", region_choice=2, acknowledged_by_regions=regions,
                               **options)

    def test_a_write_is_answered_once_as_many_regions_have_it(self):
        answer = self.write("wide", 2)
        self.assertEqual(answer.acknowledged_by_regions, 2)
        for server in (self.mesh[1], self.mesh[2]):
            there = server.client()
            self.assertEqual(there.get("wide", region_choice=2, local_only=True,
                                       consistency=1).item.value, b"v")
            there.close()

    def test_a_cut_link_says_how_many_had_it_and_a_healed_one_is_no_error(self):
        self.mesh[2].signal(signal.SIGSTOP)
        try:
            error = refused(self.write, "cut", 2, timeout=1.5, request_id="once")
            self.assertEqual((error.code, error.reason), ("DEADLINE_EXCEEDED", "NOT_YET_REPLICATED"),
                             error)
            self.assertEqual((error.metadata["have"], error.metadata["want"]), ("1", "2"))
            # It stands all the same.
            self.assertEqual(self.client.get("cut", region_choice=2).item.value, b"v")
            line = run("put", "cut/2", "v", "--gateway", self.mesh[0].public, "--local-only",
                       "--regions", "2", "--timeout", "1500ms")
            self.assertEqual(line.returncode, 7, line)
            self.assertIn("1 of the 2", line.stderr)
        finally:
            self.mesh[2].signal(signal.SIGCONT)
        answer = self.write("cut", 2, timeout=PATIENCE, request_id="once")
        self.assertEqual(answer.acknowledged_by_regions, 2)
        line = run("put", "cut/3", "v", "--gateway", self.mesh[0].public, "--local-only",
                   "--regions", "2", "--timeout", "20s")
        self.assertEqual(line.returncode, 0, line)
        self.assertIn("other regions that have it: 2", line.stdout)

    def test_more_regions_than_there_are_are_refused(self):
        error = refused(self.write, "never", 3)
        self.assertEqual(error.code, "INVALID_ARGUMENT")
        self.assertEqual(error.metadata["field"], "options.acknowledged_by_regions")


class SiblingsTest(unittest.TestCase):

    def test_one_replica_pulls_from_afar_and_the_other_takes_over_when_it_dies(self):
        ports = free_ports(6)
        whole = topology((US, DE), ports=ports[:4])
        whole["regions"][0]["replicas"].append(
            {"name": "b", "address": f"127.0.0.1:{ports[5]}"})
        path = write_topology(os.path.join(new_folder(), "topology.yaml"), whole)
        first = Server(path, US, any_port=False, flags=["--replica", "a"])
        second = Server(path, US, any_port=False,
                        flags=["--replica", "b", "--listen", f"127.0.0.1:{ports[4]}"])
        far = Server(path, DE, any_port=False)
        for server in (first, second, far):
            server.start()
            self.addCleanup(server.kill)
        far_replica = f"{DE.name}/a"
        await_that("the second replica standing by",
                   lambda: links_of(second)[far_replica].standby)
        self.assertFalse(links_of(first)[far_replica].standby)
        writer = far.client()
        self.addCleanup(writer.close)
        reader = second.client()
        self.addCleanup(reader.close)

        def arrives(id, value):
            writer.put(id, value, region_choice=2, local_only=True)
            await_that(f"{id} at the second replica", lambda: reader.get(
                id, local_only=True, consistency=1).item.value == value)

        entries = links_of(second)[far_replica].entries_received
        for number in range(20):
            arrives(f"relayed/{number}", b"1")
        link = links_of(second)[far_replica]
        self.assertEqual(link.entries_received, entries)  # they came by its sibling
        self.assertIn('homeport_link_standby{peer="eu-central-1/a"} 1', second.scrape())

        first.kill()
        await_that("the second replica pulling", lambda: not links_of(second)[far_replica].standby)
        for number in range(20):
            arrives(f"pulled/{number}", b"2")
        self.assertGreater(links_of(second)[far_replica].entries_received, entries)
        first.start()
        await_that("the first replica pulling again",
                   lambda: links_of(second)[far_replica].standby)
        arrives("again", b"3")


class JoinAndLeaveTest(unittest.TestCase):

    def follow(self, verb, server):
        return subprocess.Popen(
            [PROGRAM, "region", verb, SE.name, "--gateway", self.mesh[0].public, "--at",
             server.public, "--wait", "60s"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def roll_out(self, **fields):
        whole = json.loads(json.dumps(self.whole))
        for region in whole["regions"]:
            if region["name"] == SE.name:
                region.update(fields)
        write_topology(self.mesh.topology_file, whole)
        servers = self.mesh.servers + ([self.sixth] if self.sixth else [])
        for server in servers:
            if server.is_alive():
                server.signal(signal.SIGHUP)

    def test_a_sixth_region_joins_under_load_and_leaves_and_nothing_is_lost(self):
        self.sixth = None
        self.mesh = Mesh(WORLD, storage={"compare_interval": "500ms"})
        self.addCleanup(self.mesh.kill)
        await_links(self.mesh.servers)
        with open(self.mesh.topology_file, encoding="utf-8") as file:
            self.whole = json.load(file)
        clients = [server.client() for server in self.mesh.servers]
        for number in range(200):
            clients[number % 5].put(f"before/{number}", b"x" * 100, region_choice=2,
                                    local_only=True)
        missing = run("region", "join", SE.name, "--gateway", self.mesh[0].public)
        self.assertEqual(missing.returncode, 4, missing)
        self.assertIn("joining: true", missing.stderr)

        acknowledged = [[] for _ in range(2)]

        def work(worker, number):
            id = f"during/{worker}/{number}"
            clients[worker].put(id, b"y", region_choice=2, local_only=True)
            acknowledged[worker].append(id)

        ports = free_ports(2)
        self.whole["regions"].append(dict(
            SE._asdict(), gateways=[f"127.0.0.1:{ports[0]}"], joining=True,
            replicas=[{"name": "a", "address": f"127.0.0.1:{ports[1]}"}]))
        with Load(work) as load:
            self.roll_out()
            self.sixth = Server(self.mesh.topology_file, SE, any_port=False)
            self.addCleanup(self.sixth.kill)
            self.sixth.start()
            join = self.follow("join", self.sixth)
            output, errors = join.communicate(timeout=90)
            self.assertEqual(join.returncode, 0, (output, errors))
            self.assertIn(f"{SE.name} serves", output)
            load.await_more()
        self.assertEqual(load.failures, [])  # no write was paused anywhere
        here = self.sixth.client()
        self.addCleanup(here.close)
        self.assertEqual(here.status().replica.phase, SERVING)
        self.assertEqual(here.put("from/sixth", b"z", local_only=True).provenance.region, SE.name)

        self.roll_out(joining=False, leaving=True)
        error = None
        def leaving():
            return here.status().replica.phase == LEAVING
        await_that("the sixth region leaving", leaving)
        error = refused(here.put, "too/late", b"", local_only=True)
        self.assertEqual((error.code, error.reason), ("UNAVAILABLE", "REGION_LEAVING"))
        # Others' gateways and its own send writes elsewhere.
        self.assertNotEqual(here.put("elsewhere", b"").provenance.region, SE.name)
        leave = self.follow("leave", self.sixth)
        output, errors = leave.communicate(timeout=90)
        self.assertEqual(leave.returncode, 0, (output, errors))
        self.assertIn("remove it from the topology file", output)
        self.assertEqual(self.sixth.terminate(), 0)
        left = self.whole["regions"].pop()
        self.roll_out()

        wanted = ([f"before/{n}" for n in range(200)] + sum(acknowledged, []) + ["from/sixth"])
        for server, client in zip(self.mesh.servers, clients):
            for id in wanted:
                await_that(f"{id} in {server.region}", lambda i=id, c=client: c.get(
                    i, region_choice=2, local_only=True, consistency=1).HasField("item"))
            client.close()

        # Its old disk under an old topology: what it took now would go with that disk.
        old_file = os.path.join(self.sixth.folder, "old.yaml")
        left.pop("joining")
        write_topology(old_file, {**self.whole, "regions": self.whole["regions"] + [left]})
        again = Server(old_file, SE, data=self.sixth.data, any_port=False)
        self.addCleanup(again.kill)
        there = again.start().client()
        self.addCleanup(there.close)

        def is_refused():
            try:
                there.put("too/late", b"", local_only=True)
            except grpc.RpcError as error:
                refusal = refusal_of(error)
                return (refusal.reason == "REPLICA_LEFT"
                        and "empty data directory" in refusal.message)
            return False
        await_that("the replica that left refusing writes", is_refused)


if __name__ == "__main__":
    unittest.main(verbosity=2)
