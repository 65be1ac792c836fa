"""Reads that say how old their answer may be, across stopped regions."""

import signal
import time
import unittest

from harness import BR, DE, US, Mesh, await_that, refusal_of, run
from harness import consistency, grpc

EVENTUAL, BOUNDED = 1, 3
BY_WATERMARK = 1
ISOLATED = consistency.ROUTE_REASON_ISOLATED


class BoundedReadsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh((US, BR, DE), namespaces=[
            "demo", {"name": "kept", "serve_stale_when_isolated": True}])
        cls.clients = [server.client() for server in cls.mesh.servers]
        cls.us, cls.br, cls.de = cls.clients

    @classmethod
    def tearDownClass(cls):
        for client in cls.clients:
            client.close()
        cls.mesh.kill()

    def read(self, client, id, seconds, **options):
        """The answer, or the refusal."""
        bound = consistency.ReadOptions().max_staleness
        bound.FromMicroseconds(int(seconds * 1e6))
        try:
            return client.get(id, consistency=BOUNDED, max_staleness=bound, region_choice=2,
                              **options)
        except grpc.RpcError as error:
            return refusal_of(error)

    def await_served(self, client, id, seconds, **options):
        def served():
            answer = self.read(client, id, seconds, **options)
            return hasattr(answer, "provenance") and answer
        return await_that(f"a read of at most {seconds} s", served)

    def age_of(self, answer):
        return answer.provenance.age.ToTimedelta().total_seconds()

    def test_an_answer_is_within_its_bound_and_says_by_whom_that_is_known(self):
        self.us.put("x", b"1", region_choice=2)
        for seconds in (30, 2, 0.3):
            answer = self.await_served(self.us, "x", seconds, local_only=True)
            self.assertEqual(answer.provenance.level_met, BOUNDED)
            self.assertLessEqual(self.age_of(answer), seconds)
            self.assertEqual(answer.provenance.age_source, BY_WATERMARK)
            self.assertIn(answer.provenance.age_of, ("sa-east-1/a", "eu-central-1/a"))

    def test_the_command_asks_for_it(self):
        self.await_served(self.us, "x", 20, local_only=True)
        line = run("get", "shell", "--gateway", self.mesh[0].public, "--max-staleness", "20s",
                   "--local-only", "--json")
        self.assertIn("BOUNDED", line.stdout + line.stderr, line)

    def test_targets_are_met_in_their_order_as_far_as_they_can_be(self):
        targets = [
            consistency.ReadTarget(consistency="CONSISTENCY_LEVEL_BOUNDED",
                                   max_staleness=dict(seconds=1), latency=dict(seconds=4)),
            consistency.ReadTarget(consistency="CONSISTENCY_LEVEL_EVENTUAL",
                                   latency=dict(seconds=9)),
        ]

        def meets(target):
            def met():
                got = self.us.get("slo", targets=targets, region_choice=2, timeout=30)
                return got.provenance.target_met == target and got
            return await_that(f"target {target}", met)

        self.us.put("slo", b"v", region_choice=2)
        got = meets(1)
        self.assertEqual(got.provenance.level_met, BOUNDED)
        self.assertLessEqual(self.age_of(got), 1)
        self.mesh[2].signal(signal.SIGSTOP)
        try:
            got = meets(2)
            self.assertEqual(got.item.value, b"v")
            self.assertEqual(got.provenance.level_met, EVENTUAL)
            self.assertGreater(self.age_of(got), 1)
        finally:
            self.mesh[2].signal(signal.SIGCONT)
        meets(1)

    def test_a_region_that_is_cut_off_makes_answers_old_and_no_bound_hides_it(self):
        self.await_served(self.us, "cut", 5, local_only=True)
        self.mesh[2].signal(signal.SIGSTOP)
        try:
            def refused():
                answer = self.read(self.us, "cut", 1, local_only=True)
                return hasattr(answer, "reason") and answer
            error = await_that("a refusal", refused)
            self.assertEqual((error.code, error.reason), ("UNAVAILABLE", "STALE_LIMIT"), error)
            self.assertEqual(error.metadata["field"], "options.max_staleness")
            self.assertEqual(error.metadata["max_staleness_ms"], "1000")
            self.assertGreater(int(error.metadata["age_ms"]), 1000)
            self.assertEqual(error.metadata["behind"], "eu-central-1/a")
            self.assertEqual(error.metadata["replica"], "us-east-1/a")
            # No region that can be reached is fresher.
            error = self.read(self.us, "cut", 1)
            self.assertEqual((error.code, error.reason), ("UNAVAILABLE", "STALE_LIMIT"), error)
            self.assertIn("us-east-1/a STALE_LIMIT", error.metadata["tried"])
            self.assertIn("sa-east-1/a STALE_LIMIT", error.metadata["tried"])
            # Who takes what there is gets it, and its age.
            answer = self.us.get("cut", consistency=EVENTUAL, region_choice=2)
            self.assertGreater(self.age_of(answer), 1)
            self.assertEqual(answer.provenance.age_of, "eu-central-1/a")
        finally:
            self.mesh[2].signal(signal.SIGCONT)
        answer = self.await_served(self.us, "cut", 1, local_only=True)
        self.assertLessEqual(self.age_of(answer), 1)

    def test_a_region_cut_off_from_all_serves_what_it_has_where_its_namespace_says_so(self):
        self.await_served(self.us, "x", 5, local_only=True)
        for namespace in ("demo", "kept"):
            self.us.put("x", b"old", namespace=namespace, region_choice=2)
        stopped = self.mesh.servers[1:]
        for server in stopped:
            server.signal(signal.SIGSTOP)
        try:
            def served():
                answer = self.read(self.us, "x", 1, namespace="kept")
                return hasattr(answer, "provenance") and answer.provenance.reason == ISOLATED \
                    and answer
            answer = await_that("an answer of the region alone", served)
            self.assertEqual(answer.item.value, b"old")
            self.assertEqual(answer.provenance.region, US.name)
            self.assertEqual(answer.provenance.level_met, EVENTUAL)
            self.assertGreater(self.age_of(answer), 1)
            # Without the policy nothing is said that is older than was asked for.
            error = self.read(self.us, "x", 1)
            self.assertEqual((error.code, error.reason), ("UNAVAILABLE", "STALE_LIMIT"), error)
            # What can be met is not called stale.
            answer = self.us.get("x", namespace="kept", region_choice=2)
            self.assertNotEqual(answer.provenance.reason, ISOLATED)
        finally:
            for server in stopped:
                server.signal(signal.SIGCONT)

        def met():
            answer = self.read(self.us, "x", 1, namespace="kept")
            return hasattr(answer, "provenance") and answer.provenance.reason != ISOLATED and answer
        answer = await_that("an answer that meets its bound", met)
        self.assertEqual(answer.provenance.level_met, BOUNDED)
        self.assertLessEqual(self.age_of(answer), 1)

    def test_no_answer_misses_a_write_that_is_older_than_its_bound(self):
        bound = 0.5
        for client in self.clients:
            self.await_served(client, "none", bound, local_only=True)
        served = refused = 0
        for cycle in range(5):
            id = f"write/{cycle}"
            self.br.put(id, b"v", region_choice=2)
            acknowledged = time.monotonic()
            # Whether the entry has left the region by now is anybody's guess.
            self.mesh[1].signal(signal.SIGSTOP)
            try:
                while time.monotonic() < acknowledged + 2.5:
                    asked = time.monotonic()
                    answer = self.read(self.us, id, bound, local_only=True)
                    if not hasattr(answer, "provenance"):
                        self.assertEqual(answer.reason, "STALE_LIMIT", answer)
                        refused += 1
                    elif asked > acknowledged + bound:
                        self.assertEqual(answer.item.value, b"v")
                        served += 1
                    time.sleep(0.02)
            finally:
                self.mesh[1].signal(signal.SIGCONT)
            answer = self.await_served(self.us, id, bound, local_only=True)
            self.assertEqual(answer.item.value, b"v")
            served += 1
        self.assertGreaterEqual(served, 5)
        self.assertGreater(refused, 0)


if __name__ == "__main__":
    unittest.main()
