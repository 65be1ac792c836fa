#!/usr/bin/env python3
"""Sessions of the Python and the Node package between two regions: cuts, deaths, lost answers."""

import json
import os
import shutil
import subprocess
import sys
import threading
import unittest

REPOSITORY = os.environ["HOMEPORT_REPOSITORY"]
for folder in ("tests/integration", "tests/faults", "tests/client", "tests/client/python",
               "client/python"):
    sys.path.insert(0, os.path.join(REPOSITORY, folder))

from harness import DE, Server, await_that, free_ports, new_folder, topology
from harness import write_topology
from mesh import FaultMesh, Network
from node_modules import node_modules

# Whoever notices first that the time is over says it.
NOT_THERE_YET = (["UNAVAILABLE", "TOKEN_AHEAD"], ["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"],
                 ["DEADLINE_EXCEEDED", ""])
US, BR = 0, 1


class NodeDriver:

    def __init__(self, modules):
        self.process = subprocess.Popen(
            ["node", os.path.join(REPOSITORY, "tests", "client", "node", "driver.js"),
             os.path.join(REPOSITORY, "proto")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=dict(os.environ, NODE_PATH=modules), text=True)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def ask(self, command, **what):
        self.process.stdin.write(json.dumps(dict(command=command, **what)) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        assert "bug" not in said, said["bug"]
        return said


class Roaming:
    """The same for every language; `driver` makes the calls."""

    def setUp(self):
        self.driver = self.new_driver()
        self.addCleanup(self.driver.close)

    def start_mesh(self):
        self.mesh = FaultMesh(2)
        self.addCleanup(self.mesh.kill)
        self.gateways = [server.public for server in self.mesh.servers]

    def session(self, *gateways, timeout=10.0, token=""):
        return self.driver.ask("session", gateways=gateways, timeout=timeout, token=token)["ok"]

    def get(self, session, id, namespace="registers", **options):
        return self.driver.ask("get", session=session, namespace=namespace, id=id, options=options)

    def put(self, session, id, value, **options):
        return self.driver.ask("put", session=session, namespace="registers", id=id, value=value,
                               options=options)

    def export(self, session):
        return self.driver.ask("export", session=session)["ok"]

    def test_a_session_handed_over_during_a_cut_waits_for_its_past_and_nobody_else_does(self):
        self.start_mesh()
        here = self.session(self.gateways[US])
        self.assertEqual(self.put(here, "first", "1"), {"ok": "us-east-1/a"})
        there = self.session(self.gateways[BR], token=self.export(here))
        # Its own write on another continent, at once or as soon as that is there.
        self.assertEqual(self.get(there, "first", local_only=True), {"ok": ["1", 0]})

        self.mesh.link(US, BR, "cut")
        self.assertEqual(self.put(here, "second", "2"), {"ok": "us-east-1/a"})
        there = self.session(self.gateways[BR], timeout=1.0, token=self.export(here))
        self.assertIn(self.get(there, "second", local_only=True).get("error"), NOT_THERE_YET)
        stranger = self.session(self.gateways[BR])
        self.assertEqual(self.get(stranger, "second", local_only=True), {"ok": None})
        self.assertEqual(self.put(stranger, "third", "3"), {"ok": "sa-east-1/a"})

        self.mesh.heal()
        await_that("its past", lambda: self.get(there, "second", local_only=True) ==
                   {"ok": ["2", 0]})

    def test_what_concurrent_replies_saw_is_carried_together(self):
        self.start_mesh()
        here = self.session(self.gateways[US])
        count = 60
        self.assertEqual(self.driver.ask("put_many", session=here, namespace="registers", id="many",
                                         count=count), {"ok": count})
        there = self.session(self.gateways[BR], token=self.export(here))
        for number in range(count):
            self.assertEqual(self.get(there, f"many/{number}", local_only=True), {"ok": ["v", 0]})

    def test_a_gateway_that_dies_is_left_and_a_session_goes_on(self):
        self.start_mesh()
        session = self.session(*self.gateways)
        self.assertEqual(self.put(session, "x", "1"), {"ok": "us-east-1/a"})
        other = self.session(self.gateways[BR], token=self.export(session))
        self.assertEqual(self.get(other, "x", local_only=True), {"ok": ["1", 0]})
        self.mesh.servers[US].kill()
        # It was not sent where no connection is, so it is sent elsewhere.
        await_that("a write elsewhere", lambda: self.put(session, "x", "2") ==
                   {"ok": "sa-east-1/a"})
        self.assertEqual(self.get(session, "x"), {"ok": ["2", 0]})

    def test_a_lost_answer_is_asked_for_again_only_where_one_replica_can_have_it(self):
        self.start_mesh()
        port = free_ports(1)[0]
        relay = Network().relay(port, int(self.gateways[US].rsplit(":", 1)[1]))
        straight = self.session(self.gateways[US])
        for record, options, ends in (
                ("local", {"local_only": True}, {"ok": "us-east-1/a"}),
                ("free", {}, {"error": ["UNAVAILABLE", "OUTCOME_UNKNOWN"]})):
            relay.set("pass")
            session = self.session(f"127.0.0.1:{port}", timeout=20.0)
            self.assertIn("ok", self.get(session, record, "counters"))
            relay.set("swallow_back")
            said = []
            driver = self.driver
            self.driver = other = self.new_driver()
            self.addCleanup(other.close)
            straight = self.session(self.gateways[US])
            asks = threading.Thread(target=lambda: said.append(driver.ask(
                "add", session=session, namespace="counters", id=record, options=options)))
            asks.start()
            await_that("the write", lambda: self.get(straight, record, "counters") ==
                       {"ok": ["", 1]})
            relay.set("cut")
            relay.set("pass")
            asks.join(30)
            self.driver = driver
            self.assertEqual(said, [ends])
            straight = self.session(self.gateways[US])
            self.assertEqual(self.get(straight, record, "counters"), {"ok": ["", 1]})

    def test_a_token_that_is_worth_nothing_is_told_once_and_the_session_goes_on(self):
        self.start_mesh()
        elsewhere = Server(write_topology(os.path.join(new_folder(), "topology.yaml"), topology(
            [DE], ["registers"], cluster="another")), DE).start()
        self.addCleanup(elsewhere.kill)
        foreign = self.session(elsewhere.public)
        self.assertEqual(self.put(foreign, "x", "1"), {"ok": "eu-central-1/a"})
        session = self.session(self.gateways[US], token=self.export(foreign))
        self.assertEqual(self.get(session, "x"), {"error": ["FAILED_PRECONDITION", "TOKEN_FOREIGN"]})
        self.assertEqual(self.get(session, "x"), {"ok": None})

    def test_history_that_a_disk_took_along_is_told_once_and_the_session_goes_on(self):
        self.start_mesh()
        session = self.session(self.gateways[US])
        self.assertIn("ok", self.put(session, "kept", "1"))
        there = self.session(self.gateways[BR], token=self.export(session))
        self.assertEqual(self.get(there, "kept", local_only=True), {"ok": ["1", 0]})
        self.mesh.link(US, BR, "cut")
        self.assertIn("ok", self.put(session, "lost", "2"))
        self.mesh.servers[US].kill()
        shutil.rmtree(self.mesh.servers[US].data)
        self.mesh.heal()
        self.mesh.servers[US].start()
        there = self.session(self.gateways[BR], timeout=2.0, token=self.export(session))
        await_that("what became of it", lambda: self.get(there, "kept", local_only=True) == {
            "error": ["FAILED_PRECONDITION", "HISTORY_LOST"]})
        self.assertEqual(self.get(there, "kept", local_only=True), {"ok": ["1", 0]})
        self.assertEqual(self.get(there, "lost", local_only=True), {"ok": None})


class PythonTest(Roaming, unittest.TestCase):

    def new_driver(self):
        from driver import PythonDriver
        return PythonDriver()


class NodeTest(Roaming, unittest.TestCase):

    def new_driver(self):
        return NodeDriver(node_modules(self))


if __name__ == "__main__":
    unittest.main()
