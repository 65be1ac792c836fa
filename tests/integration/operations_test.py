#!/usr/bin/env python3
"""Health, reflection, metrics and status with stock tools, and stopping in good order."""

import os
import re
import signal
import threading
import time
import unittest

from harness import (DE, JP, PATIENCE, US, Load, Mesh, Server, await_that, grpc, health_pb2,
                     new_folder, refusal_of, refused, topology, write_topology)
from grpc.reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
SAMPLE = re.compile(
    r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\n]|\\[\\\"n])*\",?)*)\})?"
    r" (NaN|[+-]Inf|[+-]?[0-9.eE+-]+)$")


def parse_metrics(page):
    """Prometheus' text format, strictly: every sample belongs to a family with help and type."""
    families, kinds = {}, {}
    for line in page.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in families, f"{name} stands twice"
            families[name] = []
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped"), line
            assert name in families and name not in kinds, line
            kinds[name] = kind
            continue
        match = SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        name = match.group(1)
        family = name if name in kinds else re.sub("_(bucket|sum|count)$", "", name)
        assert family in kinds, f"{name} has no type"
        labels = dict(re.findall(r"([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\]|\\.)*)\"",
                                 match.group(2) or ""))
        families[family].append((name, labels, float(match.group(3))))
    for name, kind in kinds.items():
        assert kind != "counter" or name.endswith("_total"), f"counter {name} does not say so"
        for sample, _, value in families[name]:
            assert kind != "counter" or value >= 0, sample
    return families


class TwoRegionsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh([DE, JP], storage={"heartbeat_interval": "100ms"})
        cls.client = cls.mesh[0].client()
        cls.client.put("x", b"v")
        there = cls.mesh[1].client()
        await_that("replication", lambda: there.get("x", local_only=True).item.value == b"v")

    @classmethod
    def tearDownClass(cls):
        cls.mesh.kill()

    def test_health_is_told_for_the_server_and_each_region(self):
        self.assertEqual(self.client.check_health(""), SERVING)
        self.assertEqual(self.client.check_health("region/" + DE.name), SERVING)
        await_that("the other region", lambda: self.client.check_health("region/" + JP.name) == SERVING)
        for service in ("homeport.v1.KeyValue", "homeport.v1.Locator", "homeport.v1.Admin"):
            self.assertEqual(self.client.check_health(service), SERVING, service)
        self.assertEqual(refused(self.client.check_health, "region/nowhere").code, "NOT_FOUND")

    def test_a_watch_of_something_unknown_says_so_and_goes_on(self):
        watch = self.client.health.Watch(health_pb2.HealthCheckRequest(service="region/nowhere"),
                                         timeout=PATIENCE)
        self.assertEqual(next(watch).status, SERVICE_UNKNOWN)
        watch.cancel()

    def test_reflection_lists_every_public_service_and_gives_their_files(self):
        stub = reflection_pb2_grpc.ServerReflectionStub(self.client.channel)
        requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
        answer = next(stub.ServerReflectionInfo(iter(requests), timeout=PATIENCE))
        names = {service.name for service in answer.list_services_response.service}
        self.assertLessEqual({"homeport.v1.KeyValue", "homeport.v1.Locator", "homeport.v1.Admin",
                              "grpc.health.v1.Health"}, names)
        self.assertFalse([name for name in names if "internal" in name], names)
        from google.protobuf import descriptor_pb2, descriptor_pool
        for name in sorted(names):
            # What a generic client does: the file and all that it imports, into an empty pool.
            pool, wanted, files = descriptor_pool.DescriptorPool(), [], {}
            request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
            answer = next(stub.ServerReflectionInfo(iter([request]), timeout=PATIENCE))
            wanted.extend(answer.file_descriptor_response.file_descriptor_proto)
            self.assertTrue(wanted, name)
            while wanted:
                file = descriptor_pb2.FileDescriptorProto.FromString(wanted.pop())
                files[file.name] = file
                for imported in file.dependency:
                    if imported in files:
                        continue
                    request = reflection_pb2.ServerReflectionRequest(file_by_filename=imported)
                    answer = next(stub.ServerReflectionInfo(iter([request]), timeout=PATIENCE))
                    wanted.extend(answer.file_descriptor_response.file_descriptor_proto)

            def add(file_name):
                if files[file_name] is None:
                    return
                file, files[file_name] = files[file_name], None
                for imported in file.dependency:
                    add(imported)
                pool.Add(file)
            for file_name in list(files):
                add(file_name)
            self.assertTrue(pool.FindServiceByName(name).methods)

    def test_metrics_are_valid_and_the_families_are_there(self):
        for server, peer in ((self.mesh[0], JP), (self.mesh[1], DE)):
            families = await_that("lag", lambda s=server: (
                f := parse_metrics(s.scrape())) and f.get("homeport_link_lag_seconds") and f)
            for name in ("homeport_gateway_requests_total", "homeport_gateway_request_seconds",
                         "homeport_gateway_requests_in_flight", "homeport_gateway_routes_total",
                         "homeport_replica_writes_total", "homeport_replica_writes_refused",
                         "homeport_link_state", "homeport_link_lag_entries",
                         "homeport_link_received_bytes_total", "homeport_link_connects_total",
                         "homeport_topology_changes_taken_total",
                         "homeport_topology_changes_refused_total", "homeport_topology_refused",
                         "homeport_geo_loads_total", "homeport_geo_refusals_total"):
                self.assertTrue(families.get(name), name)
            [(_, _, log_begin)] = families["homeport_log_begin"]
            self.assertGreaterEqual(log_begin, 1)
            lags = families["homeport_link_lag_seconds"]
            self.assertEqual([labels for _, labels, _ in lags], [{"peer": peer.name + "/a"}])
            self.assertLess(lags[0][2], PATIENCE)
            states = {labels["state"]: value
                      for _, labels, value in families["homeport_link_state"]}
            self.assertEqual(sum(states.values()), 1, states)

    def test_status_shows_links_lag_and_positions(self):
        def settled():
            status = self.client.status()
            links = status.replica.links
            return (len(links) == 1 and links[0].state == 3 and links[0].HasField("lag")
                    and links[0].peer_applied > 0 and status)
        status = await_that("a streaming link", settled)
        self.assertEqual((status.cluster, status.region), ("test", DE.name))
        self.assertEqual(status.replica.name, DE.name + "/a")
        self.assertEqual(status.replica.links[0].peer, JP.name + "/a")
        self.assertEqual(status.replica.positions[0].origin, status.replica.origin)
        self.assertEqual(len(status.regions), 2)
        self.assertEqual([r.is_self for r in status.regions], [True, False])
        other = self.mesh[1].client().status()
        self.assertEqual(status.topology_fingerprint, other.topology_fingerprint)

    def test_namespaces_are_listed_by_pages(self):
        from homeport.v1 import admin_pb2
        answer = self.client.call(self.client.admin.ListNamespaces,
                                  admin_pb2.ListNamespacesRequest(page_size=1))
        self.assertEqual([n.name for n in answer.namespaces], ["demo"])
        self.assertEqual(answer.namespaces[0].write_mode, "ANY_REGION")
        self.assertFalse(answer.next_page_token)


class HealthWatchTest(unittest.TestCase):

    def test_a_watch_sees_a_region_die_and_come_back_and_the_server_drain(self):
        mesh = Mesh([DE, JP])
        self.addCleanup(mesh.kill)
        client = mesh[0].client()
        seen = {"region/" + JP.name: [], "": []}

        def watch(service):
            try:
                for answer in client.health.Watch(health_pb2.HealthCheckRequest(service=service)):
                    seen[service].append(answer.status)
            except grpc.RpcError:
                seen[service].append("ended")
        for service in seen:
            threading.Thread(target=watch, args=(service,), daemon=True).start()
        region = seen["region/" + JP.name]
        await_that("serving", lambda: SERVING in region and seen[""] == [SERVING])
        mesh[1].kill()
        await_that("not serving", lambda: region[-1] == NOT_SERVING)
        mesh[1].start()
        await_that("serving again", lambda: region[-1] == SERVING)
        self.assertEqual(mesh[0].terminate(), 0)
        await_that("the end", lambda: seen[""][-1] == "ended")
        self.assertEqual(seen[""][:2], [SERVING, NOT_SERVING])


class DrainTest(unittest.TestCase):

    def test_sigterm_says_not_serving_first_finishes_and_loses_nothing(self):
        folder = new_folder()
        file = write_topology(os.path.join(folder, "topology.yaml"),
                              topology([DE], gateway={"drain_delay": "1s"}))
        server = Server(file, DE).start()
        self.addCleanup(server.kill)
        acknowledged, failed = [set() for _ in range(4)], []
        stopped_serving = threading.Event()
        after = []

        def work(worker):
            client = server.client()
            number = 0
            while True:
                told = stopped_serving.is_set()
                try:
                    client.put(f"{worker}-{number}", b"v" * 2000, request_id=f"{worker}-{number}")
                except grpc.RpcError as error:
                    failed.append(refusal_of(error))
                    return
                acknowledged[worker].add(number)
                if told:
                    after.append(number)
                number += 1

        threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(4)]
        for thread in threads:
            thread.start()
        await_that("load", lambda: all(len(done) > 20 for done in acknowledged))
        watch = server.client().health.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        self.assertEqual(next(watch).status, SERVING)
        server.signal(signal.SIGTERM)
        self.assertEqual(next(watch).status, NOT_SERVING)
        stopped_serving.set()
        self.assertEqual(server.process.wait(PATIENCE), 0)
        for thread in threads:
            thread.join(PATIENCE)
        # It went on taking requests while balancers look away.
        self.assertTrue(after)
        # Once it stopped, no call was taken. gRPC itself ends one that arrives between its shutdown
        # and the client's knowledge of it as CANCELLED.
        self.assertEqual(len(failed), 4)
        for refusal in failed:
            self.assertIn((refusal.code, refusal.reason),
                          (("UNAVAILABLE", ""), ("CANCELLED", "")), refusal)
        levels = [line["level"] for line in server.log_lines()]
        self.assertNotIn("error", levels)
        server.start()
        client = server.client()
        for worker, numbers in enumerate(acknowledged):
            for number in numbers:
                self.assertTrue(client.get(f"{worker}-{number}").HasField("item"),
                                (worker, number))
        self.assertEqual(server.terminate(), 0)

    def test_a_drained_process_hands_what_it_has_to_its_peers(self):
        mesh = Mesh([DE, JP])
        self.addCleanup(mesh.kill)
        here, there = mesh[0].client(), mesh[1].client()
        here.put("first", b"v", local_only=True)
        await_that("the link", lambda: there.get("first", local_only=True).HasField("item"))
        for number in range(100):
            here.put(f"{number}", b"v" * 1000, local_only=True)
        self.assertEqual(mesh[0].terminate(), 0)
        await_that("all of it", lambda: all(
            there.get(f"{number}", local_only=True).HasField("item") for number in range(100)))

    def test_sigint_drains_too(self):
        folder = new_folder()
        file = write_topology(os.path.join(folder, "topology.yaml"), topology([DE]))
        server = Server(file, DE).start()
        server.signal(signal.SIGINT)
        self.assertEqual(server.process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
